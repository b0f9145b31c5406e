#pragma once

#include <optional>
#include <string>
#include <string_view>
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

/// Whether --builder or DEPOT_BUILDER says a name, for builder::FindInstance(), not an address.
bool NamesInstance(std::string_view setting);

/// The nodes of an instance that is not the Engine, each with the platforms that `create` was given
/// for it and their families as below; without any it is asked what it runs. `forced` as below.
Result<SelfHosted> SelfHostedOf(builder::Instance instance, const std::optional<Platform>& forced);

/// Reads --builder or DEPOT_BUILDER: one address, or PLATFORM=ADDRESS,..., where a machine also
/// runs its platform's NativeFamily(), as far as no other one was named for that. `forced`
/// (--build-platform) leaves the machine that was named for it alone, or the one address. Errors as
/// of builder::ParseEndpoint(); two builders for one platform, and one without a platform beside
/// others, are kInvalid; none for `forced` is kUnsupported.
Result<SelfHosted> ParseSelfHosted(const std::string& setting,
                                   const std::optional<Platform>& forced,
                                   const Environment& environment,
                                   const Cancel& cancel);

}  // namespace depot::choice
