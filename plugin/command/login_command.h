#pragma once

#include "plugin/command/command.h"

namespace depot::job {
class Workshop;
}  // namespace depot::job

namespace depot::command {

/// `login`: gets a token by way of the browser and stores it. The address and what is waited for go
/// to standard error, what was done to standard output.
Result<> RunLogin(const Call& call);

/// The same in the middle of another command that turned out to need a token.
Result<> LogIn(job::Workshop& workshop, Terminal& terminal, const Cancel& cancel);

/// Says on standard error which variable counts more than the stored login, if one does: it is what
/// commands use, and it stays when the login goes.
void SayWhatCountsMore(const Environment& environment, Terminal& terminal, const Cancel& cancel);

}  // namespace depot::command
