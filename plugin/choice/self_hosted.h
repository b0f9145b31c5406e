#pragma once

#include <optional>
#include <string>
#include <vector>

#include "driver/base/environment.h"
#include "driver/base/secret.h"
#include "driver/builder/instances.h"
#include "plugin/choice/placement.h"

namespace depot::choice {

/// Builders of the user's own.
struct SelfHosted {
  std::vector<Site> sites;  ///< each address once; not empty
  Secret key;               ///< the first client key among them, for NodeId(); may be empty
  bool tls = false;         ///< one of them is reached with TLS
};

/// Reads --builder or DEPOT_BUILDER: one address, or PLATFORM=ADDRESS,..., where a machine also
/// runs its platform's NativeFamily(), as far as no other one was named for that. `forced`
/// (--build-platform) leaves the machine that was named for it alone, or the one address. Errors as
/// of builder::ParseEndpoint(); two builders for one platform, and one without a platform beside
/// others, are kInvalid; none for `forced` is kUnsupported.
Result<SelfHosted> ParseSelfHosted(const std::string& setting,
                                   const std::optional<Platform>& forced,
                                   const Environment& environment);

/// The machines of an instance of docker buildx, not the Engine's. One alone says by itself what it
/// runs; of several each must say it in the instance's file, else kUnsupported. `forced` as above.
Result<SelfHosted> OfInstance(builder::Instance instance, const std::optional<Platform>& forced);

}  // namespace depot::choice
