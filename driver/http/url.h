#pragma once

#include <string>
#include <string_view>

#include "driver/base/result.h"

namespace depot::http {

/// The parts of an http or https URL that decide where a password goes.
struct Url {
  bool encrypted = false;
  std::string authority;  ///< host[:port] in lower case; the port only when it is written
  std::string rest;       ///< path and query, as written; the path is "/" at least
};

/// Takes a URL that a person or a server wrote apart, by libcurl's own parser, so that no other
/// host is judged than the one that is connected to. What could be read in two ways is refused:
/// blanks, control and non-ASCII characters, backslashes, fragments, user names. The message of the
/// Error (kInvalid) is the end of a sentence: "is malformed".
Result<Url> ParseUrl(const std::string& url);

/// scheme://host[:port] of any URL, for people: without user, path and query, which may hold
/// secrets.
std::string OriginOf(std::string_view url);

/// The name in host[:port]; an IPv6 address keeps its brackets.
std::string_view HostName(std::string_view authority);

/// Whether a host name is this machine: localhost, 127.0.0.0/8, [::1]. What is sent there does not
/// leave the machine, so that plain HTTP is safe; Docker treats these as insecure registries, too.
bool IsLoopback(std::string_view host_name);

/// Whether what this URL gives can be believed, and what it is sent is not seen on the way:
/// encrypted, or on this machine itself.
bool IsSafe(const Url& url);

/// The same of a text; false when it is no URL that ParseUrl() takes.
bool IsSafeUrl(const std::string& url);

}  // namespace depot::http
