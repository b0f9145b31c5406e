#include "plugin/command/version_command.h"

#include "driver/base/text.h"

namespace depot::command {
namespace {

/// Semantic versioning: what is behind the plus sign does not count when versions are compared.
std::string VersionAsBuildx(std::string_view version) {
  return Cat("v0.29.1+docker-depot.", version);
}

}  // namespace

Result<> RunVersion(const Call& call) {
  const std::string text = call.is_buildx ? Cat("github.com/docker/buildx ",
                                                VersionAsBuildx(call.version), " docker-depot\n")
                                          : Cat("docker-depot ", call.version, '\n');
  return call.terminal.WriteResult(text, call.cancel);
}

std::string Metadata(std::string_view version, bool is_buildx) {
  const std::string said = is_buildx ? VersionAsBuildx(version) : std::string(version);
  return Cat(
      R"({"SchemaVersion":"0.1.0","Vendor":"docker-depot","Version":")", said,
      R"(","ShortDescription":")",
      is_buildx ? "Docker Buildx, by docker-depot" : "Build images on remote BuildKit builders",
      "\"}\n");
}

}  // namespace depot::command
