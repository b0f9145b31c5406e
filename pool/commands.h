#pragma once

#include <map>
#include <string>

#include "pool/arguments.h"
#include "pool/service/journal.h"

#include "driver/base/result.h"

namespace depot {

/// What a command has to go by.
struct Invocation {
  Arguments arguments;  ///< without the command's own name
  std::string settings_file;
  std::map<std::string, std::string> environment;
};

/// What a command shows when it is done.
struct Output {
  std::string out;  ///< for standard output: the result, also for programs
  std::string err;  ///< for standard error: about it, for people
};

/// `serve`: runs until SIGTERM or SIGINT.
Result<Output> RunServe(const Invocation& invocation,
                        const service::Journal::Write& audit,
                        const service::Journal::Write& log);

/// `token create|list|revoke`. A new token is the only line of standard output.
Result<Output> RunToken(const Invocation& invocation);

/// `login approve CODE --user U`.
Result<Output> RunLogin(const Invocation& invocation);

/// `builds list|cancel`.
Result<Output> RunBuilds(const Invocation& invocation);

/// `ca show|server-certificate`.
Result<Output> RunCa(const Invocation& invocation);

/// A kUsage error for a command with the wrong words; `usage` is how it is written.
Error WrongUsage(const std::string& usage);

}  // namespace depot
