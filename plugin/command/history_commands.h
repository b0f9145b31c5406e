#pragma once

#include "plugin/command/command.h"

namespace depot::command {

/// `history ls`: the builder's records of builds, as docker buildx lists them (`--filter`,
/// `--format`, `--local`, `--no-trunc`).
Result<> RunHistoryLs(const Call& call);

/// `history logs [REF]`: what a build has shown, on standard error.
Result<> RunHistoryLogs(const Call& call);

/// `history inspect [REF]`: what is known of a build (`--format`).
Result<> RunHistoryInspect(const Call& call);

/// `history rm REF...` or `--all`: removes records.
Result<> RunHistoryRm(const Call& call);

}  // namespace depot::command
