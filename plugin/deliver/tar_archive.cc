#include "plugin/deliver/tar_archive.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <optional>

#include <unistd.h>

#include "driver/base/shown.h"
#include "driver/base/text.h"

namespace depot::deliver {
namespace {

constexpr std::size_t kBlock = 512;
constexpr std::size_t kMaxExtended = 1 << 20;  ///< of a pax header or a long name
constexpr std::size_t kCopyBlock = 256 << 10;

/// Where a header keeps what (POSIX pax, ustar interchange format): offset and length.
struct Field {
  std::size_t offset;
  std::size_t length;
};
constexpr Field kName{0, 100};
constexpr Field kMode{100, 8};
constexpr Field kUser{108, 8};
constexpr Field kGroup{116, 8};
constexpr Field kSize{124, 12};
constexpr Field kTime{136, 12};
constexpr Field kChecksum{148, 8};
constexpr std::size_t kType = 156;
constexpr Field kLink{157, 100};
constexpr Field kMagic{257, 8};
constexpr Field kPathPrefix{345, 155};

Error Broken(std::string_view what) {
  return Error(ErrorCode::kInvalid, Cat("the builder's tar archive is broken: ", what));
}

std::string FieldText(std::string_view header, Field field) {
  std::string_view text = header.substr(field.offset, field.length);
  return std::string(text.substr(0, text.find('\0')));
}

std::optional<std::uint64_t> Octal(std::string_view header, Field field) {
  std::string_view text = header.substr(field.offset, field.length);
  // GNU's base-256 form, for what has no room in octal digits.
  if ((static_cast<unsigned char>(text.front()) & 0x80U) != 0) {
    std::uint64_t value = static_cast<unsigned char>(text.front()) & 0x3FU;
    for (char c : text.substr(1)) {
      if (value >> 55 != 0) return std::nullopt;
      value = value << 8 | static_cast<unsigned char>(c);
    }
    return value;
  }
  std::uint64_t value = 0;
  bool any = false;
  for (char c : text) {
    if (c == '\0' || c == ' ') {
      if (any) break;
      continue;
    }
    if (c < '0' || c > '7') return std::nullopt;
    value = value * 8 + static_cast<std::uint64_t>(c - '0');
    any = true;
  }
  return value;
}

std::uint64_t Checksum(std::string_view header) {
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < header.size(); ++i) {
    bool own = i >= kChecksum.offset && i < kChecksum.offset + kChecksum.length;
    sum += own ? ' ' : static_cast<unsigned char>(header[i]);
  }
  return sum;
}

void Put(std::string& header, Field field, std::string_view value) {
  std::fill_n(header.begin() + static_cast<std::ptrdiff_t>(field.offset), field.length, '\0');
  std::copy(value.begin(), value.end(), header.begin() + static_cast<std::ptrdiff_t>(field.offset));
}

void PutOctal(std::string& header, Field field, std::uint64_t value) {
  std::string digits(field.length - 1, '0');
  for (auto digit = digits.rbegin(); digit != digits.rend(); ++digit, value /= 8)
    *digit = static_cast<char>('0' + value % 8);
  Put(header, field, digits);
}

std::string FreshHeader(char type, std::uint64_t mode, std::uint64_t size) {
  std::string header(kBlock, '\0');
  header[kType] = type;
  PutOctal(header, kMode, mode);
  PutOctal(header, kUser, 0);
  PutOctal(header, kGroup, 0);
  PutOctal(header, kSize, size);
  PutOctal(header, kTime, 0);
  Put(header, kMagic, std::string_view("ustar\00000", 8));
  return header;
}

Result<std::string> ReadAt(int descriptor, std::uint64_t offset, std::size_t size) {
  std::string bytes(size, '\0');
  std::size_t done = 0;
  while (done < size) {
    ssize_t count =
        ::pread(descriptor, bytes.data() + done, size - done, static_cast<off_t>(offset + done));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return Fail(SystemError("reading a builder's archive", errno));
    if (count == 0) break;
    done += static_cast<std::size_t>(count);
  }
  bytes.resize(done);
  return bytes;
}

/// "LENGTH KEY=VALUE\n" records, LENGTH counting itself.
Result<> ParseRecords(std::string_view text, std::map<std::string, std::string>& records) {
  while (!text.empty()) {
    std::size_t blank = text.find(' ');
    auto length = ParseDecimal(text.substr(0, blank));
    if (blank == std::string_view::npos || !length || *length <= blank + 1 ||
        *length > text.size() || text[*length - 1] != '\n') {
      return Fail(Broken("a pax record"));
    }
    std::string_view record = text.substr(blank + 1, *length - blank - 2);
    std::size_t equals = record.find('=');
    if (equals == std::string_view::npos) return Fail(Broken("a pax record"));
    records[std::string(record.substr(0, equals))] = record.substr(equals + 1);
    text.remove_prefix(*length);
  }
  return {};
}

std::string FormatRecord(const std::string& key, const std::string& value) {
  std::size_t rest = key.size() + value.size() + 3;
  std::size_t length = rest + 1;
  while (std::to_string(length).size() + rest != length)
    ++length;
  return Cat(length, " ", key, "=", value, "\n");
}

/// What precedes a member and changes it.
struct Pending {
  std::map<std::string, std::string> records;
  std::optional<std::string> path;
  std::optional<std::string> link;
};

/// GNU's long names end with a NUL.
std::string LongName(std::string_view text) {
  return std::string(text.substr(0, text.find('\0')));
}

/// A header that is about the next member; false when it is a member itself.
Result<bool> TakeExtension(
    int descriptor, char type, std::uint64_t size, std::uint64_t offset, Pending& pending) {
  if (type != 'x' && type != 'L' && type != 'K' && type != 'g') return false;
  if (size > kMaxExtended) return Fail(Broken("a header that is too large"));
  TRY_ASSIGN(std::string content, ReadAt(descriptor, offset, static_cast<std::size_t>(size)));
  if (content.size() < size) return Fail(Broken("it ends too early"));
  if (type == 'x') TRY(ParseRecords(content, pending.records));
  if (type == 'L') pending.path = LongName(content);
  if (type == 'K') pending.link = LongName(content);
  return true;
}

Result<> Complete(TarMember& member, Pending pending) {
  member.path = FieldText(member.header, kName);
  bool ustar = member.header.substr(kMagic.offset, 6) == std::string_view("ustar\0", 6);
  std::string prefix = ustar ? FieldText(member.header, kPathPrefix) : "";
  if (!prefix.empty()) member.path = Cat(prefix, "/", member.path);
  member.link = FieldText(member.header, kLink);
  if (pending.path) member.path = *pending.path;
  if (pending.link) member.link = *pending.link;
  auto take = [&](const char* key) -> std::optional<std::string> {
    auto node = pending.records.extract(key);
    if (node.empty()) return std::nullopt;
    return std::move(node.mapped());
  };
  if (auto path = take("path")) member.path = *path;
  if (auto link = take("linkpath")) member.link = *link;
  if (auto size = take("size")) {
    auto value = ParseDecimal(*size);
    if (!value) return Fail(Broken("a size"));
    member.size = *value;
  }
  member.extended = std::move(pending.records);
  return {};
}

/// What a header says as the size; one that has no room there goes into the pax records.
std::uint64_t OctalSize(std::uint64_t size, std::map<std::string, std::string>& extended) {
  constexpr std::uint64_t kLargestOctal = (std::uint64_t{1} << 33) - 1;
  if (size <= kLargestOctal) return size;
  extended["size"] = std::to_string(size);
  return 0;
}

/// `header` with its path and link, and in front of it the pax records that it needs.
std::string FullHeader(std::string header,
                       std::map<std::string, std::string> extended,
                       const std::string& path,
                       const std::string& link) {
  if (path.size() > kName.length) extended["path"] = path;
  if (link.size() > kLink.length) extended["linkpath"] = link;
  auto plain = [](std::string_view text, Field field) { return text.substr(0, field.length); };
  std::string full;
  if (!extended.empty()) {
    std::string records;
    for (const auto& [key, value] : extended)
      records += FormatRecord(key, value);
    full = FreshHeader('x', 0644, records.size());
    Put(full, kName, "pax");
    PutOctal(full, kChecksum, Checksum(full));
    full += records;
    full.append(TarPadding(records.size()), '\0');
  }
  Put(header, kName, plain(path, kName));
  Put(header, kLink, plain(link, kLink));
  // Before ustar there was no prefix, and GNU keeps times there: our path is whole by itself.
  Put(header, kMagic, std::string_view("ustar\00000", 8));
  Put(header, kPathPrefix, "");
  PutOctal(header, kChecksum, Checksum(header));
  return full + header;
}

}  // namespace

