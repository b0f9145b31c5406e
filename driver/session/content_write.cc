#include "driver/session/content_write.h"

#include "proto/content.pb.h"

#include "driver/base/encode.h"
#include "driver/base/shown.h"
#include "driver/base/text.h"

namespace depot::session {
namespace {

namespace content = containerd::services::content::v1;

constexpr std::size_t kMaxRef = 1024;

WriteEnd Refuse(rpc::Code code, std::string text) {
  return {{code, std::move(text), ""}, std::nullopt};
}

/// Of our own side. AlreadyExists would tell the builder that all is well.
WriteEnd OurFault(const Error& error, const Cancel& cancel) {
  WriteEnd end{rpc::ToStatus(error), std::nullopt};
  if (end.status.code == rpc::Code::kAlreadyExists) end.status.code = rpc::Code::kUnknown;
  if (!cancel.cancelled() && error.code() != ErrorCode::kDenied) end.fault = error;
  return end;
}

/// One blob on its way.
class Write {
 public:
  Write(ContentStore& store, const std::string& store_name, RunningWrites& running)
      : store_(store), store_name_(store_name), running_(running) {}

  ~Write() {
    if (!at_.ref.empty()) running_.Leave(store_name_, at_.ref);
  }
  Write(const Write&) = delete;
  Write& operator=(const Write&) = delete;

  /// Does what `request` asks and fills in `response`; an end, when there is nothing more to do.
  std::optional<WriteEnd> Handle(const content::WriteContentRequest& request,
                                 content::WriteContentResponse& response,
                                 const Cancel& cancel) {
    if (auto end = Learn(request)) return end;
    response.set_action(request.action());
    if (request.action() != content::STAT) {
      if (auto end = Append(request, cancel)) return end;
    }
    std::optional<WriteEnd> end;
    if (request.action() == content::COMMIT) end = Commit(response, cancel);
    response.set_offset(at_.offset);
    response.set_total(at_.expected.size);
    running_.Update(store_name_, at_);
    return end;
  }

 private:
  /// Ref, size and digest: said once, at the latest with the commit.
  std::optional<WriteEnd> Learn(const content::WriteContentRequest& request) {
    if (at_.ref.empty()) {
      if (request.ref().empty() || request.ref().size() > kMaxRef) {
        return Refuse(rpc::Code::kInvalidArgument, "the first message must have a reference");
      }
      if (!running_.Enter(store_name_, request.ref())) {
        return Refuse(rpc::Code::kUnavailable,
                      Cat("ref ", Printable(request.ref()), " locked: it is being written"));
      }
      at_.ref = request.ref();
    }
    if (request.total() < 0) return Refuse(rpc::Code::kInvalidArgument, "a negative total");
    if (request.total() != 0 && at_.expected.size != 0 && request.total() != at_.expected.size) {
      return Refuse(rpc::Code::kInvalidArgument, "the total has changed");
    }
    if (request.total() != 0) at_.expected.size = request.total();
    if (request.expected().empty()) return std::nullopt;
    return LearnDigest(request.expected());
  }

  std::optional<WriteEnd> LearnDigest(const std::string& digest) {
    if (!IsDigest(digest)) {
      return Refuse(rpc::Code::kInvalidArgument, "the expected digest is no sha256 digest");
    }
    if (!at_.expected.digest.empty() && digest != at_.expected.digest) {
      return Refuse(rpc::Code::kInvalidArgument, "the expected digest has changed");
    }
    at_.expected.digest = digest;
    if (store_.Declines({digest, at_.expected.size, at_.ref})) {
      return Refuse(rpc::Code::kAlreadyExists, Cat("content ", digest, " already exists"));
    }
    return std::nullopt;
  }

