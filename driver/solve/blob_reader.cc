#include "driver/solve/blob_reader.h"

#include "proto/content.pb.h"

#include "driver/base/encode.h"
#include "driver/base/text.h"
#include "driver/solve/lost.h"

namespace depot::solve {

BlobReader::BlobReader(builder::Builder& builder, std::string digest, std::int64_t size)
    : builder_(builder), digest_(std::move(digest)), size_(size) {}

BlobReader::~BlobReader() = default;

void BlobReader::Ask(const Cancel& cancel) {
  if (call_) return;
  containerd::services::content::v1::ReadContentRequest request;
  request.set_digest(digest_);
  request.set_offset(received_);
  channel_ = &builder_.channel();
  call_ = channel_->Start("/containerd.services.content.v1.Content/Read", {});
  // When this fails the call has ended, and its status says why.
  (void)call_->Write({rpc::Bytes(request.SerializeAsString())}, cancel);
  call_->CloseWrites();
}

/// The call is over before the blob was. True: another one goes on after a lost connection, as long
/// as each brings something; false: the builder has sent all that it has.
Result<bool> BlobReader::GoesOn(const Cancel& cancel) {
  rpc::Status status = call_->Finish(cancel);
  call_.reset();
  if (status.ok()) return false;
  TRY(cancel.Check());
  // What another reader met has made a new connection already.
  const bool newer = channel_ != &builder_.channel();
  if (channel_->Alive() || (!moved_ && !newer)) {
    if (status.code == rpc::Code::kCancelled) status.code = rpc::Code::kUnknown;
    return Fail(rpc::ToError(status).While(Cat("reading ", digest_, " from the builder")));
  }
  moved_ = false;
  TRY(builder_.Reconnect(cancel));
  return true;
}

/// The next bytes; nullopt when the builder has sent all that it has.
Result<std::optional<std::string>> BlobReader::Receive(const Cancel& cancel) {
  if (received_ == size_ && size_ > 0) return std::optional<std::string>();
  containerd::services::content::v1::ReadContentResponse response;
  while (response.data().empty()) {
    Ask(cancel);
    auto message = ReadOrClose(*call_, *channel_, cancel);
    if (!message || !*message) {
      TRY_ASSIGN(const bool goes_on, GoesOn(cancel));
      if (!goes_on) return std::optional<std::string>();
      continue;
    }
    if (!response.ParseFromString(**message)) {
      return Fail(ErrorCode::kInvalid, "the builder's answer is malformed");
    }
    moved_ = true;
  }
  if (static_cast<std::int64_t>(response.data().size()) > size_ - received_) {
    return Fail(ErrorCode::kInvalid,
                Cat("the builder sent more than the ", size_, " bytes of ", digest_));
  }
  hash_.Update(response.data());
  received_ += static_cast<std::int64_t>(response.data().size());
  return std::optional<std::string>(std::move(*response.mutable_data()));
}

Result<std::string> BlobReader::Check() {
  if (received_ != size_ || Cat("sha256:", Hex(hash_.Finish())) != digest_) {
    return Fail(ErrorCode::kInvalid, Cat("the builder sent another content as ", digest_));
  }
  ended_ = true;
  if (!held_) return std::string();
  return std::exchange(held_, std::nullopt).value();
}

Result<std::string> BlobReader::Next(const Cancel& cancel) {
  while (!ended_) {
    TRY_ASSIGN(std::optional<std::string> piece, Receive(cancel));
    if (!piece) return Check();
    std::optional<std::string> before = std::exchange(held_, std::move(piece));
    if (before) return *std::move(before);
  }
  return std::string();
}

}  // namespace depot::solve
