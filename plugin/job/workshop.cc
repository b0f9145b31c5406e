#include "plugin/job/workshop.h"

#include <unistd.h>

#include "driver/base/text.h"
#include "driver/depot/api_url.h"

namespace depot::job {
namespace {

constexpr std::chrono::seconds kConnectTimeout(20);

}  // namespace

Workshop::Workshop(const Environment& environment,
                   const options::GlobalFlags& globals,
                   std::string_view version)
    : environment_(environment),
      globals_(globals),
      http_(http::MakeCurlClient(Cat("docker-depot/", version),
                                 kConnectTimeout,
                                 FindSystemRoots(Variable(environment, "SSL_CERT_FILE"),
                                                 Variable(environment, "SSL_CERT_DIR")))) {}

Result<> Workshop::ReadDocker() {
  TRY_ASSIGN(docker_, ReadDockerSetup(globals_, environment_));
  return {};
}

Result<docker::Engine*> Workshop::Engine() {
  TRY(docker_.engine);
  std::lock_guard lock(mutex_);
  if (!engine_) {
    TRY_ASSIGN(engine_, docker::MakeEngine(http_, *docker_.engine));
  }
  return engine_.get();
}

Result<std::unique_ptr<api::Api>> Workshop::MakeApi(EventSink& sink) {
  return api::MakeApi(http_, api::ApiUrl(environment_),
                      [&sink](std::string line) { sink.Say(std::move(line)); });
}

std::string Workshop::TemporaryDirectory() const {
  std::string said = Variable(environment_, "TMPDIR");
  if (!said.empty()) return said;
  return ::access("/var/tmp", W_OK) == 0 ? "/var/tmp" : "/tmp";
}

}  // namespace depot::job
