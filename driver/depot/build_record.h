#pragma once

#include <atomic>

#include "driver/base/cancel.h"
#include "driver/depot/api.h"
#include "driver/depot/times.h"
#include "driver/event/sink.h"

namespace depot::api {

/// What the parts of a hosted build share. `api` and `sink` outlive them all.
struct BuildRecord {
  Api& api;
  const CreatedBuild created;
  EventSink& sink;
  const Cancel cancel;  ///< the build's
  const Times times;
  std::atomic<bool> cancelled_by_api{false};
};

}  // namespace depot::api
