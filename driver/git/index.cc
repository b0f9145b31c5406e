#include "driver/git/index.h"

#include <algorithm>
#include <cerrno>
#include <functional>

#include <fcntl.h>
#include <sys/stat.h>

#include "driver/base/fd.h"
#include "driver/base/shown.h"
#include "driver/base/text.h"
#include "driver/disk/lookup.h"
#include "driver/disk/read_file.h"
#include "driver/git/checkout.h"

namespace depot::git {
namespace {

constexpr std::size_t kMaxIndex = 256 << 20;
constexpr std::size_t kMaxIndexedPath = 4096;
constexpr std::size_t kMaxPaths = 512 << 20;
constexpr std::size_t kMaxAttributeFiles = 1000;
constexpr std::size_t kIndexHeader = 12;

// The fixed part of an entry: ten numbers of 32 bits, then the name and 16 bits of flags.
constexpr std::size_t kNameAt = 40;
enum Field : std::size_t {
  kCtime = 0,
  kMtime = 8,
  kInode = 20,
  kMode = 24,
  kUid = 28,
  kGid = 32,
  kSize = 36
};
constexpr unsigned kAssumeValid = 0x8000, kExtended = 0x4000, kStage = 0x3000, kLength = 0x0fff;
constexpr unsigned kSkipWorktree = 0x4000, kIntentToAdd = 0x2000;  // of the extended flags

std::uint32_t Number32(std::string_view bytes, std::size_t at) {
  std::uint32_t value = 0;
  for (std::size_t i = 0; i < 4; ++i)
    value = value << 8 | static_cast<unsigned char>(bytes[at + i]);
  return value;
}

unsigned Number16(std::string_view bytes, std::size_t at) {
  return static_cast<unsigned>(static_cast<unsigned char>(bytes[at])) << 8 |
         static_cast<unsigned char>(bytes[at + 1]);
}

std::int64_t IndexedTime(std::string_view bytes, std::size_t at) {
  return static_cast<std::int64_t>(Number32(bytes, at)) * 1'000'000'000 + Number32(bytes, at + 4);
}

/// Seconds are kept in 32 bits, whatever the file's were.
std::int64_t AsIndexed(std::int64_t time_ns) {
  constexpr std::int64_t kSecond = 1'000'000'000;
  const std::int64_t rest = time_ns % kSecond;
  const std::int64_t floor = time_ns / kSecond - (rest < 0 ? 1 : 0);
  const auto seconds = static_cast<std::uint32_t>(floor);
  return static_cast<std::int64_t>(seconds) * kSecond + (rest < 0 ? rest + kSecond : rest);
}

Error BadIndex(std::string_view what) {
  return {ErrorCode::kInvalid, Cat("the index is malformed: ", what)};
}

}  // namespace

/// Reads an index once, from its beginning to its end.
class IndexParser {
 public:
  explicit IndexParser(Index& index) : index_(index), bytes_(index.bytes_) {}

  Result<> Run() {
    const std::size_t end_size = index_.name_size_;
    if (bytes_.size() > kMaxIndex) return Fail(BadIndex("it is too large"));
    if (bytes_.size() < kIndexHeader + end_size || !bytes_.starts_with("DIRC")) {
      return Fail(BadIndex("no header"));
    }
    version_ = Number32(bytes_, 4);
    if (version_ < 2 || version_ > 4) {
      return Fail(ErrorCode::kUnsupported, Cat("the index has version ", version_));
    }
    const std::uint32_t count = Number32(bytes_, 8);
    end_ = bytes_.size() - end_size;
    if (count > (end_ - kIndexHeader) / (kNameAt + end_size + 2)) {
      return Fail(BadIndex("it has fewer entries than it says"));
    }
    index_.entries_.reserve(count);
    at_ = kIndexHeader;
    for (std::uint32_t i = 0; i < count; ++i)
      TRY(ReadEntry());
    TRY(ReadExtensions());
    if (nameless_) return Fail(BadIndex("a path"));
    return {};
  }

 private:
  Result<> ReadEntry() {
    const std::size_t begin = at_;
    const std::size_t fixed = kNameAt + index_.name_size_ + 2;
    if (end_ - at_ < fixed + 2) return Fail(BadIndex("an entry is cut off"));
    const unsigned flags = Number16(bytes_, at_ + fixed - 2);
    at_ += fixed;
    unsigned more = 0;
    if ((flags & kExtended) != 0) {
      if (version_ < 3) return Fail(BadIndex("flags of a later version"));
      more = Number16(bytes_, at_);
      at_ += 2;
    }
    TRY(version_ == 4 ? ReadShortenedPath() : ReadPath(begin, flags & kLength));
    const bool counts = (flags & (kAssumeValid | kStage)) == 0 &&
                        (more & (kSkipWorktree | kIntentToAdd)) == 0 &&
                        S_ISREG(Number32(bytes_, begin + kMode));
    // A split index has no names for entries that its other half has too.
    nameless_ |= path_.empty();
    if (counts) return Keep(begin);
    return {};
  }

