#pragma once

#include <vector>

#include "driver/base/result.h"
#include "plugin/plan/exports_item.h"

namespace depot::plan {

/// Turns what the user asked for into what one of several builders, which builds `platforms`, makes
/// of it, so that it can be joined afterwards; the destinations say how. Pushes come last, in their
/// order. Pure.
Result<> ShareAmongBuilders(const std::vector<Platform>& platforms, std::vector<Item>& items);

/// The same for what one builder pushes by tags that we write (options::TagOptions).
Result<> LeaveTagsToUs(std::vector<Item>& items);

}  // namespace depot::plan
