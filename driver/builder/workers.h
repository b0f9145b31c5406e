#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "driver/base/cancel.h"
#include "driver/builder/builder.h"
#include "driver/oci/platform.h"

namespace depot::builder {

/// A rule by which a daemon empties its cache (Control.ListWorkers, GCPolicy). 0 = no such limit.
struct CollectionRule {
  bool all = false;
  std::int64_t keep_ns = 0;
  std::int64_t reserved_bytes = 0;
  std::int64_t most_bytes = 0;
  std::int64_t free_bytes = 0;
  std::vector<std::string> filters;
};

/// What a daemon says of itself; all of it is for people.
struct WorkerFacts {
  std::string version;  ///< of BuildKit; "" = it does not say
  std::vector<Platform> platforms;
  std::map<std::string, std::string> labels;
  std::vector<std::string> ids;  ///< of all its workers
  std::vector<CollectionRule> rules;
};

/// Asks a builder that is held (Control.ListWorkers, Control.Info); its first worker counts, as in
/// docker buildx. Blocks.
Result<WorkerFacts> AskWorkers(Builder& builder, const Cancel& cancel);

}  // namespace depot::builder
