#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace depot::plan {

/// A git repository as a build context names it: http(s) whose path ends in .git, git://, ssh://,
/// the short form github.com/owner/name, or scp's USER@HOST:PATH; behind it #REF:SUBDIR, or
/// ?branch=, ?subdir= and the like (BuildKit frontend/dockerfile/dfgitutil, util/gitutil).
struct GitUrl {
  bool over_ssh = false;
  bool has_query = false;
};

/// nullopt for what is no git repository.
std::optional<GitUrl> ParseGitUrl(std::string_view text);

/// Whether it begins with http:// or https://.
bool IsHttpUrl(std::string_view text);

/// Whether BuildKit takes `context` for a URL, a git repository or the github.com short form
/// (BuildKit frontend/dockerui/context.go, util/gitutil).
bool IsRemoteContext(std::string_view context);

/// What of a local context's place the user means: as it is, or, for github.com/owner/name, the
/// URL of that repository, since the short form is no URL.
std::string ContextUrl(const std::string& context);

}  // namespace depot::plan
