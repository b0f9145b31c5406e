#include "driver/registry/http_url.h"

#include <algorithm>

#include <arpa/inet.h>

#include "driver/base/text.h"

namespace depot::registry {

Result<HttpUrl> ParseHttpUrl(const std::string& url) {
  auto refuse = [](std::string why) { return Fail(ErrorCode::kInvalid, std::move(why)); };
  std::size_t scheme = url.find("://");
  std::string name = LowerAscii(url.substr(0, scheme == std::string::npos ? 0 : scheme));
  if (name != "http" && name != "https") return refuse("is not an http or https URL");
  for (char c : url) {
    auto byte = static_cast<unsigned char>(c);
    if (byte <= 0x20 || byte >= 0x7f || c == '\\' || c == '#') return refuse("is malformed");
  }
  std::size_t start = scheme + 3;
  std::size_t end = std::min(url.find_first_of("/?", start), url.size());
  HttpUrl parts{name == "https", LowerAscii(url.substr(start, end - start)), url.substr(end)};
  if (parts.authority.find('@') != std::string::npos) return refuse("carries a user name");
  if (HostName(parts.authority).empty()) return refuse("has no host");
  return parts;
}

std::string_view HostName(std::string_view authority) {
  std::size_t colon = authority.rfind(':');
  bool has_port =
      colon != std::string_view::npos && authority.find(']', colon) == std::string_view::npos;
  return has_port ? authority.substr(0, colon) : authority;
}

bool IsLoopback(std::string_view host_name) {
  std::string name = LowerAscii(host_name);
  in_addr v4{};
  if (::inet_pton(AF_INET, name.c_str(), &v4) == 1) return (ntohl(v4.s_addr) >> 24) == 127;
  return name == "localhost" || name == "[::1]";
}

}  // namespace depot::registry
