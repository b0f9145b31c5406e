#include "driver/session/ssh_wire.h"

namespace depot::session {

bool SshReader::Take(std::size_t count, std::string_view& bytes) {
  if (count > rest_.size()) {
    rest_ = {};
    return false;
  }
  bytes = rest_.substr(0, count);
  rest_.remove_prefix(count);
  return true;
}

bool SshReader::TakeByte(std::uint8_t& value) {
  std::string_view bytes;
  if (!Take(1, bytes)) return false;
  value = static_cast<std::uint8_t>(bytes.front());
  return true;
}

bool SshReader::TakeNumber(std::uint32_t& value) {
  std::string_view bytes;
  if (!Take(4, bytes)) return false;
  value = 0;
  for (char byte : bytes)
    value = value << 8 | static_cast<unsigned char>(byte);
  return true;
}

bool SshReader::TakeString(std::string_view& value) {
  std::uint32_t size = 0;
  return TakeNumber(size) && Take(size, value);
}

void AppendSshNumber(std::string& out, std::uint32_t value) {
  for (int shift = 24; shift >= 0; shift -= 8)
    out.push_back(static_cast<char>(value >> shift & 0xff));
}

void AppendSshString(std::string& out, std::string_view value) {
  AppendSshNumber(out, static_cast<std::uint32_t>(value.size()));
  out.append(value);
}

void AppendSshInteger(std::string& out, std::string_view big_endian) {
  while (!big_endian.empty() && big_endian.front() == 0)
    big_endian.remove_prefix(1);
  // A first bit that is set would make it negative.
  const bool padded = !big_endian.empty() && (big_endian.front() & 0x80) != 0;
  AppendSshNumber(out, static_cast<std::uint32_t>(big_endian.size() + (padded ? 1 : 0)));
  if (padded) out.push_back('\0');
  out.append(big_endian);
}

}  // namespace depot::session
