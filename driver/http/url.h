#pragma once

#include <string>
#include <string_view>

#include "driver/base/result.h"

namespace depot::registry {

/// The parts of an http or https URL that decide where a password goes.
struct HttpUrl {
  bool encrypted = false;
  std::string authority;  ///< host[:port] in lower case
  std::string rest;       ///< path and query, as written
};

/// Takes a URL that a server sent apart as libcurl will. What could be read in two ways is refused:
/// blanks, control and non-ASCII characters, backslashes, fragments, user names. The message of the
/// Error (kInvalid) is the end of a sentence: "is malformed".
Result<HttpUrl> ParseHttpUrl(const std::string& url);

/// The name in host[:port]; an IPv6 address keeps its brackets.
std::string_view HostName(std::string_view authority);

/// Whether a host name is this machine: localhost, 127.0.0.0/8, [::1]. What is sent there does not
/// leave the machine, so that plain HTTP is safe; Docker treats these as insecure registries, too.
bool IsLoopback(std::string_view host_name);

}  // namespace depot::registry
