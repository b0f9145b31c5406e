#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "driver/depot/account_api.h"
#include "driver/depot/api.h"
#include "driver/docker/gitlab_credentials.h"
#include "driver/event/sink.h"
#include "driver/flags/flag_table.h"
#include "driver/oci/reference.h"
#include "driver/registry/credentials.h"
#include "plugin/job/workshop.h"

namespace depot::command {

/// --token, for a command that asks the Depot API.
flags::Flag TokenFlag(Secret& token);

/// --project, for a command that is about one.
flags::Flag ProjectFlag(std::string& project);

/// What the API gave out to read a saved image with; nullopt = nothing, its registry wants none.
std::optional<registry::Credential> CredentialFor(const api::PullInfo& info);

/// The same for job::RegistryAccess; `saved` is where the image lies.
docker::HostCredentials HandedOut(const Reference& saved, const api::PullInfo& info);

/// The Depot API as the commands beside `build` use it, and what opens it. One thread.
class Account {
 public:
  /// The API at DEPOT_API_URL. A call that is tried again is said to `sink`, and from now on whom
  /// any request of `workshop` waits for: `sink` must outlive them all, both the account. Asks
  /// nobody yet.
  static Result<std::unique_ptr<Account>> Open(job::Workshop& workshop, EventSink& sink);

  api::Api& api() { return *api_; }
  /// What Depot's own API serves beside, and a pool does not.
  api::AccountApi& more() { return *more_; }

  /// The token of the user or job; `said` is --token. kDenied when there is none, with the ways to
  /// give one.
  Result<api::Token> Token(const Secret& said, const Cancel& cancel);

  /// The project meant: `said` (--project), DEPOT_PROJECT_ID, or a project file found upward from
  /// `directory`, "" being the working directory. kUsage when nothing names one.
  Result<std::string> Project(const std::string& said, const std::string& directory);

  /// Where the image of `build` lies, which was made with --save; kNotFound when it was not.
  Result<api::PullInfo> SavedBuild(const api::Token& token,
                                   const std::string& build,
                                   const Cancel& cancel);

  /// kUsage: the command `words` was given no build; the newest of the project, if one is known,
  /// help to name one.
  Error WhichBuild(std::string_view words,
                   const api::Token& token,
                   const std::string& project,
                   const Cancel& cancel);

 private:
  Account(job::Workshop& workshop, EventSink& sink) : workshop_(workshop), sink_(sink) {}

  job::Workshop& workshop_;
  EventSink& sink_;
  std::unique_ptr<api::Api> api_;
  std::unique_ptr<api::AccountApi> more_;
};

}  // namespace depot::command
