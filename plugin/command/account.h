#pragma once

#include <memory>
#include <string>

#include "driver/depot/api.h"
#include "driver/event/sink.h"
#include "driver/flags/flag_table.h"
#include "plugin/job/workshop.h"

namespace depot::command {

/// --token, for a command that asks the Depot API.
flags::Flag TokenFlag(Secret& token);

/// --project, for a command that is about one.
flags::Flag ProjectFlag(std::string& project);

/// The Depot API as the commands beside `build` use it, and what opens it. One thread.
class Account {
 public:
  /// The API at DEPOT_API_URL; a call that is tried again is said to `sink`. Asks nobody yet. Both
  /// must outlive it.
  static Result<std::unique_ptr<Account>> Open(job::Workshop& workshop, EventSink& sink);

  api::Api& api() { return *api_; }

  /// The token of the user or job; `said` is --token. kDenied when there is none, with the ways to
  /// give one.
  Result<api::Token> Token(const Secret& said, const Cancel& cancel);

  /// The project meant: `said` (--project), DEPOT_PROJECT_ID, or a project file found upward from
  /// `directory`, "" being the working directory. kUsage when nothing names one.
  Result<std::string> Project(const std::string& said, const std::string& directory);

 private:
  Account(job::Workshop& workshop, EventSink& sink) : workshop_(workshop), sink_(sink) {}

  job::Workshop& workshop_;
  EventSink& sink_;
  std::unique_ptr<api::Api> api_;
};

}  // namespace depot::command
