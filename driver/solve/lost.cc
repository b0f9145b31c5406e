#include "driver/solve/lost.h"

#include <algorithm>

#include "driver/base/text.h"

namespace depot::solve {
namespace {

bool Pushes(const Exporter& exporter) {
  auto push = exporter.attrs.find("push");
  return push != exporter.attrs.end() && ParseBool(push->second).value_or(false);
}

std::string Duration(std::chrono::seconds time) {
  const auto seconds = time.count();
  if (seconds < 60) return Cat(seconds, " s");
  return Cat(seconds / 60, " min ", seconds % 60, " s");
}

std::string WhatToDo(const LostAt& at, const BuildRequest& request) {
  const auto& exporters = request.exporters;
  if (!std::any_of(exporters.begin(), exporters.end(), Pushes)) {
    return "build again: what was built comes from the cache";
  }
  return at.exporting ? "the push may have happened all the same: look at the registry, or build "
                        "again; what was built comes from the cache"
                      : "nothing was pushed; build again: what was built comes from the cache";
}

}  // namespace

bool IsLoss(ErrorCode code) {
  return code == ErrorCode::kUnavailable || code == ErrorCode::kTimeout;
}

std::optional<Error> WhyLost(const rpc::Status& status, const rpc::Channel& channel) {
  const Result<> alive = channel.Alive();
  if (!status.told && !alive) {
    if (!IsLoss(alive.error().code())) return std::nullopt;
    return alive.error();
  }
  // Nobody here has cancelled anything: a builder that is being stopped says so.
  if (status.code == rpc::Code::kCancelled) {
    return Error(ErrorCode::kUnavailable,
                 Cat("it cancelled the build: ", rpc::ToError(status).message()));
  }
  // BuildKit's own failures have details, those of a proxy in front of it have none.
  const bool of_proxy = status.code == rpc::Code::kUnavailable && status.details.empty();
  if (of_proxy) return rpc::ToError(status);
  return std::nullopt;
}

Error LostError(const Error& why, const LostAt& at, const BuildRequest& request) {
  const std::string known = why.hint().empty() ? "" : Cat(why.hint(), "; ");
  return Error(ErrorCode::kUnavailable, why.message())
      .While(Cat("lost the builder ", at.endpoint, " after ", Duration(at.after)))
      .WithHint(Cat(known, WhatToDo(at, request)))
      .At(FailedAt::kBuilderLost);
}

}  // namespace depot::solve