  std::optional<WriteEnd> Append(const content::WriteContentRequest& request,
                                 const Cancel& cancel) {
    if (request.offset() != 0 && request.offset() != at_.offset) {
      return Refuse(rpc::Code::kOutOfRange,
                    Cat("offset ", request.offset(), " where ", at_.offset, " is next"));
    }
    bool over = request.offset() == 0 && at_.offset > 0;
    if (over) writer_.reset();
    if (!writer_) {
      auto writer = store_.Begin({at_.expected.digest, at_.expected.size, at_.ref});
      if (!writer) return OurFault(writer.error(), cancel);
      writer_ = *std::move(writer);
      hash_.emplace();
      at_.offset = 0;
    }
    const auto size = static_cast<std::int64_t>(request.data().size());
    if (at_.expected.size != 0 && size > at_.expected.size - at_.offset) {
      return Refuse(rpc::Code::kFailedPrecondition,
                    Cat("more than the ", at_.expected.size, " bytes that were announced"));
    }
    if (size == 0) return std::nullopt;
    Result<> written = writer_->Write(request.data(), cancel);
    if (!written) return OurFault(written.error(), cancel);
    hash_->Update(request.data());
    at_.offset += size;
    return std::nullopt;
  }

  WriteEnd Commit(content::WriteContentResponse& response, const Cancel& cancel) {
    if (at_.expected.size != 0 && at_.offset != at_.expected.size) {
      return Refuse(rpc::Code::kFailedPrecondition,
                    Cat("unexpected commit size ", at_.offset, ", expected ", at_.expected.size));
    }
    const std::string digest = Cat("sha256:", Hex(hash_->Finish()));
    if (!at_.expected.digest.empty() && digest != at_.expected.digest) {
      return Refuse(rpc::Code::kFailedPrecondition,
                    Cat("unexpected commit digest ", digest, ", expected ", at_.expected.digest));
    }
    Result<> committed = writer_->Commit(digest, cancel);
    if (!committed) return OurFault(committed.error(), cancel);
    response.set_digest(digest);
    return {};
  }

  ContentStore& store_;
  const std::string& store_name_;
  RunningWrites& running_;
  WriteProgress at_{"", {}, 0};
  std::unique_ptr<BlobWriter> writer_;
  std::optional<Sha256> hash_;  // of what `writer_` has
};

}  // namespace

bool RunningWrites::Enter(const std::string& store, const std::string& ref) {
  std::lock_guard lock(mutex_);
  return writes_.try_emplace({store, ref}, WriteProgress{ref, {}, 0}).second;
}

void RunningWrites::Update(const std::string& store, const WriteProgress& progress) {
  std::lock_guard lock(mutex_);
  writes_[{store, progress.ref}] = progress;
}

void RunningWrites::Leave(const std::string& store, const std::string& ref) {
  std::lock_guard lock(mutex_);
  writes_.erase({store, ref});
}

std::optional<WriteProgress> RunningWrites::Find(const std::string& store,
                                                 const std::string& ref) const {
  std::lock_guard lock(mutex_);
  auto found = writes_.find({store, ref});
  if (found == writes_.end()) return std::nullopt;
  return found->second;
}

std::vector<WriteProgress> RunningWrites::All(const std::string& store) const {
  std::lock_guard lock(mutex_);
  std::vector<WriteProgress> all;
  for (const auto& [name, progress] : writes_) {
    if (name.first == store) all.push_back(progress);
  }
  return all;
}

WriteEnd ServeWrite(rpc::ServerCall& call,
                    ContentStore& store,
                    const std::string& store_name,
                    RunningWrites& running,
                    const Cancel& cancel) {
  Write write(store, store_name, running);
  while (true) {
    auto message = call.Read(cancel);
    if (!message) return {rpc::ToStatus(message.error()), std::nullopt};
    // Without a commit it was no write: nothing stays.
    if (!*message) return {};
    content::WriteContentRequest request;
    if (!request.ParseFromString(**message)) {
      return Refuse(rpc::Code::kInvalidArgument, "malformed request");
    }
    content::WriteContentResponse response;
    std::optional<WriteEnd> end = write.Handle(request, response, cancel);
    if (end && !end->status.ok()) return *std::move(end);
    Result<> told = call.Write({rpc::Bytes(response.SerializeAsString())}, cancel);
    if (!told) return {rpc::ToStatus(told.error()), std::nullopt};
    if (end) return *std::move(end);
  }
}

}  // namespace depot::session
