#pragma once

#include <optional>
#include <vector>

#include "driver/oci/reference.h"
#include "plugin/doctor/finding.h"
#include "plugin/job/workshop.h"

namespace depot::doctor {

/// The Docker Engine that --load would load into. Blocks for at most 5 s.
Finding CheckEngine(job::Workshop& workshop, const Cancel& cancel);

/// Whether the user's credentials may push to `name`, asked of the registry with a real token for
/// that; an upload that is opened to find out is given back. Then how far this machine's clock is
/// from the registry's. Blocks for at most 20 s. What is said on the way goes to `sink`.
std::vector<Finding> CheckRegistry(const Reference& name,
                                   job::Workshop& workshop,
                                   EventSink& sink,
                                   const Cancel& cancel);

/// Which builder a build in this place would use, by whom it was said, whether the Depot API lets
/// the token in and knows the project; and of every builder that can be asked without a build:
/// whether it answers (TLS with its chain, names and times is part of that), what it can do, how
/// long a question takes, and how fast it takes bytes. Blocks, for each builder at most 45 s.
std::vector<Finding> CheckBuilders(job::Workshop& workshop, EventSink& sink, const Cancel& cancel);

}  // namespace depot::doctor
