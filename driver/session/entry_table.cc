#include "driver/session/entry_table.h"

#include <algorithm>

#include "driver/base/shown.h"
#include "driver/base/text.h"

namespace depot::session {
namespace {

void PutNumber(std::string& out, std::size_t value) {
  for (; value >= 0x80; value >>= 7)
    out.push_back(static_cast<char>(value | 0x80));
  out.push_back(static_cast<char>(value));
}

std::size_t TakeNumber(const std::string& bytes, std::size_t& offset) {
  std::size_t value = 0;
  for (int shift = 0;; shift += 7) {
    auto byte = static_cast<unsigned char>(bytes[offset++]);
    value |= static_cast<std::size_t>(byte & 0x7f) << shift;
    if ((byte & 0x80) == 0) return value;
  }
}

int Rank(char byte) {
  return byte == '/' ? 0 : static_cast<unsigned char>(byte) + 1;
}

}  // namespace

int ComparePaths(std::string_view a, std::string_view b) {
  auto [in_a, in_b] = std::mismatch(a.begin(), a.end(), b.begin(), b.end());
  if (in_a == a.end()) return in_b == b.end() ? 0 : -1;
  if (in_b == b.end()) return 1;
  return Rank(*in_a) - Rank(*in_b);
}

Result<> CheckRelativePath(std::string_view path) {
  for (std::string_view part : Split(path, '/')) {
    if (part.empty() || part == "." || part == ".." || part.find('\0') != std::string_view::npos) {
      return Fail(ErrorCode::kDenied, Cat("\"", Printable(path), "\" is not a path below a root"));
    }
  }
  return {};
}

Result<std::uint32_t> EntryTable::Add(std::string_view path, Kind kind) {
  if (kinds_.size() >= kMaxEntries) {
    return Fail(ErrorCode::kInvalid, Cat("more than the ", kMaxEntries,
                                         " files that one transfer can have: ", Printable(path)));
  }
  auto id = static_cast<std::uint32_t>(kinds_.size());
  kinds_.push_back(static_cast<std::uint8_t>(kind));
  std::size_t shared = 0;
  if (id % kGroup == 0) {
    groups_.push_back(bytes_.size());
  } else {
    auto differ = std::mismatch(path.begin(), path.end(), last_.begin(), last_.end()).first;
    shared = static_cast<std::size_t>(differ - path.begin());
  }
  PutNumber(bytes_, shared);
  PutNumber(bytes_, path.size() - shared);
  bytes_.append(path.substr(shared));
  last_.assign(path);
  return id;
}

std::string EntryTable::PathOf(std::uint32_t id) const {
  std::size_t offset = groups_[id / kGroup];
  std::string path;
  for (std::uint32_t i = 0; i <= id % kGroup; ++i)
    Decode(offset, path);
  return path;
}

std::optional<std::uint32_t> EntryTable::Find(std::string_view path) const {
  std::size_t low = 0;
  std::size_t high = groups_.size();
  while (low < high) {
    std::size_t middle = low + (high - low) / 2;
    if (ComparePaths(GroupHead(middle), path) <= 0) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  if (low == 0) return std::nullopt;
  std::size_t id = (low - 1) * kGroup;
  std::size_t offset = groups_[low - 1];
  std::string candidate;
  for (std::size_t end = std::min(id + kGroup, kinds_.size()); id < end; ++id) {
    Decode(offset, candidate);
    if (candidate == path) return static_cast<std::uint32_t>(id);
  }
  return std::nullopt;
}

bool EntryTable::Claim(std::uint32_t id) {
  if (id >= kinds_.size() || (kinds_[id] & kClaimed) != 0) return false;
  if (kind(id) != Kind::kFile && kind(id) != Kind::kEmptyFile) return false;
  kinds_[id] |= kClaimed;
  return true;
}

void EntryTable::Decode(std::size_t& offset, std::string& path) const {
  std::size_t shared = TakeNumber(bytes_, offset);
  std::size_t rest = TakeNumber(bytes_, offset);
  path.resize(shared);
  path.append(bytes_, offset, rest);
  offset += rest;
}

std::string_view EntryTable::GroupHead(std::size_t group) const {
  std::size_t offset = groups_[group];
  TakeNumber(bytes_, offset);
  std::size_t size = TakeNumber(bytes_, offset);
  return std::string_view(bytes_).substr(offset, size);
}

}  // namespace depot::session
