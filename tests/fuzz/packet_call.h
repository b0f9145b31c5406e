#pragma once

#include <optional>
#include <string>

#include "driver/rpc/server.h"
#include "tests/fuzz/pieces.h"

namespace depot::fuzz {

/// A call whose peer sends the pieces of the input, and then ends. What is written to it is
/// dropped.
class PacketCall final : public rpc::ServerCall {
 public:
  PacketCall(const std::uint8_t* data, std::size_t size) : pieces_(data, size) {}

  const rpc::Metadata& metadata() const override { return metadata_; }
  Result<std::optional<std::string>> Read(const Cancel& cancel) override {
    TRY(cancel.Check());
    std::optional<std::string_view> piece = pieces_.Next();
    return piece ? std::optional<std::string>(*piece) : std::nullopt;
  }
  Result<> Write(rpc::BytesList /*message*/, const Cancel& /*cancel*/) override { return {}; }
  Result<> WriteFramed(rpc::BytesList /*frames*/, const Cancel& /*cancel*/) override { return {}; }

 private:
  rpc::Metadata metadata_;
  Pieces pieces_;
};

}  // namespace depot::fuzz
