#include "driver/docker/credential_keys.h"

#include <algorithm>
#include <tuple>

#include "driver/base/shown.h"
#include "driver/base/text.h"

namespace depot::docker {
namespace {

constexpr std::string_view kHub = "docker.io";
constexpr std::string_view kHubKey = "https://index.docker.io/v1/";
constexpr std::string_view kHttpsPort = ":443";

/// host/path, in lower case.
std::string WithoutScheme(std::string_view key) {
  std::string text = LowerAscii(Trim(key));
  for (std::string_view scheme : {"https://", "http://"}) {
    if (text.starts_with(scheme)) return text.substr(scheme.size());
  }
  return text;
}

/// "team/app" of "https://registry.example/v2/team/app/"; "" = the key is for the whole host.
std::string PathOfKey(std::string_view key) {
  std::string text = WithoutScheme(key);
  std::vector<std::string> parts;
  for (std::string_view part : Split(text, '/')) {
    if (!part.empty()) parts.emplace_back(part);
  }
  std::size_t skip = parts.size() > 1 && (parts[1] == "v1" || parts[1] == "v2") ? 2 : 1;
  parts.erase(parts.begin(), parts.begin() + static_cast<long>(std::min(skip, parts.size())));
  return Join(parts, "/");
}

bool Contains(const std::string& path, const std::string& repository) {
  if (!repository.starts_with(path)) return false;
  return repository.size() == path.size() || repository[path.size()] == '/';
}

/// Paths that fit, whole hosts, other paths.
enum class Fit { kPath, kHost, kOther };

struct Candidate {
  std::string key;
  Fit fit = Fit::kHost;
  std::size_t path_size = 0;
  bool main = false;
};

bool Before(const Candidate& one, const Candidate& other) {
  return std::tuple(one.fit, other.path_size, !one.main, std::string_view(one.key)) <
         std::tuple(other.fit, one.path_size, !other.main, std::string_view(other.key));
}

}  // namespace

std::string HostOfKey(std::string_view key) {
  std::string host = WithoutScheme(key);
  host.resize(std::min(host.find('/'), host.size()));
  if (host.ends_with(kHttpsPort)) host.resize(host.size() - kHttpsPort.size());
  bool hub = host == "index.docker.io" || host == "registry-1.docker.io";
  return hub ? std::string(kHub) : host;
}

std::string MainKeyOf(const std::string& host) {
  return HostOfKey(host) == kHub ? std::string(kHubKey) : LowerAscii(host);
}

std::vector<RankedKey> RankKeys(const std::set<std::string>& keys,
                                const std::string& host,
                                const std::string& repository) {
  const std::string wanted = HostOfKey(host);
  const std::string main = MainKeyOf(host);
  std::vector<Candidate> candidates;
  for (const std::string& key : keys) {
    if (HostOfKey(key) != wanted) continue;
    std::string path = PathOfKey(key);
    Fit fit = Contains(path, repository) ? Fit::kPath : Fit::kOther;
    candidates.push_back({key, path.empty() ? Fit::kHost : fit, path.size(), key == main});
  }
  std::sort(candidates.begin(), candidates.end(), Before);
  std::vector<RankedKey> ranked;
  bool named_host = false;
  for (Candidate& one : candidates) {
    bool plain = one.fit == Fit::kHost && !named_host;
    named_host = named_host || plain;
    std::string name = plain ? "" : Printable(Cat('"', one.key, '"'));
    ranked.push_back({std::move(one.key), std::move(name)});
  }
  return ranked;
}

}  // namespace depot::docker
