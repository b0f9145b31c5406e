#include "plugin/job/inputs.h"

#include <filesystem>

#include <unistd.h>

#include "driver/base/shown.h"
#include "driver/base/text.h"
#include "driver/event/patience.h"
#include "plugin/job/remote_text.h"
#include "plugin/options/settings.h"
#include "plugin/plan/dockerfile_names.h"
#include "plugin/plan/dockerfile_text.h"
#include "plugin/plan/git_url.h"
#include "plugin/plan/job_token.h"
#include "plugin/plan/plan.h"
#include "plugin/plan/policy.h"
#include "plugin/plan/source_files.h"
#include "plugin/plan/ssh_offers.h"
#include "plugin/plan/vcs.h"

namespace depot::job {
namespace {

/// What may give the Dockerfile or the context late, or never; "" when that is a file.
std::string AwaitedSource(const options::BuildOptions& options) {
  if (options.context == "-" || options.file == "-") return "standard input";
  std::error_code ignored;
  const bool pipe = !options.file.empty() && std::filesystem::is_fifo(options.file, ignored);
  return pipe ? Cat("what is written into the pipe ", Printable(options.file)) : "";
}

Result<plan::SourceFacts> Inspect(const options::BuildOptions& options,
                                  int standard_input,
                                  EventSink& sink,
                                  const Cancel& cancel) {
  std::string awaited = AwaitedSource(options);
  if (awaited.empty()) return plan::InspectSource(options, standard_input, cancel);
  const Patience waiting(sink, {std::move(awaited)}, cancel);
  return plan::InspectSource(options, standard_input, waiting.cancel());
}

Result<std::vector<session::SshOffer>> ReadSsh(const options::BuildOptions& options,
                                               const Environment& environment,
                                               EventSink& sink,
                                               const Cancel& cancel) {
  if (options.sources.ssh.empty()) return plan::PlanSsh(options, environment, cancel);
  // A key may come by a pipe, and an agent may ask its user.
  const Patience waiting(sink, {"the keys of --ssh"}, cancel);
  TRY_ASSIGN(auto offers, plan::PlanSsh(options, environment, waiting.cancel()));
  TRY(session::CheckSshAgents(offers, waiting.cancel()));
  return offers;
}

}  // namespace

Result<Inputs> ReadInputs(const options::BuildOptions& options,
                          const Environment& environment,
                          Streams& streams,
                          http::HttpClient& http,
                          EventSink& sink,
                          const Cancel& cancel) {
  Inputs inputs;
  TRY_ASSIGN(inputs.notices, options::CheckSettings(environment));
  for (const std::vector<std::string>& said : {options.notices, options.sources.notices})
    inputs.notices.insert(inputs.notices.end(), said.begin(), said.end());
  TRY(streams.TakePipe(Variable(environment, "EXPERIMENTAL_BUILDKIT_SOURCE_POLICY")));
  TRY_ASSIGN(inputs.source_policy, plan::ReadSourcePolicy(environment, cancel));
  TRY_ASSIGN(inputs.platforms, plan::WantedPlatforms(options, environment));
  for (std::string& line : plan::UnknownPlatforms(options, inputs.platforms))
    inputs.notices.push_back(std::move(line));
  // A question is put to one builder, about one image.
  if (!options.call.method.empty() && inputs.platforms.size() > 1) inputs.platforms.resize(1);
  TRY_ASSIGN(inputs.secrets, plan::PlanSecrets(options, environment));
  for (session::SecretSpec& spec : plan::JobTokenSecrets(options, environment))
    inputs.secrets.push_back(std::move(spec));
  TRY(session::CheckSecrets(inputs.secrets));
  TRY_ASSIGN(inputs.ssh, ReadSsh(options, environment, sink, cancel));
  TRY(plan::CheckPipes(options, inputs.secrets, STDIN_FILENO));
  if (options.context == "-" || options.file == "-") {
    TRY_ASSIGN(inputs.standard_input, streams.TakeInput());
  }
  TRY(streams.TakePipe(options.file));
  TRY_ASSIGN(plan::SourceFacts facts, Inspect(options, inputs.standard_input, sink, cancel));
  if (options.dockerfile_inline) {
    facts.fetched_dockerfile = *options.dockerfile_inline;
  } else if (plan::IsHttpUrl(options.file)) {
    TRY_ASSIGN(facts.fetched_dockerfile, FetchText(http, options.file, "the Dockerfile", cancel));
  }
  TRY(plan::CheckPolicyFile(options, facts));
  TRY_ASSIGN(inputs.source, plan::DecideSource(options, facts));
  TRY_ASSIGN(inputs.source.named, plan::PlanNamedContexts(options.sources.contexts));
  for (const auto& [name, store] : inputs.source.named.stores)
    inputs.stores[name] = {store};
  TRY_ASSIGN(inputs.trees, plan::OpenTrees(inputs.source));
  if (options.contexts.git_modes) {
    for (auto& [name, tree] : inputs.trees)
      tree = files::MakeGitModesTree(std::move(tree));
  }
  plan::VcsFacts vcs = plan::DescribeVcs(options, environment, inputs.source, cancel);
  inputs.vcs = std::move(vcs.attributes);
  for (const auto& said : {facts.notices, inputs.source.named.notices, vcs.notices})
    inputs.notices.insert(inputs.notices.end(), said.begin(), said.end());
  TRY_ASSIGN(inputs.contexts,
             plan::PlanContextTimes(options, environment, inputs.source, inputs.trees));
  if (auto tree = inputs.trees.find("dockerfile"); tree != inputs.trees.end()) {
    for (std::string& line :
         plan::DockerfileWarnings(options, *tree->second, inputs.source.filename))
      inputs.notices.push_back(std::move(line));
  }
  inputs.dockerfile = plan::ReadDockerfileText(inputs.source, inputs.trees);
  return inputs;
}

}  // namespace depot::job
