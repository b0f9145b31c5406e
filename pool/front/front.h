#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "driver/base/result.h"
#include "driver/base/system_roots.h"
#include "pool/front/entrance.h"

/// The door of one builder: lets in the builds that the pool gave it to, as long as they have it.
namespace depot::front {

/// What a front needs to begin.
struct FrontOptions {
  std::string listen;   ///< "0.0.0.0:8372", "[::]:8372"
  std::string socket;   ///< where buildkitd listens
  std::string builder;  ///< its name in the pool's settings
  std::string pool_url;
  /// Asked when the front begins, and every `look_every` from then on: they may be replaced.
  std::function<Result<Certificates>()> read_certificates;
  SystemRoots system_roots;                    ///< for the pool's certificate
  std::string version;                         ///< of this program
  std::function<void(std::string_view)> say;   ///< lines for people; called from several threads
  std::chrono::milliseconds ask_every{5000};   ///< how often the pool is asked about who is inside
  std::chrono::milliseconds look_every{5000};  ///< at buildkitd, and at the certificates
};

/// A running front, until it is destroyed: then all its connections end.
class Front {
 public:
  virtual ~Front() = default;

  /// The port it listens on.
  virtual std::uint16_t port() const = 0;

  /// Lets nobody in any more, and the pool go, which sees by that that no build is to come here.
  /// Builds that are inside stay. Does not wait.
  virtual void Close() = 0;

  /// Whether builds are inside.
  virtual bool HasBuilds() = 0;
};

/// Passes bytes between clients and buildkitd's socket. Comes in: a certificate of the builder's
/// own authority that names the builder, in its time, of a build that the pool says has this
/// builder. Goes out: a build of which the pool says that it is over, or has the builder no more.
/// While the pool does not answer, certificates alone decide, and who is inside stays. It listens
/// only while buildkitd does, so that the pool sees a builder that is down. Certificates that have
/// been replaced count for who comes from then on; with some that cannot be used nothing changes.
/// Strangers have 10 s and 64 places for their handshakes: the oldest goes first. The process must
/// ignore SIGPIPE.
Result<std::unique_ptr<Front>> StartFront(FrontOptions options);

}  // namespace depot::front
