#include "driver/session/field_reader.h"

namespace depot::session {

bool FieldReader::Next() {
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

bool FieldReader::Broken() {
  broken_ = true;
  return false;
}

bool FieldReader::TakeNumber() {
  std::optional<std::uint64_t> value = TakeVarint();
  if (!value) return Broken();
  number_ = *value;
  return true;
}

bool FieldReader::TakeBytes(std::uint64_t size) {
  if (size > rest_.size()) return Broken();
  bytes_ = rest_.substr(0, size);
  rest_.remove_prefix(size);
  return true;
}

std::optional<std::uint64_t> FieldReader::TakeVarint() {
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

}  // namespace depot::session
