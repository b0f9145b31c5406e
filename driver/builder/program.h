#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "driver/builder/schemes.h"

namespace depot::builder {

/// A word list for a program that connects to a daemon (moby/buildkit client/connhelper).
using Command = std::vector<std::string>;

/// What an ssh:// address says: [user@]host[:port][/socket]. Every part is checked, so that none
/// can be an option of ssh or mean something to the shell of the other side.
struct SshPlace {
  std::string user;  ///< "" = as ssh thinks
  std::string host;  ///< a name, an address without brackets, or a Host of ssh's own configuration
  std::string port;  ///< "" = as ssh thinks
  std::string path;  ///< of the daemon's socket there; "" = its usual place
};

/// Reads what is behind "ssh://". A password, query or fragment is refused.
Result<SshPlace> ParseSshPlace(std::string_view rest);

/// ssh, logging in at `place` and running `remote` there. ssh never asks anything: it has no
/// terminal, so keys must be in an agent or without a passphrase, and the host must be known.
Command SshCommand(const SshPlace& place, const Command& remote);

/// `docker exec`, into a container of the Engine that `engine` names: a docker context or a host
/// URL; "" = the one that docker itself uses. Malformed names are kUsage.
Result<Command> DockerExec(std::string_view engine, std::string_view container);

/// `kubectl exec`, into a pod or "deployment/NAME". Empty settings are left to kubectl. Malformed
/// names are kUsage.
struct KubePlace {
  std::string target;
  std::string container;
  std::string name_space;
  std::string context;
  std::string kubeconfig;  ///< a path
};
Result<Command> KubectlExec(const KubePlace& place);

/// Rows of the table; see Scheme::parse.
Result<> ParseSsh(std::string_view rest, const Settings& settings, Endpoint& endpoint);
Result<> ParseDockerContainer(std::string_view rest, const Settings& settings, Endpoint& endpoint);
Result<> ParsePodmanContainer(std::string_view rest, const Settings& settings, Endpoint& endpoint);
Result<> ParseNerdctlContainer(std::string_view rest, const Settings& settings, Endpoint& endpoint);
Result<> ParseKubePod(std::string_view rest, const Settings& settings, Endpoint& endpoint);

}  // namespace depot::builder
