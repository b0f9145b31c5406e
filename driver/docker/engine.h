#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "driver/docker/engine_endpoint.h"
#include "driver/event/sink.h"
#include "driver/event/step.h"
#include "driver/http/client.h"
#include "driver/oci/platform.h"
#include "driver/registry/credentials.h"

namespace depot::docker {

/// What the Engine says of itself (Engine API, GET /info).
struct EngineInfo {
  std::string server_version;
  std::string id;                    ///< tells one Engine from another; "" = it does not say
  std::optional<Platform> platform;  ///< its own; nullopt when it names one that is unknown
  bool containerd_store = false;     ///< can load OCI archives with several manifests
};

/// An image in an Engine's store.
struct EngineImage {
  /// The digest of its configuration (classic store), or of its manifest or index (containerd's).
  std::string id;
  std::vector<std::string> names;     ///< with tags
  std::vector<std::string> diff_ids;  ///< lowest layer first, of the Engine's own platform
  /// Whether all content of each of its manifests is there, by the manifest's digest; empty when
  /// the Engine does not say (API before 1.48, classic store).
  std::map<std::string, bool> manifests;
};

/// The Docker Engine's HTTP API, as far as building needs it (Engine API reference, v1.41 and
/// newer). Safe to use from several threads. An Engine that neither takes nor says anything for 10
/// min is given up (kTimeout), in the short questions one that is silent for 60 s. Errors name the
/// Engine's address, its own message, and for a connection that fails what to do ("is the Docker
/// daemon running?", DOCKER_HOST).
class Engine {
 public:
  virtual ~Engine() = default;

  /// GET /info; the check that it is there at all. At most 10 s.
  virtual Result<EngineInfo> Info(const Cancel& cancel) = 0;

  /// POST /images/load, streaming the archive from `read` (0 = end). Shows the layers below `step`
  /// as they load. An error inside the Engine's answer is an Error; one of `read` is passed on.
  virtual Result<> Load(const std::function<Result<std::size_t>(char*, std::size_t)>& read,
                        Step& step,
                        const Cancel& cancel) = 0;

  /// GET /images/json: the ids of all images, newest first.
  virtual Result<std::vector<std::string>> Images(const Cancel& cancel) = 0;

  /// GET /images/NAME/json; `name` is an id or a reference. kNotFound when there is none.
  virtual Result<EngineImage> Image(const std::string& name, const Cancel& cancel) = 0;

  /// DELETE /images/ID: an image that has no other name and that no container uses; its parents
  /// stay.
  virtual Result<> Remove(const std::string& id, const Cancel& cancel) = 0;

  /// POST /images/NAME/push with `credential`; shows "pushing NAME with docker". Gives the digest
  /// the registry knows the image by.
  virtual Result<std::string> Push(const std::string& reference,
                                   const std::optional<registry::Credential>& credential,
                                   EventSink& sink,
                                   const Cancel& cancel) = 0;

  /// POST /images/create: pulls `reference` (by tag or digest) with `credential`; shows "pulling
  /// NAME with docker" and its layers. `platform` unset = the Engine's own. kNotFound when the
  /// registry has no such image, or none for the platform.
  virtual Result<> Pull(const std::string& reference,
                        const std::optional<Platform>& platform,
                        const std::optional<registry::Credential>& credential,
                        EventSink& sink,
                        const Cancel& cancel) = 0;

  /// POST /images/NAME/tag: gives the image that the Engine knows as `reference`, which may be an
  /// id, the name `tag` too.
  virtual Result<> Tag(const std::string& reference,
                       const std::string& tag,
                       const Cancel& cancel) = 0;
};

/// `client` must outlive the Engine; one at ssh:// needs its `tunnel`, else kUnsupported.
Result<std::unique_ptr<Engine>> MakeEngine(http::HttpClient& client, EngineEndpoint endpoint);

}  // namespace depot::docker
