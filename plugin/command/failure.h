#pragma once

#include <string>

#include "driver/base/error.h"

namespace depot::command {

/// What the program ends with when a command failed by `error`. README's table is the contract:
/// scripts rely on it. 125 and 130 are docker's; 100 and 102 docker buildx's; an Error that still
/// has its step_exit() is to end with that (`build --exit-code=step`). Never 0.
int ExitCode(const Error& error);

/// What failed (also which step, on which builder), why, and what to do next: whole lines.
std::string FailureText(const Error& error);

}  // namespace depot::command
