#pragma once

#include "driver/registry/keyring.h"
#include "plugin/job/inputs.h"

namespace depot::job {

/// The failure of a solve with what only this side knows added to its hint: which line of an ignore
/// file keeps a file from the builder, what makes a request too large for it, whose credentials
/// a registry did not accept, and which stage may be meant by what was taken for an image: if that
/// is clear, the failure is the build's and no registry's. `inputs` are what `options` name. May
/// run a credential helper that has run before.
Error Explain(Error error,
              const options::BuildOptions& options,
              const Inputs& inputs,
              const registry::Keyring& keyring,
              const Cancel& cancel);

}  // namespace depot::job
