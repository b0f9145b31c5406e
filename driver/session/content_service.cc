#include "driver/session/content_service.h"

#include <algorithm>
#include <span>

#include "proto/content.pb.h"

#include "driver/base/shown.h"
#include "driver/base/text.h"
#include "driver/session/block_pool.h"
#include "driver/session/content_write.h"
#include "driver/session/packets.h"
#include "driver/session/read_check.h"
#include "driver/session/refusals.h"

namespace depot::session {
namespace {

namespace content = containerd::services::content::v1;

constexpr std::string_view kPackage = "/containerd.services.content.v1.Content/";
constexpr std::size_t kContentChunk = 1 << 20;
constexpr int kInfosInMessage = 100;

/// A ReadContentResponse without its data, so that these need not be copied.
std::string ReadHeader(std::int64_t offset, std::size_t size) {
  std::string header(1, 0x08);  // field 1, a number
  AppendVarint(header, static_cast<std::uint64_t>(offset));
  header.push_back(0x12);  // field 2, bytes
  AppendVarint(header, size);
  return header;
}

content::Status ToWire(const WriteProgress& progress) {
  content::Status status;
  status.set_ref(progress.ref);
  status.set_offset(progress.offset);
  status.set_total(progress.expected.size);
  status.set_expected(progress.expected.digest);
  return status;
}

template <typename Request>
Result<Request> Parse(const std::string& message) {
  Request request;
  if (request.ParseFromString(message)) return request;
  return Fail(ErrorCode::kInvalid, "malformed request");
}

/// A store and the name under which it was asked for.
struct Asked {
  std::string name;
  const OfferedStore* offered = nullptr;
};

class ContentService {
 public:
  ContentService(OfferedStores stores, Faults& faults, EventSink& sink)
      : stores_(std::move(stores)), faults_(faults), refusals_(sink) {}

  Result<std::string> Info(const rpc::Metadata& metadata, const std::string& message) {
    TRY_ASSIGN(const Asked asked, Find(metadata));
    TRY_ASSIGN(const auto request, Parse<content::InfoRequest>(message));
    TRY(CheckDigest(request.digest()));
    TRY_ASSIGN(const std::int64_t size, Ours(asked, asked.offered->store->Size(request.digest())));
    content::InfoResponse response;
    response.mutable_info()->set_digest(request.digest());
    response.mutable_info()->set_size(size);
    return response.SerializeAsString();
  }

  Result<std::string> Status(const rpc::Metadata& metadata, const std::string& message) {
    TRY_ASSIGN(const Asked asked, Find(metadata));
    TRY_ASSIGN(const auto request, Parse<content::StatusRequest>(message));
    const auto progress = running_.Find(asked.name, request.ref());
    if (!progress) return Fail(NoSuchWrite(request.ref()));
    content::StatusResponse response;
    *response.mutable_status() = ToWire(*progress);
    return response.SerializeAsString();
  }

  Result<std::string> ListStatuses(const rpc::Metadata& metadata, const std::string&) {
    TRY_ASSIGN(const Asked asked, Find(metadata));
    content::ListStatusesResponse response;
    for (const WriteProgress& progress : running_.All(asked.name))
      *response.add_statuses() = ToWire(progress);
    return response.SerializeAsString();
  }

  /// A write that has not come to its end leaves nothing that could be taken away.
  Result<std::string> Abort(const rpc::Metadata& metadata, const std::string& message) {
    TRY_ASSIGN(const Asked asked, Find(metadata));
    TRY_ASSIGN(const auto request, Parse<content::AbortRequest>(message));
    if (!running_.Find(asked.name, request.ref())) return Fail(NoSuchWrite(request.ref()));
    return Fail(ErrorCode::kUnavailable, "the content is being written by another call");
  }

  Result<std::string> Refuse(const rpc::Metadata& metadata, const std::string&) {
    TRY_ASSIGN(const Asked asked, Find(metadata));
    refusals_.Say(
        Cat("refused to change or delete what is in ", asked.name, ", as the builder asked"));
    return Fail(ErrorCode::kDenied, "content is only added in this session");
  }

