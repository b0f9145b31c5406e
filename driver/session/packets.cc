#include "driver/session/packets.h"

#include <climits>

#include "proto/fsutil.pb.h"

#include "driver/base/shown.h"
#include "driver/base/text.h"
#include "driver/rpc/server.h"
#include "driver/session/field_reader.h"
#include "driver/session/go_mode.h"

namespace depot::session {
namespace {

// Field keys of fsutil.types.Packet and of BytesMessage: (number << 3) | wire type.
constexpr std::uint32_t kTypeKey = 1 << 3;
constexpr std::uint32_t kStatKey = 2 << 3 | 2;
constexpr std::uint32_t kIdKey = 3 << 3;
constexpr std::uint32_t kDataKey = 4 << 3 | 2;
constexpr std::uint32_t kBytesKey = 1 << 3 | 2;

// What Linux has room for: a path, and the extended attributes of one file (limits.h gives each
// value 64 KiB; file systems hold a few of these).
constexpr std::size_t kMaxPath = PATH_MAX - 1;
constexpr std::size_t kMaxXattrs = 1 << 20;

std::size_t VarintSize(std::uint64_t value) {
  std::size_t size = 1;
  for (; value >= 0x80; value >>= 7)
    ++size;
  return size;
}

char* PutVarint(char* into, std::uint64_t value) {
  for (; value >= 0x80; value >>= 7)
    *into++ = static_cast<char>(value | 0x80);
  *into++ = static_cast<char>(value);
  return into;
}

char* PutGrpcPrefix(char* into, std::size_t size) {
  *into++ = 0;
  for (int shift = 24; shift >= 0; shift -= 8)
    *into++ = static_cast<char>(size >> shift);
  return into;
}

Result<> CheckSize(std::string_view what, std::string_view path, std::size_t size) {
  if (size <= kMaxPath) return {};
  return Fail(ErrorCode::kInvalid,
              Cat(what, " of ", size, " bytes from the builder, longer than the ", kMaxPath,
                  " that there is room for: ", Printable(path.substr(0, 100)), "..."));
}

/// Every number and length, before anything is made of them.
Result<> CheckStat(const fsutil::types::Stat& stat) {
  TRY(CheckSize("a file name", stat.path(), stat.path().size()));
  TRY(CheckSize("a link", stat.path(), stat.linkname().size()));
  auto is_device = [](std::int64_t number) { return number >= 0 && number <= UINT32_MAX; };
  if (stat.size() >= 0 && is_device(stat.devmajor()) && is_device(stat.devminor())) return {};
  return Fail(ErrorCode::kInvalid,
              Cat("an impossible size or device from the builder for ", Printable(stat.path())));
}

}  // namespace

void AppendVarint(std::string& out, std::uint64_t value) {
  char bytes[10];
  out.append(bytes, PutVarint(bytes, value));
}

Result<Packet> ParsePacket(std::string_view message) {
  Packet packet;
  std::uint64_t type = 0;
  std::uint64_t id = 0;
  FieldReader fields(message);
  while (fields.Next()) {
    if (fields.key() == kTypeKey) type = fields.number();
    if (fields.key() == kStatKey) packet.stat = fields.bytes();
    if (fields.key() == kIdKey) id = fields.number();
    if (fields.key() == kDataKey) packet.data = fields.bytes();
  }
  if (fields.broken()) return Fail(ErrorCode::kInvalid, "malformed packet from the builder");
  if (type > static_cast<std::uint64_t>(PacketType::kError)) {
    return Fail(ErrorCode::kInvalid, Cat("unknown packet type ", type, " from the builder"));
  }
  if (id > UINT32_MAX) {
    return Fail(ErrorCode::kInvalid, Cat("impossible file id ", id, " from the builder"));
  }
  packet.type = static_cast<PacketType>(type);
  packet.id = static_cast<std::uint32_t>(id);
  return packet;
}

Result<files::FileEntry> ParseStat(std::string_view stat) {
  fsutil::types::Stat message;
  if (stat.size() > kMaxXattrs + std::size_t{3} * PATH_MAX) {
    return Fail(ErrorCode::kInvalid,
                Cat("file information of ", stat.size(), " bytes from the builder: no file has a ",
                    "name, a link or extended attributes of that size"));
  }
  if (!message.ParseFromArray(stat.data(), static_cast<int>(stat.size()))) {
    return Fail(ErrorCode::kInvalid, "malformed file information from the builder");
  }
  TRY(CheckStat(message));
  files::FileEntry entry;
  entry.path = std::move(*message.mutable_path());
  Result<std::uint32_t> mode = FromGoMode(message.mode());
  if (!mode) return Fail(std::move(mode).error().While(Printable(entry.path)));
  entry.mode = *mode;
  entry.uid = message.uid();
  entry.gid = message.gid();
  entry.size = message.size();
  entry.mtime_ns = message.mod_time();
  entry.linkname = std::move(*message.mutable_linkname());
  entry.dev_major = message.devmajor();
  entry.dev_minor = message.devminor();
  for (auto& [name, value] : *message.mutable_xattrs())
    entry.xattrs[name] = std::move(value);
  return entry;
}

void AppendStat(std::string& out, const files::FileEntry& entry) {
  // One message per thread keeps its strings' memory from entry to entry.
  thread_local fsutil::types::Stat stat;
  stat.Clear();
  stat.set_path(entry.path);
  stat.set_mode(ToGoMode(entry.mode));
  stat.set_size(entry.size);
  stat.set_mod_time(entry.mtime_ns);
  if (!entry.linkname.empty()) stat.set_linkname(entry.linkname);
  stat.set_devmajor(entry.dev_major);
  stat.set_devminor(entry.dev_minor);
  for (const auto& [name, value] : entry.xattrs)
    (*stat.mutable_xattrs())[name] = value;
  std::size_t size = stat.ByteSizeLong();
  rpc::AppendFrame(out, VarintSize(kStatKey) + VarintSize(size) + size);
  AppendVarint(out, kStatKey);
  AppendVarint(out, size);
  stat.AppendToString(&out);
}

void AppendEndOfStats(std::string& out) {
  rpc::AppendFrame(out, 0);
}

void AppendRequest(std::string& out, std::uint32_t id) {
  bool first = id == 0;  // proto3 leaves zero out
  rpc::AppendFrame(out, 2 + (first ? 0 : 1 + VarintSize(id)));
  AppendVarint(out, kTypeKey);
  AppendVarint(out, static_cast<std::uint64_t>(PacketType::kRequest));
  if (first) return;
  AppendVarint(out, kIdKey);
  AppendVarint(out, id);
}

void AppendFin(std::string& out) {
  rpc::AppendFrame(out, 2);
  AppendVarint(out, kTypeKey);
  AppendVarint(out, static_cast<std::uint64_t>(PacketType::kFin));
}

void AppendError(std::string& out, std::string_view text) {
  rpc::AppendFrame(out, 2 + 1 + VarintSize(text.size()) + text.size());
  AppendVarint(out, kTypeKey);
  AppendVarint(out, static_cast<std::uint64_t>(PacketType::kError));
  AppendVarint(out, kDataKey);
  AppendVarint(out, text.size());
  out.append(text);
}

std::size_t WriteDataHeader(char* into, std::uint32_t id, std::size_t size) {
  std::size_t length = 2;
  if (id != 0) length += 1 + VarintSize(id);
  if (size != 0) length += 1 + VarintSize(size) + size;
  char* end = PutGrpcPrefix(into, length);
  end = PutVarint(end, kTypeKey);
  end = PutVarint(end, static_cast<std::uint64_t>(PacketType::kData));
  if (id != 0) end = PutVarint(PutVarint(end, kIdKey), id);
  if (size != 0) end = PutVarint(PutVarint(end, kDataKey), size);
  return static_cast<std::size_t>(end - into);
}

Result<std::string_view> ParseBytesMessage(std::string_view message) {
  std::string_view data;
  FieldReader fields(message);
  while (fields.Next()) {
    if (fields.key() == kBytesKey) data = fields.bytes();
  }
  if (fields.broken()) return Fail(ErrorCode::kInvalid, "malformed bytes from the builder");
  return data;
}

std::string BytesMessageHeader(std::size_t size) {
  std::string header;
  if (size == 0) {
    rpc::AppendFrame(header, 0);
    return header;
  }
  rpc::AppendFrame(header, 1 + VarintSize(size) + size);
  AppendVarint(header, kBytesKey);
  AppendVarint(header, size);
  return header;
}

}  // namespace depot::session
