#pragma once

#include <memory>
#include <optional>
#include <string>

#include "driver/depot/api.h"
#include "plugin/options/account_flags.h"
#include "plugin/options/invocation.h"
#include "plugin/patient_client.h"
#include "plugin/progress/terminal.h"

namespace depot {

/// What follows the words of such a command. nullopt: its help was asked for, and is printed.
/// Errors as of options::ParseAccountFlags().
Result<std::optional<options::AccountOptions>> ReadAccountFlags(
    const options::Invocation& invocation, Terminal& terminal, const Cancel& cancel);

/// The Depot API as the commands beside `build` use it, and what opens it. One thread.
class DepotAccount {
 public:
  /// The API at DEPOT_API_URL; `say` gets a line when a call is tried again. Asks nobody yet.
  static Result<std::unique_ptr<DepotAccount>> Make(const Environment& environment,
                                                    std::function<void(std::string)> say);

  api::Api& api() { return *api_; }
  PatientClient& http() { return *http_; }

  /// The token of the user or job. kDenied when there is none, with the ways to give one.
  Result<api::Token> Token(const options::AccountOptions& options, const Cancel& cancel);

  /// The project meant: --project, DEPOT_PROJECT_ID, or a project file found upward from
  /// options.directory. kUsage when nothing names one.
  Result<std::string> Project(const options::AccountOptions& options);

 private:
  DepotAccount(const Environment& environment, std::function<void(std::string)> say);

  Environment environment_;
  std::function<void(std::string)> say_;
  std::unique_ptr<PatientClient> http_;
  std::unique_ptr<api::Api> api_;
};

}  // namespace depot