  Result<> List(rpc::ServerCall& call, const Cancel& cancel) {
    TRY_ASSIGN(const Asked asked, Find(call.metadata()));
    TRY_ASSIGN(const std::vector<BlobInfo> infos, Ours(asked, asked.offered->store->List()));
    content::ListContentResponse response;
    for (const BlobInfo& info : infos) {
      auto* wire = response.add_info();
      wire->set_digest(info.digest);
      wire->set_size(info.size);
      if (response.info_size() < kInfosInMessage) continue;
      TRY(call.Write({rpc::Bytes(response.SerializeAsString())}, cancel));
      response.clear_info();
    }
    if (response.info_size() == 0) return {};
    return call.Write({rpc::Bytes(response.SerializeAsString())}, cancel);
  }

  rpc::Status Read(rpc::ServerCall& call, const Cancel& cancel) {
    auto asked = Find(call.metadata());
    if (!asked) return rpc::ToStatus(asked.error());
    auto message = call.Read(cancel);
    if (!message) return rpc::ToStatus(message.error());
    content::ReadContentRequest request;
    if (!*message || !request.ParseFromString(**message)) {
      return {rpc::Code::kInvalidArgument, "malformed request", ""};
    }
    Result<> valid = CheckDigest(request.digest());
    if (!valid) return rpc::ToStatus(valid.error());
    if (request.offset() < 0 || request.size() < 0) {
      return {rpc::Code::kInvalidArgument, "a negative offset or size", ""};
    }
    auto blob = Ours(*asked, asked->offered->store->Open(request.digest()));
    if (!blob) return rpc::ToStatus(blob.error());
    const std::int64_t rest = (*blob)->size() - request.offset();
    if (rest < 0) {
      return {rpc::Code::kOutOfRange, "read past object length", ""};
    }
    const std::int64_t size = request.size() == 0 ? rest : std::min(rest, request.size());
    Result<> sent = Send(call, {*asked, request.digest(), **blob, request.offset(), size}, cancel);
    return sent ? rpc::Status{} : rpc::ToStatus(sent.error());
  }

  rpc::Status Write(rpc::ServerCall& call, const Cancel& cancel) {
    auto asked = Find(call.metadata());
    if (!asked) return rpc::ToStatus(asked.error());
    WriteEnd end = ServeWrite(call, *asked->offered->store, asked->name, running_, cancel);
    if (end.fault) Fault(*asked, *end.fault);
    return end.status;
  }

 private:
  /// What of a blob a builder wants.
  struct Wanted {
    const Asked& asked;
    const std::string& digest;
    Blob& blob;
    std::int64_t offset = 0;
    std::int64_t size = 0;
  };

  Result<Asked> Find(const rpc::Metadata& metadata) {
    auto name = metadata.Get("buildkit-attachable-store-id");
    if (!name) return Fail(ErrorCode::kInvalid, "no store was named");
    auto found = stores_.find(*name);
    if (found != stores_.end()) return Asked{*name, &found->second};
    refusals_.Say(
        Cat("the builder asked for content of \"", *name, "\", which this build does not offer"));
    return Fail(ErrorCode::kNotFound, Cat("no store ", Printable(*name)));
  }

  static Result<> CheckDigest(const std::string& digest) {
    if (IsDigest(digest)) return {};
    return Fail(ErrorCode::kInvalid, "that is no sha256 digest");
  }

  static Error NoSuchWrite(const std::string& ref) {
    return {ErrorCode::kNotFound, Cat("nothing is being written as ", Printable(ref))};
  }

  void Fault(const Asked& asked, const Error& error) {
    if (asked.offered->vital) {
      faults_.Record(error);
    } else {
      refusals_.Say(error.message());
    }
  }

  /// Keeps what failed on our side.
  template <typename T>
  Result<T> Ours(const Asked& asked, Result<T> result) {
    if (result) return result;
    const ErrorCode code = result.error().code();
    if (code != ErrorCode::kNotFound && code != ErrorCode::kDenied) Fault(asked, result.error());
    return result;
  }

