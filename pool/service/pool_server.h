#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "driver/base/result.h"
#include "driver/base/system_roots.h"
#include "pool/service/journal.h"

namespace depot::service {

/// What a pool needs to begin.
struct PoolOptions {
  std::string settings_file;
  std::string version;       ///< of this program
  SystemRoots system_roots;  ///< for the issuers of JWTs
  Journal::Write audit;      ///< called from several threads
  Journal::Write log;        ///< called from several threads
};

/// A running pool: it serves until it is destroyed, which takes up to 5 s. Builds go on meanwhile,
/// and the next pool on the same state knows them.
class PoolServer {
 public:
  virtual ~PoolServer() = default;

  /// The port it listens on.
  virtual std::uint16_t port() const = 0;
};

/// Reads the settings, opens the state, and serves. The process must ignore SIGPIPE.
Result<std::unique_ptr<PoolServer>> StartPool(PoolOptions options);

}  // namespace depot::service
