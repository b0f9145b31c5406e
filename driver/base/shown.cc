#include "driver/base/shown.h"

#include <algorithm>

#include "driver/base/text.h"

namespace depot {
namespace {

/// Length of the valid UTF-8 sequence at the start of `text`, 0 when there is none.
std::size_t Utf8Length(std::string_view text) {
  auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  unsigned char lead = byte(0);
  std::size_t length = lead < 0x80   ? 1
                       : lead < 0xC2 ? 0
                       : lead < 0xE0 ? 2
                       : lead < 0xF0 ? 3
                       : lead < 0xF5 ? 4
                                     : 0;
  if (length == 0 || length > text.size()) return 0;
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return 0;
  }
  if (length == 3 && ((lead == 0xE0 && byte(1) < 0xA0) || (lead == 0xED && byte(1) >= 0xA0)))
    return 0;
  if (length == 4 && ((lead == 0xF0 && byte(1) < 0x90) || (lead == 0xF4 && byte(1) >= 0x90)))
    return 0;
  return length;
}

char32_t CodePoint(std::string_view sequence) {
  auto lead = static_cast<unsigned char>(sequence[0]);
  if (sequence.size() == 1) return lead;
  char32_t value = lead & (0x7FU >> sequence.size());
  for (char byte : sequence.substr(1))
    value = value << 6 | (static_cast<unsigned char>(byte) & 0x3FU);
  return value;
}

/// The characters that Unicode calls default ignorable (DerivedCoreProperties.txt) without the
/// variation selectors, which emoji need, and the two line separators.
bool Deceives(char32_t c) {
  struct Range {
    char32_t first;
    char32_t last;
  };
  static constexpr Range kRanges[] = {
      {0x00AD, 0x00AD}, {0x034F, 0x034F},   {0x061C, 0x061C},   {0x115F, 0x1160},
      {0x17B4, 0x17B5}, {0x180B, 0x180F},   {0x200B, 0x200F},   {0x2028, 0x202E},
      {0x2060, 0x206F}, {0x3164, 0x3164},   {0xFEFF, 0xFEFF},   {0xFFA0, 0xFFA0},
      {0xFFF0, 0xFFFB}, {0x1BCA0, 0x1BCA3}, {0x1D173, 0x1D17A}, {0xE0000, 0xE0FFF}};
  return std::any_of(std::begin(kRanges), std::end(kRanges),
                     [c](const Range& range) { return c >= range.first && c <= range.last; });
}

/// `deceptive(c, out)` puts what stands for such a character.
template <typename Deceptive>
std::string MakePrintable(std::string_view text, Deceptive deceptive) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    std::size_t length = Utf8Length(text);
    char32_t c = length == 0 ? 0xFFFD : CodePoint(text.substr(0, length));
    if (length == 0) {
      out += "\xEF\xBF\xBD";
      length = 1;
    } else if ((c < 0x20 && c != '\t') || (c >= 0x7F && c < 0xA0)) {
      out += '?';
    } else if (c >= 0xA0 && Deceives(c)) {
      deceptive(c, out);
    } else {
      out.append(text.substr(0, length));
    }
    text.remove_prefix(length);
  }
  return out;
}

constexpr std::string_view kUrlEnd = " \t\r\n\"'`<>";

/// Size of the user and password in front of the host in `url` (which has no scheme), without '@'.
std::size_t UserInfoSize(std::string_view url) {
  std::string_view authority = url.substr(0, url.find_first_of("/?#"));
  std::size_t at = authority.rfind('@');
  if (at != std::string_view::npos) return at;
  // A password with '/', '?' or '#' that was not encoded: what follows the colon is no port then.
  std::size_t colon = authority.rfind(':');
  std::size_t later = url.find('@', authority.size());
  if (colon == std::string_view::npos || later == std::string_view::npos) return 0;
  std::string_view port = authority.substr(colon + 1);
  bool is_port = port.empty() || ParseDecimal(port) || authority.front() == '[';
  return is_port ? 0 : later;
}

/// Names of query parameters whose value lets its reader in.
bool IsSecretParameter(std::string_view name) {
  constexpr std::string_view kNames[] = {
      "access_key", "api_key", "apikey", "auth",      "authorization", "awsaccesskeyid",
      "credential", "jwt",     "key",    "passwd",    "password",      "pwd",
      "sas",        "sig",     "secret", "signature", "token",         "x-amz-credential"};
  std::string lower = LowerAscii(name);
  if (std::find(std::begin(kNames), std::end(kNames), lower) != std::end(kNames)) return true;
  // private_token, X-Amz-Security-Token, X-Goog-Signature, client_secret, ...
  for (std::string_view end : {"token", "signature", "secret", "password", "credential", "_key"}) {
    if (lower.ends_with(end)) return true;
  }
  return false;
}

/// Appends a query and fragment ("?a=b&c=d#e=f") with the values of secret parameters hidden.
void AppendQuery(std::string_view query, std::string& out) {
  while (!query.empty()) {
    out.push_back(query[0]);
    query.remove_prefix(1);
    std::string_view parameter = query.substr(0, query.find_first_of("?&;#"));
    query.remove_prefix(parameter.size());
    std::size_t equals = parameter.find('=');
    std::string_view name = parameter.substr(0, equals);
    bool hide = equals != std::string_view::npos && IsSecretParameter(name);
    out.append(hide ? parameter.substr(0, equals + 1) : parameter);
    if (hide) out.append("xxxxx");
  }
}

}  // namespace

std::string Printable(std::string_view text) {
  return MakePrintable(text, [](char32_t c, std::string& out) {
    constexpr std::string_view kDigits = "0123456789ABCDEF";
    out += "<U+";
    for (int shift = c > 0xFFFF ? 16 : 12; shift >= 0; shift -= 4)
      out.push_back(kDigits[c >> shift & 15]);
    out.push_back('>');
  });
}

std::string PrintableOutput(std::string_view text) {
  return MakePrintable(text, [](char32_t c, std::string& out) {
    if (c == 0x2028 || c == 0x2029) out.push_back(' ');
  });
}

std::string RedactUrls(std::string_view text) {
  std::string out;
  while (true) {
    std::size_t scheme = text.find("://");
    if (scheme == std::string_view::npos) break;
    // A login name of ssh is no credential; in front of other schemes it may be a token.
    bool login = text.substr(0, scheme).ends_with("ssh");
    out.append(text.substr(0, scheme + 3));
    text.remove_prefix(scheme + 3);
    std::string_view url = text.substr(0, text.find_first_of(kUrlEnd));
    text.remove_prefix(url.size());
    std::size_t user = UserInfoSize(url);
    bool password = url.substr(0, user).find(':') != std::string_view::npos;
    if (user != 0 && (password || !login)) {
      out.append(password ? "xxxxx:xxxxx" : "xxxxx");
      url.remove_prefix(user);
    }
    std::size_t query = std::min(url.find_first_of("?#"), url.size());
    out.append(url.substr(0, query));
    AppendQuery(url.substr(query), out);
  }
  out.append(text);
  return out;
}

}  // namespace depot
