#pragma once

#include <optional>
#include <string>

namespace depot::solve {

/// What a frontend reads first of all, for it to have at once instead of asking the session.
struct DockerfileText {
  std::string name;  ///< the frontend attribute "filename", without a folder
  std::string text;
  /// Of the ignore file in force. nullopt: the frontend is to look for it, in the context.
  std::optional<std::string> ignore;
};

/// The frontend input "dockerfile" (BuildKit frontend/dockerui/config.go), a pb.Definition as
/// bytes: files that the builder makes out of the call. The steps have the names that the
/// frontend's own would have.
std::string DockerfileInput(const DockerfileText& dockerfile);

}  // namespace depot::solve
