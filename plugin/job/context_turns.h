#pragma once

#include <condition_variable>
#include <cstddef>
#include <map>
#include <mutex>
#include <string>
#include <utility>

#include "driver/base/cancel.h"
#include "driver/builder/builder.h"

namespace depot::job {

/// Lets the targets of one run send a directory to a builder one after the other. The builder locks
/// its copy of a directory while it is sent (BuildKit source/local/source.go): of several targets
/// that send at once it would take all of it from each; one that comes later sends what changed.
/// Any thread.
class ContextTurns {
  using Key = std::pair<const builder::Builder*, std::string>;

 public:
  /// One target at one builder. Ends with its life at the latest.
  class Turn {
   public:
    Turn(ContextTurns& turns, const builder::Builder* builder) : turns_(turns), builder_(builder) {}
    ~Turn() { End(); }
    Turn(const Turn&) = delete;
    Turn& operator=(const Turn&) = delete;

    /// Before the builder may ask for files: waits until nobody else sends what the builder keeps
    /// under `shared_key`. The turn is over when each directory has been sent as often as
    /// `expected` says. One who has a turn and sends nothing for seconds is not waited for. Blocks.
    Result<> Begin(const std::string& shared_key,
                   std::map<std::string, std::size_t> expected,
                   const Cancel& cancel);

    /// The builder begins to read `directory`, or (`ended`) has what it wanted of it.
    void Note(const std::string& directory, bool ended);

    void End();

   private:
    void EndLocked();

    ContextTurns& turns_;
    const builder::Builder* builder_;
    Key key_;
    std::map<std::string, std::size_t> expected_;
  };

 private:
  struct Place {
    const Turn* holder = nullptr;
    bool sends = false;
  };

  std::mutex mutex_;
  std::condition_variable_any changed_;
  std::map<Key, Place> places_;
};

}  // namespace depot::job
