#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "driver/files/tree.h"
#include "plugin/plan/source.h"

namespace depot::plan {

/// Why a builder does not find `path` (from the root of the context, as the builder wrote it) in
/// the local context of `source`, and what to do: the line of the ignore file that excludes it, or
/// that there is no such file, with the nearest name. "" when neither is so, or the context is
/// elsewhere. `trees` are those of `source`. Reads the ignore file; what cannot be read says
/// nothing.
std::string WhyMissing(std::string_view path,
                       const Source& source,
                       const std::map<std::string, std::unique_ptr<files::FileTree>>& trees);

/// Which line of the ignore file is no pattern, when one is: "" otherwise.
std::string WhichPatternIsMalformed(
    const Source& source, const std::map<std::string, std::unique_ptr<files::FileTree>>& trees);

}  // namespace depot::plan