std::uint64_t TarPadding(std::uint64_t size) {
  return (kBlock - size % kBlock) % kBlock;
}

std::string TarFileHeader(const std::string& path, std::uint64_t size) {
  std::map<std::string, std::string> extended;
  return FullHeader(FreshHeader('0', 0644, OctalSize(size, extended)), std::move(extended), path,
                    "");
}

Result<> ReadTar(int descriptor,
                 const std::function<Result<>(const TarMember&)>& visit,
                 const Cancel& cancel) {
  std::uint64_t at = 0;
  Pending pending;
  while (true) {
    TRY(cancel.Check());
    TRY_ASSIGN(std::string header, ReadAt(descriptor, at, kBlock));
    if (header.size() < kBlock) return Fail(Broken("it ends too early"));
    if (header == std::string(kBlock, '\0')) return {};
    std::optional<std::uint64_t> size = Octal(header, kSize);
    if (Octal(header, kChecksum) != Checksum(header) || !size) return Fail(Broken("a checksum"));
    at += kBlock;
    char type = header[kType];
    TRY_ASSIGN(bool extension, TakeExtension(descriptor, type, *size, at, pending));
    if (!extension) {
      TarMember member;
      member.type = type == '\0' ? '0' : type;
      member.size = *size;
      member.offset = at;
      member.header = std::move(header);
      TRY(Complete(member, std::exchange(pending, {})));
      // Links and directories have no content, whatever their size says.
      if (member.type >= '1' && member.type <= '6') member.size = 0;
      size = member.size;
      if (*size > std::uint64_t{1} << 60) return Fail(Broken("a size"));
      TRY(visit(member));
    }
    at += *size + TarPadding(*size);
  }
}

