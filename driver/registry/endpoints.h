#pragma once

#include <map>
#include <mutex>
#include <set>
#include <string>

#include "driver/http/client.h"

namespace depot::registry {

/// How to speak to the registry at one host.
struct Endpoint {
  bool encrypted = true;
  http::Transport transport;
};

/// Knows which registries are spoken to in plain HTTP. A registry is reached over HTTPS, except
/// where that is known to be too much: on this machine (http::IsLoopback()) and at the hosts that
/// the user called insecure. Those are asked once whether they answer in plain HTTP, and over HTTPS
/// their certificate is not checked, as Docker has it. Any thread.
class Endpoints {
 public:
  /// `insecure` holds host[:port] in lower case.
  Endpoints(http::HttpClient& client, std::set<std::string> insecure);

  /// May ask the host; fails when `cancel` says stop.
  Result<Endpoint> Find(const std::string& host, const Cancel& cancel);

  /// How to send to a host that is known to speak HTTPS or not to.
  http::Transport TransportOf(const std::string& host) const;

 private:
  bool IsLenient(const std::string& host) const;

  http::HttpClient& client_;
  const std::set<std::string> insecure_;
  std::mutex mutex_;
  std::map<std::string, bool> encrypted_;  ///< by host; lenient hosts that answered
};

}  // namespace depot::registry
