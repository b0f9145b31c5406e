#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "driver/files/tree.h"

/// fsutil's packets (tonistiigi/fsutil types/wire.proto) and the byte chunks that BuildKit's other
/// streams are made of. The Append functions write whole gRPC messages with their 5-byte prefix,
/// for rpc::ServerCall::WriteFramed.
namespace depot::session {

/// Packet.PacketType of fsutil; the numbers are those on the wire.
enum class PacketType { kStat = 0, kRequest = 1, kData = 2, kFin = 3, kError = 4 };

/// A received packet. `data` and `stat` point into the message that it was parsed from.
struct Packet {
  PacketType type = PacketType::kStat;
  std::optional<std::string_view> stat;  ///< see ParseStat(); absent in the packet that ends a list
  std::uint32_t id = 0;
  std::string_view data;
};

/// kInvalid when `message` is not a packet; unknown fields are skipped.
Result<Packet> ParsePacket(std::string_view message);

/// The file that a STAT packet announces. `mode` comes back as st_mode. kInvalid when a name, a
/// link or the extended attributes are longer than any file system takes, or a number is
/// impossible; where the path leads is not checked.
Result<files::FileEntry> ParseStat(std::string_view stat);

/// Announces `entry`, with owner 0:0.
void AppendStat(std::string& out, const files::FileEntry& entry);

/// Ends a list of STAT packets.
void AppendEndOfStats(std::string& out);

void AppendRequest(std::string& out, std::uint32_t id);

/// A packet without id and data: kFin.
void AppendFin(std::string& out);

/// How long telling the peer of an error may take.
constexpr std::chrono::seconds kErrorPatience(5);

/// Tells the peer why the transfer fails.
void AppendError(std::string& out, std::string_view text);

constexpr std::size_t kMaxDataHeader = 32;  ///< bytes that WriteDataHeader writes at most

/// Writes gRPC prefix and packet up to the payload of a DATA packet with `size` > 0 bytes, which
/// must follow; returns the length. With `size` 0 it is the whole packet, which ends the file.
std::size_t WriteDataHeader(char* into, std::uint32_t id, std::size_t size);

/// The payload of a BytesMessage (BuildKit's `bytes data = 1`), a view into `message`.
Result<std::string_view> ParseBytesMessage(std::string_view message);

/// Base 128, the lowest seven bits first.
void AppendVarint(std::string& out, std::uint64_t value);

/// Gives the gRPC prefix and the field header in front of a payload of `size` bytes.
std::string BytesMessageHeader(std::size_t size);

}  // namespace depot::session
