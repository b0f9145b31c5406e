#pragma once

#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace depot::docker {

/// The host that a key of "auths" or "credHelpers" is for, in lower case. Scheme, path and the port
/// 443 do not count, and the Docker Hub is docker.io under each of its names.
std::string HostOfKey(std::string_view key);

/// The key that Docker itself looks a host up by: "https://index.docker.io/v1/" for the Docker Hub,
/// else host[:port].
std::string MainKeyOf(const std::string& host);

/// A key with how it is called beside its source: "" = it needs no name, since it is the best of
/// those that stand for the whole host.
struct RankedKey {
  std::string key;
  std::string name;  ///< "registry.example/team", quoted and printable
};

/// Those of `keys` that are for `host`, in the order in which `repository` (a path; "" = none is
/// known) tries them: keys whose path contains it, the longest first; those of the whole host, the
/// one that Docker uses first; the other paths. "/v1" and "/v2" at the start of a path are the
/// registry's API and no path (docker/cli writes such keys; that paths count is containers'
/// auth.json and Kubernetes).
std::vector<RankedKey> RankKeys(const std::set<std::string>& keys,
                                const std::string& host,
                                const std::string& repository);

}  // namespace depot::docker
