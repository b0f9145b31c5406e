#include "plugin/plan/git_url.h"

#include <algorithm>

#include "driver/base/text.h"

namespace depot::plan {
namespace {

constexpr std::string_view kGithub = "github.com/";

bool IsWord(std::string_view part, std::string_view extra) {
  return std::all_of(part.begin(), part.end(), [&](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           extra.find(c) != std::string_view::npos;
  });
}

/// user@host:path, the form of scp that git takes, too.
bool IsScpForm(std::string_view text) {
  std::size_t at = text.find('@');
  if (at == 0 || at == std::string_view::npos) return false;
  std::size_t colon = text.find(':', at);
  if (colon == std::string_view::npos || colon == at + 1) return false;
  return IsWord(text.substr(0, at), "-_") && IsWord(text.substr(at + 1, colon - at - 1), "-.");
}

/// In lower case; "" when the text does not begin with one.
std::string SchemeOf(std::string_view text) {
  const std::size_t end = text.find("://");
  const bool named = end != std::string_view::npos && end > 0 && IsWord(text.substr(0, end), "");
  return named ? LowerAscii(text.substr(0, end)) : "";
}

}  // namespace

std::optional<GitUrl> ParseGitUrl(std::string_view text) {
  const std::string_view place = text.substr(0, text.find('#'));
  const std::string_view path = place.substr(0, place.find('?'));
  GitUrl url;
  url.has_query = path.size() + 1 < place.size();
  if (text.starts_with(kGithub)) return url;
  const std::string scheme = SchemeOf(text);
  if (scheme == "http" || scheme == "https") {
    return path.ends_with(".git") ? std::optional(url) : std::nullopt;
  }
  url.over_ssh = scheme == "ssh" || (scheme.empty() && IsScpForm(text));
  if (!url.over_ssh && scheme != "git") return std::nullopt;
  return url;
}

bool IsHttpUrl(std::string_view text) {
  return text.starts_with("http://") || text.starts_with("https://");
}

bool IsRemoteContext(std::string_view context) {
  return IsHttpUrl(context) || ParseGitUrl(context).has_value();
}

std::string ContextUrl(const std::string& context) {
  if (!context.starts_with(kGithub)) return context;
  std::size_t end = std::min(context.find_first_of("#?"), context.size());
  std::string repository = context.substr(0, end);
  while (repository.ends_with('/'))
    repository.pop_back();
  if (!repository.ends_with(".git")) repository += ".git";
  return Cat("https://", repository, context.substr(end));
}

}  // namespace depot::plan
