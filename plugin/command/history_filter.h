#pragma once

#include <ctime>
#include <functional>
#include <string>
#include <vector>

#include "driver/solve/history.h"

namespace depot::command {

/// Whether a record is wanted.
using RecordMatch = std::function<bool(const solve::HistoryRecord&)>;

/// Reads the values of `history ls --filter` (buildx commands/history/utils.go): ref, repository
/// and status with = or !=, startedAt, completedAt and duration with <, <=, > or >=. A time is a
/// duration before `now` ("24h") or RFC 3339. A record must fit all. kUsage for anything else.
Result<std::vector<RecordMatch>> ParseHistoryFilters(const std::vector<std::string>& values,
                                                     std::time_t now);

/// "Completed", "Error" or "Running".
std::string StatusWord(const solve::HistoryRecord& record);

/// Where the sources of a build come from, as far as its record says so; "" = not known.
std::string SourceRepository(const solve::HistoryRecord& record);

}  // namespace depot::command
