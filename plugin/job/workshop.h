#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "driver/base/environment.h"
#include "driver/builder/engine_tunnel.h"
#include "driver/depot/api.h"
#include "driver/docker/engine.h"
#include "driver/event/masks.h"
#include "driver/event/sink.h"
#include "driver/http/client.h"
#include "plugin/job/docker_setup.h"
#include "plugin/job/patient_client.h"
#include "plugin/options/global_flags.h"

namespace depot::job {

/// What a process has once, whatever it does: its environment, an HTTP client, the user's Docker
/// installation, the Engine. Any thread, after ReadDocker().
class Workshop {
 public:
  /// `version` is what servers are told of ours. Reads and asks nothing yet. All three must outlive
  /// it.
  Workshop(const Environment& environment,
           const options::GlobalFlags& globals,
           std::string_view version);
  Workshop(const Workshop&) = delete;
  Workshop& operator=(const Workshop&) = delete;

  const Environment& environment() const { return environment_; }

  /// What is in use and must not be shown.
  Masks& masks() { return masks_; }

  /// With our name, the patience of a slow link, and this machine's authorities (SSL_CERT_FILE,
  /// SSL_CERT_DIR). DEPOT_API_CACERT (LoadPem()) is who the Depot API is checked by instead, and
  /// only it; one that cannot be read fails the API's calls (kInvalid).
  http::HttpClient& http() { return http_; }

  /// From now on `sink` hears whom http() waits for; null, as at the beginning, is silence. Call it
  /// while no request runs; the sink takes events from any thread.
  void SayTo(EventSink* sink) { http_.SayTo(sink); }

  /// Once, before docker() and Engine(). What is malformed is kInvalid; an Engine that is wrongly
  /// named is an error of Engine() alone.
  Result<> ReadDocker();
  /// The same for who looks for what is malformed: that is given, and counts as not there.
  std::vector<Error> ReadDockerLeniently();
  const DockerSetup& docker() const { return docker_; }

  /// The Docker Engine that the user's settings mean; made once, asks nobody by itself. An Error
  /// when the settings make no sense.
  Result<docker::Engine*> Engine();

  /// The Depot API at DEPOT_API_URL; a call that is tried again is said to `sink`, which outlives
  /// it.
  Result<std::unique_ptr<api::Api>> MakeApi(EventSink& sink);

  /// Where parts of archives wait for each other: TMPDIR, else /var/tmp, as /tmp is often small, or
  /// memory.
  std::string TemporaryDirectory() const;
  bool debug() const { return globals_.debug; }  ///< -D

 private:
  const Environment& environment_;
  const options::GlobalFlags& globals_;
  Masks masks_;
  PatientClient http_;
  DockerSetup docker_;
  std::mutex mutex_;
  std::unique_ptr<builder::EngineTunnel> tunnel_;  // the Engine's calls go through it
  std::unique_ptr<docker::Engine> engine_;
};

}  // namespace depot::job
