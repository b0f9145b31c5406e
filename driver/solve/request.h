#pragma once

#include <map>
#include <string>
#include <vector>

namespace depot::solve {

/// One exporter as it goes on the wire; its index in BuildRequest::exporters is its id.
struct Exporter {
  std::string type;  ///< image, moby, local, tar, oci, docker
  std::map<std::string, std::string> attrs;
};

/// Everything that one solve asks of a builder; a value, made by plugin/plan. Secrets, trees and
/// credentials are not in it: the builder asks for them in the session.
struct BuildRequest {
  std::string frontend;  ///< "dockerfile.v0" or "gateway.v0"
  std::map<std::string, std::string> frontend_attrs;
  std::vector<Exporter> exporters;  ///< empty: the result stays in the builder's cache
  std::vector<std::string> entitlements;
  std::string shared_key;  ///< of the session; "" when there is no local context
  std::string ref;         ///< the build's id, new to the builder; "" = Solve() makes one up
};

}  // namespace depot::solve