  Result<> Send(rpc::ServerCall& call, const Wanted& wanted, const Cancel& cancel) {
    std::unique_ptr<ReadCheck> check =
        checks_.Take(wanted.asked.name, wanted.digest, wanted.offset);
    BlockPool pool(kContentChunk);
    for (std::int64_t sent = 0; sent < wanted.size;) {
      std::shared_ptr<char[]> block = pool.Take();
      const auto want = static_cast<std::size_t>(
          std::min<std::int64_t>(wanted.size - sent, static_cast<std::int64_t>(kContentChunk)));
      TRY_ASSIGN(const std::size_t got, ReadOn(wanted, sent, {block.get(), want}, cancel));
      std::string_view data(block.get(), got);
      if (check) check->Update(data);
      rpc::Bytes bytes(std::move(block), data);
      TRY(call.Write({rpc::Bytes(ReadHeader(sent, got)), std::move(bytes)}, cancel));
      sent += static_cast<std::int64_t>(got);
    }
    if (!check) return {};
    if (check->read() == wanted.blob.size()) return EndCheck(wanted, *check);
    checks_.Keep(wanted.asked.name, wanted.digest, std::move(check));
    return {};
  }

  /// At least one byte.
  Result<std::size_t> ReadOn(const Wanted& wanted,
                             std::int64_t sent,
                             std::span<char> into,
                             const Cancel& cancel) {
    Result<std::size_t> got =
        wanted.blob.ReadAt(wanted.offset + sent, into.data(), into.size(), cancel);
    if (got && *got == 0) {
      got = Fail(ErrorCode::kFailed, Cat(wanted.blob.shown(), " has become shorter meanwhile"));
    }
    return Ours(wanted.asked, std::move(got));
  }

  /// The builder sees it too, but says so only in words of its own, or never.
  Result<> EndCheck(const Wanted& wanted, ReadCheck& check) {
    if (check.Is(wanted.digest)) return {};
    Result<> damaged = Fail(Error(ErrorCode::kFailed, Cat(wanted.blob.shown(),
                                                          " is damaged: its content is not what "
                                                          "its name says"))
                                .WithHint("make the image layout anew"));
    return Ours(wanted.asked, std::move(damaged));
  }

  const OfferedStores stores_;
  Faults& faults_;
  Refusals refusals_;
  RunningWrites running_;
  ReadChecks checks_;
};

}  // namespace

void AddContent(rpc::ServiceTable& table, OfferedStores stores, Faults& faults, EventSink& sink) {
  auto service = std::make_shared<ContentService>(std::move(stores), faults, sink);
  using Answer = Result<std::string> (ContentService::*)(const rpc::Metadata&, const std::string&);
  auto add_unary = [&](std::string_view name, Answer answer) {
    table.Add(Cat(kPackage, name),
              rpc::UnaryHandler([service, answer](const rpc::Metadata& metadata,
                                                  const std::string& request, std::string& response,
                                                  const Cancel&) -> rpc::Status {
                Result<std::string> answered = (*service.*answer)(metadata, request);
                if (!answered) return rpc::ToStatus(answered.error());
                response = *std::move(answered);
                return {};
              }));
  };
  add_unary("Info", &ContentService::Info);
  add_unary("Update", &ContentService::Refuse);
  add_unary("Delete", &ContentService::Refuse);
  add_unary("Status", &ContentService::Status);
  add_unary("ListStatuses", &ContentService::ListStatuses);
  add_unary("Abort", &ContentService::Abort);
  table.Add(Cat(kPackage, "List"), [service](rpc::ServerCall& call, const Cancel& cancel) {
    Result<> listed = service->List(call, cancel);
    return listed ? rpc::Status{} : rpc::ToStatus(listed.error());
  });
  table.Add(Cat(kPackage, "Read"), [service](rpc::ServerCall& call, const Cancel& cancel) {
    return service->Read(call, cancel);
  });
  table.Add(Cat(kPackage, "Write"), [service](rpc::ServerCall& call, const Cancel& cancel) {
    return service->Write(call, cancel);
  });
}

}  // namespace depot::session
