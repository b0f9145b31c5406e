#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "driver/base/secret.h"
#include "driver/base/system_roots.h"

namespace depot::docker {

/// How to reach a Docker Engine.
struct EngineEndpoint {
  std::string host;    ///< as Docker writes it: unix:///var/run/docker.sock, tcp://h:2376, ssh://h
  std::string tunnel;  ///< a unix socket that leads there, for the HTTP API; "" = none is needed
  std::string context_name;  ///< "default" or the docker context it came from
  bool tls = false;
  bool verify = true;           ///< check the server's certificate
  std::string ca_pem;           ///< empty with `verify`: `system_roots`
  SystemRoots system_roots;     ///< set when `tls` is
  std::string certificate_pem;  ///< client certificate; empty = none
  Secret key_pem;
  /// HttpHeaders of config.json, for every request; values may be credentials of a proxy.
  std::vector<std::pair<std::string, Secret>> headers;
};

/// What to do about a local socket that this user may not open.
inline constexpr std::string_view kSocketIsDenied =
    "run as root or as a member of the group docker";

/// What `host` names, taken apart: socket_path, or ssh, or address and port is set.
struct EngineAddress {
  std::string socket_path;
  std::string ssh;  ///< what is behind ssh://, unread
  std::string address;
  unsigned short port = 0;
};

}  // namespace depot::docker
