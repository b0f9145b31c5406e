#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "driver/base/result.h"
#include "driver/rpc/dial.h"

namespace depot::builder {

/// Where a BuildKit daemon or a Docker Engine is reached, with its TLS material in memory. The
/// scheme says which of the members count; see FindScheme().
struct Endpoint {
  std::string scheme = "unix";
  std::string url;   ///< for people, without query: tcp://host:port, unix:///path
  std::string host;  ///< tcp
  std::uint16_t port = 0;
  std::string path;  ///< unix
  /// The other schemes: the program, with its arguments, whose standard input and output are the
  /// connection. Nothing in it was an option that the URL's author could choose.
  std::vector<std::string> program;
  bool tls = false;  ///< tcp
  rpc::TlsOptions tls_options;
};

/// Reads the URL of a BuildKit daemon, in one of the forms of SchemeForms(). TLS settings of tcp
/// (`?cacert=&cert=&key=&servername=`) that the query does not say come from `environment`:
/// DEPOT_BUILDER_CACERT, _CERT, _KEY, _SERVERNAME. Each of the first three is a path, PEM text, or
/// base64 of PEM. Any of the four switches TLS on; a certificate needs its key and the other way
/// round; without a CA the system's roots are used (SSL_CERT_FILE and SSL_CERT_DIR of
/// `environment`, else the usual places). Files are read here, a pipe to its end; nothing is
/// written, and no program is looked for. Unknown schemes and query keys are errors that name the
/// nearest known one.
Result<Endpoint> ParseEndpoint(std::string_view url,
                               const std::map<std::string, std::string>& environment,
                               const Cancel& cancel);

/// For several endpoints: `environment`, where those of its PEM variables that name a pipe hold
/// what it gave, since it gives it once only.
Result<std::map<std::string, std::string>> ReadPipes(std::map<std::string, std::string> environment,
                                                     const Cancel& cancel);

}  // namespace depot::builder
