#pragma once

#include <cstdint>
#include <string>
#include <string_view>

/// The data types that the ssh protocols are made of (RFC 4251, section 5).
namespace depot::session {

/// Takes values off the front of bytes of unknown origin; after the first that is not there whole
/// every further one fails. The bytes must outlive what was taken.
class SshReader {
 public:
  explicit SshReader(std::string_view bytes) : rest_(bytes) {}

  bool TakeByte(std::uint8_t& value);
  bool TakeNumber(std::uint32_t& value);  ///< uint32
  bool TakeString(std::string_view& value);

  std::string_view rest() const { return rest_; }

 private:
  bool Take(std::size_t count, std::string_view& bytes);

  std::string_view rest_;
};

/// Append one value each; the last one is an mpint that is not negative, from its big-endian bytes.
void AppendSshNumber(std::string& out, std::uint32_t value);
void AppendSshString(std::string& out, std::string_view value);
void AppendSshInteger(std::string& out, std::string_view big_endian);

}  // namespace depot::session
