#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <vector>

#include "driver/builder/builder.h"
#include "driver/event/sink.h"
#include "plugin/choice/placement.h"

namespace depot::choice {

/// A builder that is there, and what it builds of one target.
struct Assignment {
  Share share;
  builder::Builder* builder = nullptr;  ///< the Crew's, and gone with it
  BuildxName buildx;
};

/// The builders of a run: each is acquired when the first target needs it, and shared by all that
/// come later, until the Crew is destroyed. Any thread; several targets may ask at the same time.
class Crew {
 public:
  /// `sites` is not empty. What is emulated, and what the drivers say, is said to `sink`, which
  /// outlives the Crew.
  Crew(std::vector<Site> sites, EventSink& sink);
  Crew(const Crew&) = delete;
  Crew& operator=(const Crew&) = delete;

  /// Gets hold of every builder that the platforms need, and of every one of which is not known
  /// what it runs, side by side; the first that cannot be had ends it. With kListed, and a platform
  /// that none of them runs natively, all are asked what they emulate. One Assignment for each
  /// builder; a builder that lists nothing is taken at the user's word. Errors as of Place() and
  /// Driver::Acquire(). Blocks.
  Result<std::vector<Assignment>> Assign(const std::vector<Platform>& wanted,
                                         Emulation emulation,
                                         const Cancel& cancel);

 private:
  /// A site's builder, once there is one.
  struct Slot {
    bool busy = false;  ///< somebody is acquiring it
    std::unique_ptr<builder::Builder> builder;
  };

  Result<std::vector<Site>> AskSites(const std::vector<Platform>& wanted,
                                     Emulation emulation,
                                     const Cancel& cancel);
  Result<builder::Builder*> Get(std::size_t site,
                                const std::optional<Platform>& machine,
                                const Cancel& cancel);

  const std::vector<Site> sites_;
  EventSink& sink_;
  std::mutex mutex_;
  std::condition_variable_any changed_;
  std::vector<Slot> slots_;  ///< one for each site
};

}  // namespace depot::choice
