#include "driver/builder/cache_usage.h"

#include "proto/control.pb.h"

namespace depot::builder {
namespace {

namespace messages = moby::buildkit::v1;

CacheRecord RecordOf(const messages::UsageRecord& record) {
  CacheRecord read;
  read.id = record.id();
  read.parents.assign(record.parents().begin(), record.parents().end());
  if (read.parents.empty() && !record.parent().empty()) read.parents.push_back(record.parent());
  read.description = record.description();
  read.type = record.record_type();
  read.size = record.size();
  read.uses = record.usage_count();
  read.created_s = record.created_at().seconds();
  read.created_ns = record.created_at().nanos();
  read.used_s = record.last_used_at().seconds();
  read.changing = record.mutable_();
  read.in_use = record.in_use();
  read.shared = record.shared();
  return read;
}

}  // namespace

Result<std::vector<CacheRecord>> AskCacheUsage(Builder& builder,
                                               const std::vector<std::string>& filters,
                                               const Cancel& cancel) {
  messages::DiskUsageRequest request;
  for (const std::string& filter : filters)
    request.add_filter(filter);
  std::string response;
  const rpc::Status status = builder.channel().Unary("/moby.buildkit.v1.Control/DiskUsage", {},
                                                     request.SerializeAsString(), response, cancel);
  if (!status.ok()) return Fail(rpc::ToError(status).While("asking for the disk usage"));
  messages::DiskUsageResponse usage;
  if (!usage.ParseFromString(response)) {
    return Fail(ErrorCode::kInvalid, "the builder's disk usage is malformed");
  }
  std::vector<CacheRecord> records;
  for (const messages::UsageRecord& record : usage.record())
    records.push_back(RecordOf(record));
  return records;
}

Result<> PruneCache(Builder& builder,
                    const PruneOrder& order,
                    const std::function<void(const CacheRecord&)>& removed,
                    const Cancel& cancel) {
  messages::PruneRequest request;
  for (const std::string& filter : order.filters)
    request.add_filter(filter);
  request.set_all(order.all);
  request.set_keep_duration(order.keep_ns);
  request.set_reserved_space(order.reserved_bytes);
  request.set_max_used_space(order.most_bytes);
  request.set_min_free_space(order.free_bytes);
  auto call = builder.channel().Start("/moby.buildkit.v1.Control/Prune", {});
  // When this fails the call has ended, and its status says why.
  (void)call->Write({rpc::Bytes(request.SerializeAsString())}, cancel);
  call->CloseWrites();
  for (;;) {
    TRY_ASSIGN(std::optional<std::string> message, call->Read(cancel));
    if (!message) break;
    messages::UsageRecord record;
    if (!record.ParseFromString(*message)) {
      return Fail(ErrorCode::kInvalid, "the builder's list of what it removed is malformed");
    }
    removed(RecordOf(record));
  }
  const rpc::Status status = call->Finish(cancel);
  if (status.ok()) return {};
  return Fail(rpc::ToError(status).While("emptying the builder's cache"));
}

}  // namespace depot::builder
