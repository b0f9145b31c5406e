#include "driver/solve/content.h"

#include <functional>

#include "proto/content.pb.h"
#include "proto/control.pb.h"
#include "proto/gateway.pb.h"

#include "driver/base/shown.h"
#include "driver/base/text.h"
#include "driver/oci/digest.h"
#include "driver/solve/answers.h"

namespace depot::solve {
namespace {

namespace content = containerd::services::content::v1;
namespace control = moby::buildkit::v1;

void AddAttestations(const std::string& platform,
                     const control::BuildResultInfo& info,
                     std::vector<RecordedAttestation>& into) {
  for (const control::Descriptor& one : info.attestations()) {
    auto type = one.annotations().find("in-toto.io/predicate-type");
    if (one.media_type() != "application/vnd.in-toto+json" || type == one.annotations().end()) {
      continue;
    }
    into.push_back({platform, type->second, one.digest()});
  }
}

/// `take` gets the record of the solve `ref`, whole, once or several times: the last one counts.
Result<> ReadRecord(builder::Builder& builder,
                    const std::string& ref,
                    const std::function<Result<>(const control::BuildHistoryRecord&)>& take,
                    const Cancel& cancel) {
  auto take_event = [&](const control::BuildHistoryEvent& event) {
    return event.record().ref() == ref ? take(event.record()) : Result<>();
  };
  return ReadHistory(
      builder, ref, [] {}, take_event, cancel);
}

}  // namespace

Result<std::string> ReadBlob(builder::Builder& builder,
                             const std::string& digest,
                             std::size_t max_size,
                             const Cancel& cancel) {
  if (!IsDigest(digest)) {
    return Fail(ErrorCode::kInvalid, Cat("the builder names a blob by what is no digest: ",
                                         Printable(std::string_view(digest).substr(0, 100))));
  }
  content::ReadContentRequest request;
  request.set_digest(digest);
  std::string blob;
  auto take = [&](const std::string& message) -> Result<> {
    content::ReadContentResponse response;
    if (!response.ParseFromString(message)) {
      return Fail(ErrorCode::kInvalid, "the builder's answer is malformed");
    }
    if (response.data().size() > max_size - blob.size()) {
      return Fail(ErrorCode::kInvalid, Cat("it is larger than ", max_size, " bytes"));
    }
    blob += response.data();
    return {};
  };
  Result<> read = ReadAnswers(
      builder, "/containerd.services.content.v1.Content/Read", request.SerializeAsString(),
      [&] { blob.clear(); }, take, cancel);
  if (read && DigestOf(blob) != digest) {
    read = Fail(ErrorCode::kInvalid, "the builder sent another content");
  }
  if (!read) return Fail(std::move(read).error().While(Cat("reading ", digest)));
  return blob;
}

Result<std::vector<RecordedAttestation>> ReadBuildRecord(builder::Builder& builder,
                                                         const std::string& ref,
                                                         const Cancel& cancel) {
  std::vector<RecordedAttestation> attestations;
  auto take = [&](const control::BuildHistoryRecord& record) -> Result<> {
    attestations.clear();
    for (const auto& [platform, info] : record.results())
      AddAttestations(platform, info, attestations);
    if (attestations.empty()) AddAttestations("", record.result(), attestations);
    return {};
  };
  TRY(ReadRecord(builder, ref, take, cancel));
  return attestations;
}

Result<std::optional<RecordedEnd>> ReadRecordedEnd(builder::Builder& builder,
                                                   const std::string& ref,
                                                   const Cancel& cancel) {
  std::optional<RecordedEnd> end;
  auto take = [&](const control::BuildHistoryRecord& record) -> Result<> {
    end.reset();
    if (!record.has_completed_at()) return {};
    end.emplace();
    end->exporter_response.insert(record.exporter_response().begin(),
                                  record.exporter_response().end());
    if (record.error().empty()) return {};
    moby::buildkit::v1::frontend::Status failure;
    if (!failure.ParseFromString(record.error())) {
      return Fail(ErrorCode::kInvalid, "the builder's record of the failure is malformed");
    }
    const auto code = static_cast<rpc::Code>(failure.code());
    end->status = {code == rpc::Code::kOk ? rpc::Code::kUnknown : code, failure.message(),
                   record.error(), true};
    return {};
  };
  TRY(ReadRecord(builder, ref, take, cancel));
  return end;
}

Result<std::map<std::int64_t, Descriptor>> ReadRecordedResults(builder::Builder& builder,
                                                               const std::string& ref,
                                                               const Cancel& cancel) {
  std::map<std::int64_t, Descriptor> results;
  auto take = [&](const control::BuildHistoryRecord& record) -> Result<> {
    results.clear();
    for (const auto& [index, recorded] : record.result().results()) {
      Json json = Json::Object();
      json.Set("mediaType", Json::String(recorded.media_type()));
      json.Set("digest", Json::String(recorded.digest()));
      json.Set("size", Json::Number(recorded.size()));
      TRY_ASSIGN(Descriptor descriptor, ReadDescriptor(json));
      results.emplace(index, std::move(descriptor));
    }
    return {};
  };
  TRY(ReadRecord(builder, ref, take, cancel));
  return results;
}

}  // namespace depot::solve
