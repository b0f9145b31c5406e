#include "driver/solve/history.h"

#include "proto/control.pb.h"
#include "proto/gateway.pb.h"

#include "driver/base/text.h"
#include "driver/solve/answers.h"
#include "driver/solve/wire.h"

namespace depot::solve {
namespace {

namespace wire = moby::buildkit::v1;

constexpr std::size_t kMostRecords = 100'000;
constexpr std::int32_t kDeleted = 2;

Moment MomentOf(const wire::Timestamp& time) {
  // What is outside of four digits for the year is no time that could be shown.
  constexpr std::int64_t kLatest = 253'402'300'799;
  const bool sound = time.seconds() >= 0 && time.seconds() <= kLatest && time.nanos() >= 0 &&
                     time.nanos() < 1'000'000'000;
  return sound ? Moment{time.seconds(), time.nanos()} : Moment{};
}

void AddAttachments(const std::string& platform,
                    const wire::BuildResultInfo& info,
                    std::vector<Attachment>& into) {
  auto add = [&](const wire::Descriptor& one) {
    const auto type = one.annotations().find("in-toto.io/predicate-type");
    into.push_back({one.digest(), platform,
                    type == one.annotations().end() ? one.media_type() : type->second});
  };
  for (const wire::Descriptor& one : info.attestations())
    add(one);
  for (const auto& [index, one] : info.results())
    add(one);
}

HistoryRecord RecordOf(const wire::BuildHistoryRecord& sent) {
  HistoryRecord record;
  record.ref = sent.ref();
  record.attributes.insert(sent.frontend_attrs().begin(), sent.frontend_attrs().end());
  record.created = MomentOf(sent.created_at());
  record.completed = MomentOf(sent.completed_at());
  moby::buildkit::v1::frontend::Status failure;
  if (failure.ParseFromString(sent.error())) {
    record.error_code = failure.code();
    record.error = failure.message();
  }
  record.total_steps = sent.num_total_steps();
  record.completed_steps = sent.num_completed_steps();
  record.cached_steps = sent.num_cached_steps();
  AddAttachments("", sent.result(), record.attachments);
  const std::map<std::string, wire::BuildResultInfo> results(sent.results().begin(),
                                                             sent.results().end());
  for (const auto& [platform, info] : results)
    AddAttachments(platform, info, record.attachments);
  return record;
}

Error NoHistory() {
  return Error(ErrorCode::kUnsupported, "this builder keeps no records of builds")
      .WithHint("BuildKit 0.11 and newer do, and Docker 24 and newer");
}

}  // namespace

Result<std::vector<HistoryRecord>> ListHistory(builder::Builder& builder,
                                               const std::string& ref,
                                               const Cancel& cancel) {
  if (!builder.features().history) return Fail(NoHistory());
  std::map<std::string, HistoryRecord> found;
  auto take = [&](const wire::BuildHistoryEvent& event) -> Result<> {
    if (event.type() == kDeleted) {
      found.erase(event.record().ref());
    } else if (event.has_record()) {
      found.insert_or_assign(event.record().ref(), RecordOf(event.record()));
    }
    if (found.size() <= kMostRecords) return {};
    return Fail(ErrorCode::kInvalid, "the builder has too many records of builds");
  };
  TRY(ReadHistory(
      builder, ref, [&] { found.clear(); }, take, cancel));
  std::vector<HistoryRecord> records;
  for (auto& [name, record] : found)
    records.push_back(std::move(record));
  return records;
}

Result<> RemoveFromHistory(builder::Builder& builder,
                           const std::string& ref,
                           const Cancel& cancel) {
  if (!builder.features().history) return Fail(NoHistory());
  wire::UpdateBuildHistoryRequest request;
  request.set_ref(ref);
  request.set_delete_(true);
  std::string response;
  const rpc::Status status =
      builder.channel().Unary("/moby.buildkit.v1.Control/UpdateBuildHistory", {},
                              request.SerializeAsString(), response, cancel);
  if (!status.ok()) return Fail(rpc::ToError(status));
  return {};
}

Result<> ReplayBuild(builder::Builder& builder,
                     const std::string& ref,
                     EventSink& sink,
                     const Cancel& cancel) {
  wire::StatusRequest request;
  request.set_ref(ref);
  auto take = [&sink](const std::string& message) { return EmitStatus(message, sink); };
  return ReadAnswers(
      builder, "/moby.buildkit.v1.Control/Status", request.SerializeAsString(), [] {}, take,
      cancel);
}

}  // namespace depot::solve
