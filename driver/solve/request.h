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

/// One place that cached steps come from or go to, as it goes on the wire.
struct CacheEntry {
  std::string type;                          ///< registry, local, inline, gha, s3, azblob
  std::map<std::string, std::string> attrs;  ///< may hold credentials
};

/// Something that not every BuildKit can do, and that one which cannot leaves out without a word.
struct Capability {
  std::string id;        ///< in BuildKit's own list (solver/pb/caps.go)
  std::string lacking;   ///< what to say of a builder without it, one line
  bool required = true;  ///< without it the solve fails; else the line is a warning
};

/// Everything that one solve asks of a builder; a value, made by plugin/plan. Secrets, trees and
/// credentials are not in it: the builder asks for them in the session.
struct BuildRequest {
  std::string frontend;  ///< "dockerfile.v0" or "gateway.v0"
  std::map<std::string, std::string> frontend_attrs;
  std::vector<Exporter> exporters;  ///< empty: the result stays in the builder's cache
  std::vector<CacheEntry> cache_imports;
  std::vector<CacheEntry> cache_exports;  ///< written after the exporters, and part of the solve
  bool internal = false;                  ///< the builder keeps no record of this solve
  std::vector<std::string> entitlements;
  std::vector<Capability> capabilities;  ///< asked for before the frontend runs
  /// What the frontend is asked instead of being told to build (`lint`, `outline`; BuildKit
  /// frontend/subrequests): nothing is built, and its answer is in BuildResult::answer. "" = build.
  std::string call;
  std::string source_policy;  ///< for the builder to obey: of ParseSourcePolicy(); "" = none
  std::string shared_key;     ///< of the session; "" when there is no local context
  std::string ref;            ///< the build's id, new to the builder; "" = Solve() makes one up
};

}  // namespace depot::solve
