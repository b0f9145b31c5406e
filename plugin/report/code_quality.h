#pragma once

#include <cstddef>
#include <map>
#include <string>

#include "driver/event/event.h"

namespace depot::report {

/// The frontend's warnings about a Dockerfile as a GitLab Code Quality report, which a merge
/// request shows beside the lines (GitLab docs, "Code Quality", report format). One thread at a
/// time.
class CodeQuality {
 public:
  static constexpr std::size_t kMost = 1000;

  /// `dockerfile` is the path that the report names, relative to the repository; "" = what the
  /// builder calls it.
  explicit CodeQuality(std::string dockerfile) : dockerfile_(std::move(dockerfile)) {}

  /// Notes it, once whatever steps it comes with.
  void Take(const VertexWarning& warning);

  /// The report: a JSON array, of no entries when there were no warnings.
  std::string Text() const;

 private:
  struct Finding {
    std::string check;
    std::string text;
    std::string path;
    int line = 1;
  };

  const std::string dockerfile_;
  std::map<std::string, Finding> findings_;  ///< by fingerprint
};

}  // namespace depot::report
