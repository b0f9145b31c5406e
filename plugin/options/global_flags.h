#pragma once

#include <string>

namespace depot::options {

/// The flags of `docker` itself, which a plugin must understand before and after its own name
/// (docker/cli cli/flags/options.go); empty = not given.
struct GlobalFlags {
  std::string config;  ///< directory of config.json
  std::string context;
  std::string host;
  std::string log_level;
  bool debug = false;
  bool tls = false;
  bool tls_verify = false;
  std::string tls_ca;  ///< paths
  std::string tls_cert;
  std::string tls_key;
};

}  // namespace depot::options