  Result<> ReadPath(std::size_t begin, std::size_t length) {
    const std::size_t found = bytes_.find('\0', at_);
    if (found >= end_ || found - at_ > kMaxIndexedPath) return Fail(BadIndex("a path"));
    if (length != std::min<std::size_t>(found - at_, kLength)) return Fail(BadIndex("a length"));
    path_.assign(bytes_.substr(at_, found - at_));
    // At least one NUL, up to a multiple of eight from the entry's beginning.
    at_ = begin + ((found - begin) / 8 + 1) * 8;
    if (at_ > end_) return Fail(BadIndex("an entry is cut off"));
    return {};
  }

  /// Version 4: how many bytes of the path before are dropped, and what follows.
  Result<> ReadShortenedPath() {
    std::size_t drop = 0;
    for (int i = 0;; ++i) {
      if (at_ >= end_ || i > 3) return Fail(BadIndex("a path"));
      const auto byte = static_cast<unsigned char>(bytes_[at_++]);
      drop = (drop << 7) + (byte & 0x7f);
      if ((byte & 0x80) == 0) break;
      ++drop;  // gitformat-pack(5), the offset encoding
    }
    const std::size_t found = bytes_.find('\0', at_);
    if (drop > path_.size() || found >= end_) return Fail(BadIndex("a path"));
    const std::size_t kept = path_.size() - drop;
    if (found - at_ > kMaxIndexedPath || kept + (found - at_) > kMaxIndexedPath) {
      return Fail(BadIndex("a path"));
    }
    path_.resize(kept);
    path_.append(bytes_.substr(at_, found - at_));
    at_ = found + 1;
    return {};
  }

  Result<> Keep(std::size_t begin) {
    if (index_.paths_.size() + path_.size() > kMaxPaths) return Fail(BadIndex("it is too large"));
    index_.entries_.push_back(
        {index_.paths_.size(), static_cast<std::uint32_t>(path_.size()), begin});
    index_.paths_ += path_;
    constexpr std::string_view kName = ".gitattributes";
    if (path_ == kName || path_.ends_with(Cat('/', kName))) {
      if (index_.attribute_files_.size() >= kMaxAttributeFiles) {
        return Fail(ErrorCode::kUnsupported, "the checkout has too many .gitattributes files");
      }
      index_.attribute_files_.push_back(path_);
    }
    return {};
  }

  /// One whose name does not begin with a capital letter changes what the entries mean: the rest of
  /// them is in another file ("link"), or folders are entries ("sdir"), which are none of ours.
  Result<> ReadExtensions() {
    while (end_ - at_ >= 8) {
      const std::string_view name = bytes_.substr(at_, 4);
      const std::uint32_t size = Number32(bytes_, at_ + 4);
      at_ += 8;
      if (size > end_ - at_) return Fail(BadIndex("an extension is cut off"));
      at_ += size;
      if (name == "link") return Fail(ErrorCode::kUnsupported, "the index is split");
      if ((name[0] < 'A' || name[0] > 'Z') && name != "sdir") {
        return Fail(ErrorCode::kUnsupported, Cat("the index has the extension ", Printable(name)));
      }
    }
    return {};
  }

