#pragma once

#include <map>
#include <string>
#include <vector>

#include "driver/base/environment.h"
#include "driver/base/result.h"
#include "plugin/bake/definition.h"

namespace depot::bake {

/// All that was said of one field of one target.
struct Override {
  std::string key;   ///< of `--set`: args, tags, platform, secrets, push, ...
  std::string name;  ///< of args, labels, contexts, extra-hosts, resources; else ""
  Strings values;    ///< several for lists, else the last one
  bool append = false;
};

/// What replaces fields from the command line, by target.
using Overrides = std::map<std::string, std::vector<Override>, std::less<>>;

/// Reads values of `--set`: `PATTERN.KEY[.NAME]=VALUE`, or `+=VALUE`, where PATTERN is the name of
/// a target or a glob over those. `environment` gives `args.NAME` without a value. What matches no
/// target, an unknown key, a missing name and a word that is no switch are kInvalid.
Result<Overrides> ReadOverrides(const Definition& definition,
                                const Strings& settings,
                                const Environment& environment);

/// Puts them over `fields`: push and load last, since they depend on the outputs.
Result<> Apply(const std::vector<Override>& overrides, Fields& fields);

/// Names among `names` that match; an exact name matches itself alone.
Result<Strings> MatchNames(const std::string& pattern, const Strings& names);

}  // namespace depot::bake
