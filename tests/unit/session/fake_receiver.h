#pragma once

#include <map>
#include <string>
#include <vector>

#include "memory_call.h"
#include "proto/fsutil.pb.h"

namespace depot::session {

using WirePacket = fsutil::types::Packet;

/// What a builder does with a DiffCopy stream that sends to it: requests every regular file that is
/// no hard link, collects the contents, says FIN. Speaks through protobuf's own code.
class FakeReceiver {
 public:
  explicit FakeReceiver(MemoryCall& call) : call_(call) {}

  void Send(WirePacket::PacketType type, std::uint32_t id = 0, const std::string& data = "") {
    WirePacket packet;
    packet.set_type(type);
    packet.set_id(id);
    packet.set_data(data);
    call_.Send(packet.SerializeAsString());
  }

  /// The next packet; false when the call has ended.
  bool Receive(WirePacket& packet) {
    std::optional<std::string> message = call_.Receive();
    return message && packet.ParseFromString(*message);
  }

  /// Everything up to the sender's FIN or ERR.
  void Run() {
    WirePacket packet;
    while (Receive(packet)) {
      if (packet.type() == WirePacket::PACKET_ERR) error = packet.data();
      if (packet.type() == WirePacket::PACKET_FIN) finished = true;
      if (packet.type() == WirePacket::PACKET_STAT) TakeStat(packet);
      if (packet.type() == WirePacket::PACKET_DATA) TakeData(packet);
      if (listed_ && open_ == 0 && !said_fin_) {
        said_fin_ = true;
        Send(WirePacket::PACKET_FIN);
      }
    }
  }

  std::vector<fsutil::types::Stat> entries;
  std::map<std::string, std::string> contents;
  std::string error;
  bool finished = false;

 private:
  void TakeStat(const WirePacket& packet) {
    if (!packet.has_stat()) {
      listed_ = true;
      return;
    }
    const fsutil::types::Stat& stat = packet.stat();
    constexpr std::uint32_t kGoTypeBits = 0x8F280000;
    if ((stat.mode() & kGoTypeBits) == 0 && stat.linkname().empty()) {
      ++open_;
      Send(WirePacket::PACKET_REQ, static_cast<std::uint32_t>(entries.size()));
    }
    entries.push_back(stat);
  }

  void TakeData(const WirePacket& packet) {
    contents[entries.at(packet.id()).path()] += packet.data();
    if (packet.data().empty()) --open_;
  }

  MemoryCall& call_;
  bool listed_ = false;
  bool said_fin_ = false;
  int open_ = 0;
};

}  // namespace depot::session
