#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include <arpa/inet.h>

#include "driver/base/text.h"
#include "plugin/hcl/functions.h"

namespace depot::hcl {

namespace {

using Bits = unsigned __int128;

/// An address range: IPv4 addresses are the low 32 bits.
struct Prefix {
  Bits address = 0;
  unsigned length = 0;
  unsigned width = 32;  ///< or 128
};

/// As many ones as `bits`, up to 128, at the low end.
Bits Ones(unsigned bits) {
  return bits == 128 ? ~Bits{0} : (Bits{1} << bits) - 1;
}

Bits Mask(unsigned length, unsigned width) {
  return Ones(width) & ~Ones(width - length);
}

Result<Prefix> ParsePrefix(std::string_view text) {
  auto bad = [text] { return Refuse(Cat("\"", text, "\" is no address range like 10.0.0.0/8")); };
  auto slash = text.find('/');
  if (slash == std::string_view::npos) return bad();
  std::string address(text.substr(0, slash));
  auto length = ParseDecimal(text.substr(slash + 1));
  std::array<unsigned char, 16> bytes{};
  Prefix out;
  out.width = address.find(':') == std::string::npos ? 32 : 128;
  if (inet_pton(out.width == 32 ? AF_INET : AF_INET6, address.c_str(), bytes.data()) != 1)
    return bad();
  if (!length || *length > out.width) return bad();
  for (std::size_t index = 0; index < out.width / 8; ++index)
    out.address = (out.address << 8U) | bytes[index];
  out.length = static_cast<unsigned>(*length);
  out.address &= Mask(out.length, out.width);
  return out;
}

std::string AddressText(Bits address, unsigned width) {
  std::array<unsigned char, 16> bytes{};
  for (auto index = static_cast<std::size_t>(width / 8); index-- > 0; address >>= 8U)
    bytes[index] = static_cast<unsigned char>(address & 0xFFU);
  std::array<char, INET6_ADDRSTRLEN> text{};
  inet_ntop(width == 32 ? AF_INET : AF_INET6, bytes.data(), text.data(), text.size());
  return text.data();
}

std::string PrefixText(const Prefix& prefix) {
  return Cat(AddressText(prefix.address, prefix.width), "/", prefix.length);
}

/// `number` among as many as `bits` bits can count; a negative one counts from the end.
std::optional<Bits> NumberIn(std::int64_t number, unsigned bits) {
  bool fits_all = bits >= 63;
  auto count = fits_all ? 0 : std::int64_t{1} << bits;
  if (!fits_all && (number >= count || number < -count)) return std::nullopt;
  if (number >= 0) return static_cast<Bits>(number);
  return Ones(bits) - static_cast<Bits>(-(number + 1));
}

Result<Value> CidrHost(const Arguments& arguments) {
  TRY_ASSIGN(auto prefix, ParsePrefix(arguments[0].AsString()));
  TRY_ASSIGN(auto number, Whole(arguments[1], "the host's number"));
  auto host = NumberIn(number, prefix.width - prefix.length);
  if (!host) return Refuse(Cat("there is no host ", number, " in ", PrefixText(prefix)));
  return Value::String(AddressText(prefix.address | *host, prefix.width));
}

Result<Value> CidrNetmask(const Arguments& arguments) {
  TRY_ASSIGN(auto prefix, ParsePrefix(arguments[0].AsString()));
  return Value::String(AddressText(Mask(prefix.length, prefix.width), prefix.width));
}

Result<Value> CidrSubnet(const Arguments& arguments) {
  TRY_ASSIGN(auto prefix, ParsePrefix(arguments[0].AsString()));
  TRY_ASSIGN(auto bits, Whole(arguments[1], "the number of bits"));
  TRY_ASSIGN(auto number, Whole(arguments[2], "the net's number"));
  if (bits < 0 || bits > prefix.width - prefix.length)
    return Refuse(Cat(PrefixText(prefix), " has no room for ", bits, " more bits"));
  auto net = NumberIn(number, static_cast<unsigned>(bits));
  if (!net) return Refuse(Cat("there is no net ", number, " in ", bits, " bits"));
  prefix.length += static_cast<unsigned>(bits);
  if (prefix.length > 0) prefix.address |= *net << (prefix.width - prefix.length);
  return Value::String(PrefixText(prefix));
}

Result<Value> CidrSubnets(const Arguments& arguments) {
  TRY_ASSIGN(auto prefix, ParsePrefix(arguments[0].AsString()));
  Elements out;
  Bits next = 0;  // behind the last net, as an offset
  bool full = false;
  Bits inside = Ones(prefix.width - prefix.length);
  for (std::size_t index = 1; index < arguments.size(); ++index) {
    TRY_ASSIGN(auto bits, Whole(arguments[index], "the number of bits"));
    if (bits < 1 || bits > prefix.width - prefix.length)
      return Refuse(Cat(PrefixText(prefix), " has no room for ", bits, " more bits"));
    auto length = prefix.length + static_cast<unsigned>(bits);
    Bits size = Bits{1} << (prefix.width - length);
    Bits begin = (next + (size - 1)) & ~(size - 1);
    if (full || begin > inside || begin < next)
      return Refuse(Cat(PrefixText(prefix), " has no room for all of them"));
    out.push_back(Value::String(PrefixText({prefix.address | begin, length, prefix.width})));
    full = inside - begin < size;
    next = begin + size;
  }
  return Value::List(std::move(out));
}

constexpr Function kAddressFunctions[] = {
    {"cidrhost", "sn", CidrHost},
    {"cidrnetmask", "s", CidrNetmask},
    {"cidrsubnet", "snn", CidrSubnet},
    {"cidrsubnets", "sn*", CidrSubnets},
};

}  // namespace

std::span<const Function> AddressFunctions() {
  return kAddressFunctions;
}

}  // namespace depot::hcl
