#pragma once

#include <map>
#include <optional>
#include <string>

#include "driver/base/environment.h"
#include "driver/base/result.h"
#include "driver/docker/config_file.h"
#include "driver/docker/engine_endpoint.h"

namespace depot::docker {

/// The global flags of `docker` that say which Engine is meant; empty = not given.
struct EngineFlags {
  std::string context;
  std::string host;
  bool tls = false;
  bool tls_verify = false;
  std::string tls_ca;  ///< paths
  std::string tls_cert;
  std::string tls_key;
};

/// Which Engine the user means, in Docker's own order: --context, --host, DOCKER_HOST,
/// DOCKER_CONTEXT, currentContext of config.json, the default socket (docker/cli
/// cli/command/cli.go, cli/context/store). TLS files are read into memory here: those of the flags,
/// of DOCKER_CERT_PATH (else the config directory), or of the context's own folder; ca.pem,
/// cert.pem and key.pem, the latter two only if they exist. DOCKER_TLS and DOCKER_TLS_VERIFY count
/// when not empty, whatever they say. TLS is for tcp alone. An unknown context, both
/// --context and --host, an unreadable certificate, and schemes other than unix, tcp and ssh
/// (npipe, fd: kUnsupported) are errors that say what to do. `host` of the result is complete: tcp
/// has a port.
Result<EngineEndpoint> ResolveEngine(const EngineFlags& flags,
                                     const Environment& environment,
                                     const ConfigFile& config);

/// What to do about an Engine that cannot be connected to, by `error`; tells a socket that a daemon
/// left behind from one that is not there.
std::string HintForUnreachable(const EngineEndpoint& endpoint, const Error& error);

/// Takes endpoint.host apart; tcp without a port gets 2375, with TLS 2376. An IPv6 address loses
/// its brackets. Anything else than a unix socket's absolute path, a host, or something behind
/// ssh:// is kInvalid.
Result<EngineAddress> ParseEngineHost(const EngineEndpoint& endpoint);

}  // namespace depot::docker