  Index& index_;
  const std::string_view bytes_;
  std::uint32_t version_ = 0;
  std::size_t at_ = 0;
  std::size_t end_ = 0;
  std::string path_;
  bool nameless_ = false;
};

Result<std::unique_ptr<const Index>> Index::Parse(std::string bytes,
                                                  ObjectFormat format,
                                                  std::int64_t written_ns) {
  auto index = std::make_unique<Index>();
  index->bytes_ = std::move(bytes);
  index->name_size_ = NameSize(format);
  index->written_ns_ = written_ns;
  TRY(IndexParser(*index).Run());
  TRY(index->BuildTable());
  return std::unique_ptr<const Index>(std::move(index));
}

Result<> Index::BuildTable() {
  // Paths that were made to collide would cost their number squared.
  std::size_t steps_left = entries_.size() * 16 + 4096;
  std::size_t size = 16;
  while (size < entries_.size() * 2)
    size *= 2;
  table_.assign(size, 0);
  for (std::size_t i = 0; i < entries_.size(); ++i) {
    std::size_t slot = std::hash<std::string_view>()(PathOf(entries_[i])) & (size - 1);
    while (table_[slot] != 0) {
      if (--steps_left == 0) return Fail(BadIndex("its paths collide"));
      slot = (slot + 1) & (size - 1);
    }
    table_[slot] = static_cast<std::uint32_t>(i + 1);
  }
  return {};
}

std::string_view Index::Find(std::string_view path, const IndexedState& state) const {
  const std::size_t mask = table_.size() - 1;
  for (std::size_t slot = std::hash<std::string_view>()(path) & mask; table_[slot] != 0;
       slot = (slot + 1) & mask) {
    const Entry& entry = entries_[table_[slot] - 1];
    if (PathOf(entry) != path) continue;
    if (!Fits(entry, state)) return {};
    return std::string_view(bytes_).substr(entry.stat_at + kNameAt, name_size_);
  }
  return {};
}

bool Index::Fits(const Entry& entry, const IndexedState& state) const {
  const std::string_view stat = std::string_view(bytes_).substr(entry.stat_at, kNameAt);
  const std::int64_t mtime = IndexedTime(stat, kMtime);
  // A file system without fractions, or a git that leaves them out, looks at whole seconds.
  constexpr std::int64_t kFineTick = 25'000'000, kCoarseTick = 2'000'000'000;
  const bool coarse = mtime % 1'000'000'000 == 0 || written_ns_ % 1'000'000'000 == 0;
  if (written_ns_ - mtime <= (coarse ? kCoarseTick : kFineTick)) return false;
  const bool executable = (Number32(stat, kMode) & 0100) != 0;
  return Number32(stat, kSize) == static_cast<std::uint32_t>(state.size) &&
         mtime == AsIndexed(state.mtime_ns) &&
         IndexedTime(stat, kCtime) == AsIndexed(state.ctime_ns) &&
         Number32(stat, kInode) == static_cast<std::uint32_t>(state.inode) &&
         Number32(stat, kUid) == state.uid && Number32(stat, kGid) == state.gid &&
         S_ISREG(state.mode) && executable == ((state.mode & 0100) != 0);
}

Index::Extent Index::ExtentOf(std::string_view prefix) const {
  Extent extent;
  for (const Entry& entry : entries_) {
    const std::string_view path = PathOf(entry);
    const bool below = prefix.empty() || (path.size() > prefix.size() && path.starts_with(prefix) &&
                                          path[prefix.size()] == '/');
    if (!below) continue;
    ++extent.files;
    extent.bytes += Number32(bytes_, entry.stat_at + kSize);
  }
  return extent;
}

namespace {

/// Whether the file of attributes lets a program or an encoding make of a blob what is in the file:
/// the same blob may then be two contents of one size. Line ends may differ too, but never without
/// a difference in size.
bool Converts(std::string_view attributes) {
  return attributes.find("filter") != std::string_view::npos ||
         attributes.find("working-tree-encoding") != std::string_view::npos ||
         attributes.find("ident") != std::string_view::npos;
}

Result<> CheckAttributes(const std::string& root, const std::string& file, bool may_be_missing) {
  constexpr std::size_t kMaxAttributes = 1 << 20;
  Result<std::string> text = disk::ReadBeneath(root, file, kMaxAttributes);
  if (!text && may_be_missing && text.error().code() == ErrorCode::kNotFound) return {};
  if (!text) return Fail(std::move(text).error());
  if (!Converts(*text)) return {};
  return Fail(ErrorCode::kUnsupported, Cat(Printable(file), " lets files be converted"));
}

Result<std::unique_ptr<const Index>> ReadIndexFile(const Checkout& checkout, ObjectFormat format) {
  const std::string path = checkout.folder + "/index";
  Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY));
  struct stat info {};
  if (!file.valid() || ::fstat(file.get(), &info) != 0) {
    return Fail(SystemError(Printable(path), errno));
  }
  if (!S_ISREG(info.st_mode)) return Fail(ErrorCode::kInvalid, "the index is no file");
  TRY_ASSIGN(std::string bytes,
             disk::ReadOpenFile(file.get(), Printable(path), kMaxIndex, Cancel::Never()));
  if (info.st_mtim.tv_sec < 0 || info.st_mtim.tv_sec > UINT32_MAX) {
    return Fail(ErrorCode::kInvalid, "the index was written at no possible time");
  }
  const std::int64_t written =
      static_cast<std::int64_t>(info.st_mtim.tv_sec) * 1'000'000'000 + info.st_mtim.tv_nsec;
  TRY_ASSIGN(auto index, Index::Parse(std::move(bytes), format, written));
  for (const std::string& attributes : index->attribute_files())
    TRY(CheckAttributes(checkout.root, attributes, false));
  TRY(CheckAttributes(checkout.common_folder, "info/attributes", true));
  return index;
}

}  // namespace

Result<IndexedCheckout> ReadIndexOf(const std::string& directory) {
  TRY_ASSIGN(const std::optional<Checkout> checkout, ReadCheckout(directory));
  IndexedCheckout indexed;
  if (!checkout) return indexed;
  indexed.root = checkout->root;
  if (checkout->revision.size() == 64) indexed.format = ObjectFormat::kSha256;
  Result<std::unique_ptr<const Index>> index = ReadIndexFile(*checkout, indexed.format);
  if (index) {
    indexed.index = *std::move(index);
  } else {
    indexed.reason = index.error().message();
  }
  return indexed;
}

}  // namespace depot::git
