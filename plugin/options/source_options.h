#pragma once

#include <string>
#include <vector>

namespace depot::options {

/// One --ssh: an id, and what is behind it; files that are sockets are agents. Neither files nor
/// variables: the agent at $SSH_AUTH_SOCK.
struct SshSource {
  std::string id;
  std::vector<std::string> files;
  std::vector<std::string> variables;  ///< names; each holds a key
};

/// One --build-context NAME=VALUE.
struct NamedContext {
  std::string name;   ///< an image name in its short form, without :latest
  std::string value;  ///< as written: a directory, a URL, docker-image://..., oci-layout://...
};

/// What a build is made from besides its context, as the command line says it.
struct SourceOptions {
  std::vector<SshSource> ssh;          ///< each id once
  std::vector<NamedContext> contexts;  ///< each name once, in the user's order
  std::vector<std::string> notices;    ///< what was given and says nothing, one line each
};

}  // namespace depot::options