Result<std::string> ReadContent(int descriptor, const TarMember& member, std::size_t limit) {
  if (member.size > limit) return Fail(Broken(Cat(Printable(member.path), " is too large")));
  TRY_ASSIGN(std::string content,
             ReadAt(descriptor, member.offset, static_cast<std::size_t>(member.size)));
  if (content.size() < member.size) return Fail(Broken("it ends too early"));
  return content;
}

Result<> TarWriter::Pad(std::uint64_t size) {
  static constexpr std::array<char, kBlock> kZeros{};
  return target_.Write({kZeros.data(), static_cast<std::size_t>(TarPadding(size))}, cancel_);
}

Result<> TarWriter::AddHeader(std::string header,
                              std::map<std::string, std::string> extended,
                              const std::string& path,
                              const std::string& link) {
  return target_.Write(FullHeader(std::move(header), std::move(extended), path, link), cancel_);
}

Result<> TarWriter::Copy(const TarMember& member,
                         const std::string& path,
                         const std::string& link,
                         int descriptor) {
  std::map<std::string, std::string> extended = member.extended;
  // What counts is the content that follows, whatever the header said that was overruled.
  std::string header = member.header;
  PutOctal(header, kSize, OctalSize(member.size, extended));
  TRY(AddHeader(std::move(header), std::move(extended), path, link));
  std::uint64_t done = 0;
  while (done < member.size) {
    auto wanted = static_cast<std::size_t>(std::min<std::uint64_t>(member.size - done, kCopyBlock));
    TRY_ASSIGN(std::string piece, ReadAt(descriptor, member.offset + done, wanted));
    if (piece.empty()) return Fail(Broken("it ends too early"));
    TRY(target_.Write(piece, cancel_));
    done += piece.size();
  }
  return Pad(member.size);
}

Result<> TarWriter::AddFile(const std::string& path, std::string_view content) {
  TRY(AddHeader(FreshHeader('0', 0644, content.size()), {}, path, ""));
  TRY(target_.Write(content, cancel_));
  return Pad(content.size());
}

Result<> TarWriter::AddDirectory(const std::string& path) {
  return AddHeader(FreshHeader('5', 0755, 0), {}, path, "");
}

Result<> TarWriter::Finish() {
  TRY(target_.Write(std::string(2 * kBlock, '\0'), cancel_));
  return target_.End(cancel_);
}

}  // namespace depot::deliver
