#pragma once

#include <string>

#include "memory_call.h"
#include "proto/fsutil.pb.h"

#include "driver/files/tree.h"

namespace depot::session {

/// A builder that sends a tree, step by step, in the words of protobuf's own code.
class FakeSender {
 public:
  using Packet = fsutil::types::Packet;

  explicit FakeSender(MemoryCall& call) : call_(call) {}

  /// `go_mode` as in Go's os.FileMode.
  void Stat(const std::string& path, std::uint32_t go_mode, const std::string& linkname = "") {
    Packet packet;
    packet.mutable_stat()->set_path(path);
    packet.mutable_stat()->set_mode(go_mode);
    packet.mutable_stat()->set_linkname(linkname);
    packet.mutable_stat()->set_mod_time(1'600'000'000'123'456'789);
    call_.Send(packet.SerializeAsString());
  }

  void EndOfStats() { call_.Send(Packet().SerializeAsString()); }

  void Send(Packet::PacketType type, std::uint32_t id = 0, const std::string& data = "") {
    Packet packet;
    packet.set_type(type);
    packet.set_id(id);
    packet.set_data(data);
    call_.Send(packet.SerializeAsString());
  }

  void File(std::uint32_t id, const std::string& content) {
    if (!content.empty()) Send(Packet::PACKET_DATA, id, content);
    Send(Packet::PACKET_DATA, id);
  }

  /// The receiver's next packet; type PACKET_STAT when the call has ended.
  Packet Receive() {
    Packet packet;
    if (std::optional<std::string> message = call_.Receive()) packet.ParseFromString(*message);
    return packet;
  }

 private:
  MemoryCall& call_;
};

}  // namespace depot::session
