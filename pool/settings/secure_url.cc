#include "pool/settings/secure_url.h"

#include <algorithm>

namespace depot::settings {

bool IsSecureUrl(std::string_view url) {
  const bool printable =
      std::all_of(url.begin(), url.end(), [](char c) { return c > ' ' && c < 0x7F && c != '\\'; });
  const bool https = url.starts_with("https://");
  if (!printable || (!https && !url.starts_with("http://"))) return false;
  std::string_view host = url.substr(https ? 8 : 7);
  host = host.substr(0, host.find_first_of("/?#"));
  if (host.empty() || host.find('@') != std::string_view::npos) return false;
  if (https) return true;
  // The port comes after the brackets of an IPv6 address, if there are any.
  const std::size_t bracket = host.find(']');
  host = host.substr(0, host.find(':', bracket == std::string_view::npos ? 0 : bracket));
  return host == "localhost" || host == "127.0.0.1" || host == "[::1]";
}

}  // namespace depot::settings
