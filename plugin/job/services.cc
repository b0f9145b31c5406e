#include "plugin/job/services.h"

#include "driver/base/shown.h"
#include "driver/base/text.h"
#include "driver/event/step.h"
#include "driver/session/content_service.h"

namespace depot::job {

Services::Services(Inputs& inputs, Job& job, EventSink& sink)
    : inputs_(inputs),
      job_(job),
      sink_(sink),
      auth_(session::MakeAuth(job.registries().keyring(), job.workshop().http(), sink)),
      secrets_(session::MakeSecrets(inputs.secrets, sink, job.workshop().masks())),
      ssh_(session::MakeSshAgents(inputs.ssh, sink)) {}

Result<> Services::Prepare(std::size_t builders, bool again, const Cancel& cancel) {
  if (builders > 1) CompareTrees();
  const bool twice = builders > 1 || again;
  if (twice && inputs_.source.upload) TRY(StoreContext(cancel));
  return {};
}

std::string Services::AddTo(rpc::ServiceTable& table,
                            session::Faults& faults,
                            session::OfferedStores own) {
  AddStandby(table, faults);
  session::AddFileSync(table, inputs_.trees, faults, sink_);
  own.insert(inputs_.stores.begin(), inputs_.stores.end());
  if (!own.empty()) session::AddContent(table, std::move(own), faults, sink_);
  if (!inputs_.source.upload) return "";
  if (stored_context_.valid()) {
    return session::AddStoredUpload(table, stored_context_.get(), faults);
  }
  return session::AddUpload(table, inputs_.source.already_read, inputs_.standard_input, faults);
}

void Services::AddStandby(rpc::ServiceTable& table, session::Faults& faults) {
  session::AddHealth(table);
  session::AddAuth(table, auth_);
  session::AddSecrets(table, secrets_, faults);
  session::AddSsh(table, ssh_);
}

Result<> Services::StartOver() {
  if (inputs_.source.upload && !stored_context_.valid()) {
    return Fail(ErrorCode::kFailed, "the context came on standard input, and does so only once");
  }
  job_.registries().keyring().ForgetTokens();
  return {};
}

/// Each builder reads the files by itself: a difference between the platforms must not be silent.
void Services::CompareTrees() {
  for (auto& [name, tree] : inputs_.trees) {
    auto changed = [&sink = sink_](const std::string& path) {
      sink.Say(Cat("WARNING: ", Printable(path),
                   " changed during the build: the platforms may differ in it"));
    };
    tree = files::MakeComparedTree(std::move(tree), changed);
  }
}

/// A context on standard input can be read once only, and each of several builders wants it.
Result<> Services::StoreContext(const Cancel& cancel) {
  Step step(sink_, "reading the context from standard input");
  TRY_ASSIGN(stored_context_,
             step.Finish(session::StoreUpload(inputs_.source.already_read, inputs_.standard_input,
                                              job_.workshop().TemporaryDirectory(), cancel)));
  return {};
}

}  // namespace depot::job
