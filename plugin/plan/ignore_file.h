#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "driver/files/tree.h"
#include "plugin/plan/source.h"

namespace depot::plan {

/// A line of an ignore file.
struct IgnoreRule {
  std::size_t line = 0;  ///< counted from 1
  std::string pattern;   ///< from the root of the context; "!" in front: an exception
};

/// The file that says what of a local context is not sent.
struct IgnoreFile {
  std::string name;  ///< ".dockerignore", or the Dockerfile's own; "" = there is none
  std::string text;
  bool readable = true;  ///< false: `name` is there, but this machine's user cannot read it
  std::vector<IgnoreRule> rules;

  /// As TreeFilter::exclude wants them.
  std::vector<std::string> patterns() const;
};

/// The one in force for the local context of `source`, as a builder would choose and read it
/// (BuildKit frontend/dockerui, moby/patternmatcher ignorefile). `trees` are those of `source`. A
/// file that cannot be read has no rules.
IgnoreFile IgnoreFileInForce(const Source& source,
                             const std::map<std::string, std::unique_ptr<files::FileTree>>& trees);

/// The rule that decides about `path`, or about a folder that it lies in: the last that fits. An
/// exception lets it in, any other keeps it out; null = no rule fits, and it is sent.
const IgnoreRule* DecidingRule(const IgnoreFile& file, std::string_view path);

}  // namespace depot::plan
