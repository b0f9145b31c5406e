#pragma once

#include "driver/registry/keyring.h"
#include "plugin/job/inputs.h"

namespace depot::job {

/// The failure of a solve with what only this side knows added to its hint: which line of an ignore
/// file keeps a file from the builder, and whose credentials a registry did not accept. May run a
/// credential helper that has run before.
Error Explain(Error error,
              const Inputs& inputs,
              const registry::Keyring& keyring,
              const Cancel& cancel);

}  // namespace depot::job
