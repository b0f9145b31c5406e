#pragma once

#include <string>
#include <vector>

#include "driver/base/error.h"

namespace depot::doctor {

/// Whether what was looked at stands in the way of a build.
enum class Health {
  kGood,
  kDoubtful,  ///< it may, or only of some builds
  kBad,
};

/// What one check found. Texts are one line each, safe to show, and without any secret.
struct Finding {
  std::string check;  ///< a word or two, the same in every run: programs may look for it
  Health health = Health::kGood;
  std::string text;
  std::string fix;  ///< what to do; empty when all is well
  FailedAt at = FailedAt::kUnsaid;
};

/// A check that failed by `error`.
Finding BadFinding(std::string check, const Error& error);

/// For people: a line for each, and one below it with the fix.
std::string FindingsText(const std::vector<Finding>& findings);

/// For programs: {"ok", "checks": [{"check", "health": "good"|"doubtful"|"bad", "text", "fix"}]},
/// one line.
std::string FindingsJson(const std::vector<Finding>& findings);

}  // namespace depot::doctor
