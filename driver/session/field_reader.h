#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace depot::session {

/// Reads a message in protobuf's wire format field by field, without copying: for packets that come
/// by the million, and for lists of a stranger whose entries are to be taken one at a time, because
/// the parser makes objects of a hundred bytes from entries of two.
/// (protobuf.dev/programming-guides/encoding)
class FieldReader {
 public:
  /// `message` must outlive the reader.
  explicit FieldReader(std::string_view message) : rest_(message) {}

  /// Moves to the next field; false at the end or when the message is malformed.
  bool Next();

  bool broken() const { return broken_; }
  /// (number << 3) | wire type
  std::uint32_t key() const { return key_; }
  /// Of a field with wire type 0.
  std::uint64_t number() const { return number_; }
  /// Of any other field.
  std::string_view bytes() const { return bytes_; }

 private:
  bool Broken();
  bool TakeNumber();
  bool TakeBytes(std::uint64_t size);
  std::optional<std::uint64_t> TakeVarint();

  std::string_view rest_;
  bool broken_ = false;
  std::uint32_t key_ = 0;
  std::uint64_t number_ = 0;
  std::string_view bytes_;
};

}  // namespace depot::session
