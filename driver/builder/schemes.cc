#include "driver/builder/schemes.h"

#include <algorithm>
#include <optional>

#include "driver/base/host_port.h"
#include "driver/base/text.h"
#include "driver/builder/program.h"
#include "driver/rpc/process_stream.h"

namespace depot::builder {
namespace {

using Stream = std::unique_ptr<rpc::ByteStream>;

/// host:port, [v6]:port; the port is mandatory, as BuildKit has no default one.
Result<> ParseTcp(std::string_view rest, const Settings& /*settings*/, Endpoint& endpoint) {
  if (rest.ends_with('/')) rest.remove_suffix(1);
  const HostPort parts = SplitHostPort(rest);
  if (rest.find('@') != std::string_view::npos) {
    return Fail(Error(ErrorCode::kUsage,
                      Cat("builder: ", endpoint.url, " names a user, which builders do not know"))
                    .WithHint("write tcp://HOST:PORT; a client certificate says who you are"));
  }
  const std::optional<std::uint16_t> port = ParsePort(parts.port.value_or(""));
  if (parts.host.empty() || !port) {
    return Fail(Error(ErrorCode::kUsage, Cat("builder: ", endpoint.url, " has no host and port"))
                    .WithHint("write tcp://HOST:PORT"));
  }
  endpoint.host = parts.host;
  endpoint.port = *port;
  return {};
}

Result<> ParseUnix(std::string_view rest, const Settings& /*settings*/, Endpoint& endpoint) {
  if (!rest.starts_with('/')) {
    return Fail(ErrorCode::kUsage, Cat("builder: ", endpoint.url, " is not an absolute path"));
  }
  endpoint.path = rest;
  return {};
}

Result<Stream> DialTcp(const Endpoint& endpoint, const Cancel& cancel) {
  TRY_ASSIGN(Fd socket, rpc::DialTcp(endpoint.host, endpoint.port, cancel));
  return rpc::MakeSocketStream(std::move(socket));
}

Result<Stream> DialUnix(const Endpoint& endpoint, const Cancel& cancel) {
  TRY_ASSIGN(Fd socket, rpc::DialUnix(endpoint.path, cancel));
  return rpc::MakeSocketStream(std::move(socket));
}

/// Whether it reaches anybody shows with the first answer.
Result<Stream> DialProgram(const Endpoint& endpoint, const Cancel& cancel) {
  TRY(cancel.Check());
  const std::string& name = endpoint.program.front();
  Result<Stream> stream = rpc::StartProcessStream(endpoint.program);
  if (stream || stream.error().code() != ErrorCode::kNotFound) return stream;
  return Fail(
      std::move(stream).error().WithHint(Cat(endpoint.scheme, ":// is reached through the program ",
                                             name, ": install it, or add its folder to PATH")));
}

}  // namespace

const std::vector<Scheme>& Schemes() {
  static const std::vector<Scheme> kSchemes = {
      {"tcp", "tcp://HOST:PORT", {"cacert", "cert", "key", "servername"}, ParseTcp, DialTcp},
      {"unix", "unix:///PATH", {}, ParseUnix, DialUnix},
      {"ssh", "ssh://[USER@]HOST[:PORT][/SOCKET]", {}, ParseSsh, DialProgram},
      {"docker-container",
       "docker-container://NAME[?context=CONTEXT]",
       {"context"},
       ParseDockerContainer,
       DialProgram},
      {"podman-container", "podman-container://NAME", {}, ParsePodmanContainer, DialProgram},
      {"nerdctl-container",
       "nerdctl-container://NAME[?namespace=NAMESPACE]",
       {"namespace"},
       ParseNerdctlContainer,
       DialProgram},
      {"kube-pod",
       "kube-pod://POD[?context=&namespace=&container=]",
       {"context", "namespace", "container"},
       ParseKubePod,
       DialProgram},
  };
  return kSchemes;
}

const Scheme* FindScheme(std::string_view name) {
  const std::vector<Scheme>& all = Schemes();
  auto found = std::find_if(all.begin(), all.end(),
                            [name](const Scheme& scheme) { return scheme.name == name; });
  return found == all.end() ? nullptr : &*found;
}

std::string SchemeForms() {
  std::vector<std::string> forms;
  for (const Scheme& scheme : Schemes())
    forms.emplace_back(scheme.form);
  return Join(forms, ", ");
}

Result<Stream> Dial(const Endpoint& endpoint, const Cancel& cancel) {
  const Scheme* scheme = FindScheme(endpoint.scheme);
  // A program can be run for whoever made its command line.
  auto dial = scheme != nullptr ? scheme->dial : &DialProgram;
  TRY_ASSIGN(Stream stream, dial(endpoint, cancel));
  if (!endpoint.tls) return stream;
  return rpc::StartTls(std::move(stream), endpoint.tls_options, cancel);
}

}  // namespace depot::builder
