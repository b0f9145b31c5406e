#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

/// The pool's answers to the Depot API's calls.
namespace depot::service {

/// Something the pool decided, for the audit. Never holds a secret.
struct Decision {
  std::string what;  ///< "CreateBuild", "certificate", "expire", ...
  std::string project;
  std::string who;  ///< identity::Caller::name, or "build" for a build's own token
  std::string build;
  std::string platform;
  std::string builder;
  std::string peer;     ///< address of the client
  std::string verdict;  ///< allowed, refused, failed
  std::string reason;
};

/// What the pool writes: one JSON line for each decision, and lines for people. Safe to use from
/// several threads when the two functions are.
class Journal {
 public:
  /// Writes one line, which ends in a newline and is shorter than 4 KiB.
  using Write = std::function<void(const std::string& line)>;

  Journal(Write audit, Write log) : audit_(std::move(audit)), log_(std::move(log)) {}

  /// Adds the time. Control characters are replaced, long values cut, empty ones left out.
  void Audit(const Decision& decision) const;

  /// For people who read the log.
  void Say(std::string_view text) const;

 private:
  Write audit_;
  Write log_;
};

/// Seconds since 1970.
std::int64_t WallClock();

}  // namespace depot::service
