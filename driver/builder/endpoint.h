#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "driver/base/result.h"
#include "driver/rpc/dial.h"

namespace depot::builder {

/// Where a BuildKit daemon listens, with its TLS material in memory.
struct Endpoint {
  /// How the daemon is reached: which of the members below count.
  enum class Kind { kTcp, kUnix };

  Kind kind = Kind::kUnix;
  std::string url;   ///< for people, without query: tcp://host:port, unix:///path
  std::string host;  ///< kTcp
  std::uint16_t port = 0;
  std::string path;  ///< kUnix
  bool tls = false;
  rpc::TlsOptions tls_options;
};

/// Reads `tcp://host:port?cacert=&cert=&key=&servername=` or `unix:///path`. What the query does
/// not say comes from `environment`: DEPOT_BUILDER_CACERT, _CERT, _KEY, _SERVERNAME. Each of the
/// first three is a path, PEM text, or base64 of PEM. Any of the four switches TLS on; a
/// certificate needs its key and the other way round; without a CA the system's roots are used
/// (SSL_CERT_FILE and SSL_CERT_DIR of `environment`, else the usual places). Files are read here;
/// nothing is written. Unknown schemes and query keys are errors that name the nearest known one.
Result<Endpoint> ParseEndpoint(std::string_view url,
                               const std::map<std::string, std::string>& environment);

/// For several endpoints: `environment`, where those of its PEM variables that name a pipe hold
/// what it gave, since it gives it once only.
Result<std::map<std::string, std::string>> ReadPipes(
    std::map<std::string, std::string> environment);

}  // namespace depot::builder
