#include "driver/builder/workers.h"

#include <algorithm>

#include "proto/control.pb.h"

namespace depot::builder {
namespace {

namespace wire = moby::buildkit::v1;

CollectionRule RuleOf(const wire::GCPolicy& policy) {
  CollectionRule rule;
  rule.all = policy.all();
  rule.keep_ns = policy.keep_duration();
  rule.reserved_bytes = policy.reserved_space();
  rule.most_bytes = policy.max_used_space();
  rule.free_bytes = policy.min_free_space();
  rule.filters.assign(policy.filters().begin(), policy.filters().end());
  return rule;
}

/// "" when it does not know the question, which came with BuildKit 0.11.
std::string AskVersion(Builder& builder, const Cancel& cancel) {
  std::string response;
  wire::InfoResponse info;
  const rpc::Status status =
      builder.channel().Unary("/moby.buildkit.v1.Control/Info", {}, "", response, cancel);
  if (!status.ok() || !info.ParseFromString(response)) return "";
  return info.buildkit_version().version();
}

}  // namespace

Result<WorkerFacts> AskWorkers(Builder& builder, const Cancel& cancel) {
  std::string response;
  const rpc::Status status =
      builder.channel().Unary("/moby.buildkit.v1.Control/ListWorkers", {}, "", response, cancel);
  if (!status.ok()) return Fail(rpc::ToError(status));
  wire::ListWorkersResponse workers;
  if (!workers.ParseFromString(response) || workers.record().empty()) {
    return Fail(ErrorCode::kInvalid, "the builder's list of workers is malformed");
  }
  const wire::WorkerRecord& first = workers.record(0);
  WorkerFacts facts;
  facts.version = AskVersion(builder, cancel);
  if (facts.version.empty()) facts.version = first.buildkit_version().version();
  for (const wire::WorkerRecord& worker : workers.record())
    facts.ids.push_back(worker.id());
  facts.labels.insert(first.labels().begin(), first.labels().end());
  for (const wire::WorkerPlatform& one : first.platforms()) {
    Platform platform{one.os(), one.architecture(), one.variant()};
    auto& known = facts.platforms;
    if (std::find(known.begin(), known.end(), platform) == known.end()) known.push_back(platform);
  }
  for (const wire::GCPolicy& policy : first.gc_policy())
    facts.rules.push_back(RuleOf(policy));
  return facts;
}

}  // namespace depot::builder
