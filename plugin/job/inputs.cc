#include "plugin/job/inputs.h"

#include <unistd.h>

#include "plugin/options/settings.h"
#include "plugin/plan/dockerfile_names.h"
#include "plugin/plan/plan.h"
#include "plugin/plan/policy.h"
#include "plugin/plan/source_files.h"

namespace depot::job {

Result<Inputs> ReadInputs(const options::BuildOptions& options,
                          const Environment& environment,
                          Streams& streams,
                          const Cancel& cancel) {
  Inputs inputs;
  TRY_ASSIGN(inputs.notices, options::CheckSettings(environment));
  inputs.notices.insert(inputs.notices.end(), options.notices.begin(), options.notices.end());
  TRY_ASSIGN(inputs.source_policy, plan::ReadSourcePolicy(environment));
  TRY_ASSIGN(inputs.platforms, plan::WantedPlatforms(options, environment));
  // A question is put to one builder, about one image.
  if (!options.call.method.empty() && inputs.platforms.size() > 1) inputs.platforms.resize(1);
  TRY_ASSIGN(inputs.secrets, plan::PlanSecrets(options, environment));
  TRY(session::CheckSecrets(inputs.secrets));
  TRY(plan::CheckPipes(options, inputs.secrets, STDIN_FILENO));
  if (options.context == "-" || options.file == "-") {
    TRY_ASSIGN(inputs.standard_input, streams.TakeInput());
  }
  TRY_ASSIGN(plan::SourceFacts facts, plan::InspectSource(options, inputs.standard_input, cancel));
  TRY(plan::CheckPolicyFile(options, facts));
  TRY_ASSIGN(inputs.source, plan::DecideSource(options, facts));
  TRY_ASSIGN(inputs.trees, plan::OpenTrees(inputs.source));
  if (auto tree = inputs.trees.find("dockerfile"); tree != inputs.trees.end()) {
    for (std::string& line : plan::UnknownNames(options, *tree->second, inputs.source.filename))
      inputs.notices.push_back(std::move(line));
  }
  return inputs;
}

}  // namespace depot::job
