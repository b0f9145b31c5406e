#include "driver/session/packets.h"

#include "proto/fsutil.pb.h"

#include "driver/base/shown.h"
#include "driver/base/text.h"
#include "driver/rpc/server.h"
#include "driver/session/go_mode.h"

namespace depot::session {
namespace {

// Field keys of fsutil.types.Packet and of BytesMessage: (number << 3) | wire type.
constexpr std::uint32_t kTypeKey = 1 << 3;
constexpr std::uint32_t kStatKey = 2 << 3 | 2;
constexpr std::uint32_t kIdKey = 3 << 3;
constexpr std::uint32_t kDataKey = 4 << 3 | 2;
constexpr std::uint32_t kBytesKey = 1 << 3 | 2;

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

void AppendVarint(std::string& out, std::uint64_t value) {
  char bytes[10];
  out.append(bytes, PutVarint(bytes, value));
}

/// Reads protobuf's wire format field by field, without copying payloads.
class FieldReader {
 public:
  explicit FieldReader(std::string_view rest) : rest_(rest) {}

  /// Moves to the next field; false at the end or when the message is malformed.
  bool Next() {
    if (rest_.empty()) return false;
    std::optional<std::uint64_t> key = TakeVarint();
    if (!key || *key > UINT32_MAX || *key >> 3 == 0) return Broken();
    key_ = static_cast<std::uint32_t>(*key);
    switch (key_ & 7) {
      case 0:
        return TakeNumber();
      case 1:
        return TakeBytes(8);
      case 2: {
        std::optional<std::uint64_t> size = TakeVarint();
        return size ? TakeBytes(*size) : Broken();
      }
      case 5:
        return TakeBytes(4);
      default:
        return Broken();
    }
  }

  bool broken() const { return broken_; }
  std::uint32_t key() const { return key_; }
  std::uint64_t number() const { return number_; }
  std::string_view bytes() const { return bytes_; }

 private:
  bool Broken() {
    broken_ = true;
    return false;
  }

  bool TakeNumber() {
    std::optional<std::uint64_t> value = TakeVarint();
    if (!value) return Broken();
    number_ = *value;
    return true;
  }

  bool TakeBytes(std::uint64_t size) {
    if (size > rest_.size()) return Broken();
    bytes_ = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return true;
  }

  std::optional<std::uint64_t> TakeVarint() {
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < 10 && i < rest_.size(); ++i) {
      auto byte = static_cast<unsigned char>(rest_[i]);
      value |= static_cast<std::uint64_t>(byte & 0x7f) << (7 * i);
      if ((byte & 0x80) != 0) continue;
      rest_.remove_prefix(i + 1);
      return value;
    }
    return std::nullopt;
  }

  std::string_view rest_;
  bool broken_ = false;
  std::uint32_t key_ = 0;
  std::uint64_t number_ = 0;
  std::string_view bytes_;
};

}  // namespace

Result<Packet> ParsePacket(std::string_view message) {
  Packet packet;
  std::uint64_t type = 0;
  FieldReader fields(message);
  while (fields.Next()) {
    if (fields.key() == kTypeKey) type = fields.number();
    if (fields.key() == kStatKey) packet.stat = fields.bytes();
    if (fields.key() == kIdKey) packet.id = static_cast<std::uint32_t>(fields.number());
    if (fields.key() == kDataKey) packet.data = fields.bytes();
  }
  if (fields.broken()) return Fail(ErrorCode::kInvalid, "malformed packet from the builder");
  if (type > static_cast<std::uint64_t>(PacketType::kError)) {
    return Fail(ErrorCode::kInvalid, Cat("unknown packet type ", type, " from the builder"));
  }
  packet.type = static_cast<PacketType>(type);
  return packet;
}

Result<files::FileEntry> ParseStat(std::string_view stat) {
  fsutil::types::Stat message;
  if (stat.size() > INT32_MAX ||
      !message.ParseFromArray(stat.data(), static_cast<int>(stat.size()))) {
    return Fail(ErrorCode::kInvalid, "malformed file information from the builder");
  }
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
