#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "driver/base/result.h"
#include "driver/solve/request.h"

/// How a frontend asks for local directories, as its result says it (gateway.proto, Result): the
/// attributes are BuildKit's (solver/pb/attr.go). Nothing here talks to anybody.
namespace depot::solve {

using SourceAttributes = std::map<std::string, std::string>;

/// By the name of the source, one for each way in which a result asks for it.
using LocalSources = std::map<std::string, std::set<SourceAttributes>>;

/// Those of `result`, without what `inputs` (BuildRequest::inputs) ask for. kInvalid: one of them
/// is malformed.
Result<LocalSources> LocalSourcesOf(const std::string& result,
                                    const std::map<std::string, std::string>& inputs = {});

/// One source that has what all of `ways` ask for (platforms may copy different files); nullopt
/// when they differ in more than the paths that are followed.
std::optional<SourceAttributes> Joined(const std::set<SourceAttributes>& ways);

/// The same of each source, for those who ask for it too; what is odd is left out.
LocalFilters FiltersOf(const LocalSources& sources);

/// Asks for what several solves ask for, under a key of theirs.
void Widen(const SharedFilter& shared, SourceAttributes& attrs);

/// The list in attribute `key`; nullopt: it is no JSON list of texts.
std::optional<std::vector<std::string>> ReadPatterns(const SourceAttributes& attrs,
                                                     const std::string& key);

std::string WritePatterns(const std::vector<std::string>& patterns);

inline constexpr const char* kLocalSession = "local.session";
inline constexpr const char* kLocalFollow = "local.followpaths";
inline constexpr const char* kLocalExclude = "local.excludepatterns";
inline constexpr const char* kLocalKeyHint = "local.sharedkeyhint";

}  // namespace depot::solve
