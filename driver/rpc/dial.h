#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "driver/base/secret.h"
#include "driver/base/system_roots.h"
#include "driver/rpc/byte_stream.h"
#include "driver/rpc/metadata.h"

namespace depot::rpc {

/// Request headers whose values may be credentials.
using SecretHeaders = std::vector<std::pair<std::string, Secret>>;

/// TLS as a client. PEM texts, never paths: key material stays in memory.
struct TlsOptions {
  std::string server_name;      ///< for SNI and the certificate check; a DNS name or an IP address
  std::string ca_pem;           ///< trusted roots; empty = `system_roots`
  SystemRoots system_roots;     ///< only read when `ca_pem` is empty and `verify` is set
  std::string certificate_pem;  ///< client certificate chain; empty = none
  Secret key_pem;               ///< its private key
  std::string alpn;             ///< "h2", "http/1.1", or empty = none offered
  bool verify = true;           ///< false: any server certificate will do (docker's --tls)
};

/// Connects to `host` (name, IPv4, or IPv6 without brackets), trying every address it resolves to.
/// Failures are final for this attempt and name the address and the cause: kUnavailable (refused,
/// unreachable, reset), kNotFound (no such host), kTimeout. Looking the name up is bounded by the
/// resolver's own time-outs (resolv.conf), not by `cancel`. The socket has TCP_NODELAY, TCP
/// keepalive and a TCP_USER_TIMEOUT of 25 s, so that a silent link ends by itself while we write.
Result<Fd> DialTcp(const std::string& host, std::uint16_t port, const Cancel& cancel);

/// Makes a TCP link that is dead end by itself 5 s after `silence` (10 s to 10 min): while we write
/// by TCP_USER_TIMEOUT, while we only wait by keepalive. Of other sockets nothing changes.
void LimitSilence(int socket, std::chrono::seconds silence);

/// kNotFound when there is no such socket, kDenied without permission, kUnavailable when nobody
/// listens.
Result<Fd> DialUnix(const std::string& path, const Cancel& cancel);

/// Does the TLS handshake (1.2 or newer) on a connected stream. Certificate trouble of either side
/// is kDenied and says whose fault it is: unknown authority, wrong name, expired, our certificate
/// refused or missing, the peer does not speak TLS. With TLS 1.3 a refusal of our certificate
/// reaches us only with the first read after the handshake: the stream's Read() then fails with
/// kDenied and the same text.
Result<std::unique_ptr<ByteStream>> StartTls(std::unique_ptr<ByteStream> stream,
                                             const TlsOptions& options,
                                             const Cancel& cancel);

/// Checks, without connecting, that there is a server name, and that certificate and key are
/// readable PEM and belong together.
Result<> CheckTlsOptions(const TlsOptions& options);

/// Makes a connection that serves one thing, which `announcement` tells the peer while it is made.
using AnnouncedDial = std::function<Result<std::unique_ptr<ByteStream>>(
    const Metadata& announcement, const Cancel& cancel)>;

/// Sends `POST path HTTP/1.1` with `Upgrade: h2c` and waits for 101, as the Docker Engine wants it
/// for /grpc and /session (moby client hijack.go). `headers` go along as they are; a line break in
/// one is kInvalid. Any other status is an Error with the Engine's message: 404 is kUnsupported (an
/// Engine without BuildKit), anything else kInvalid.
Result<std::unique_ptr<ByteStream>> UpgradeToH2c(std::unique_ptr<ByteStream> stream,
                                                 const std::string& path,
                                                 const SecretHeaders& headers,
                                                 const Cancel& cancel);

}  // namespace depot::rpc
