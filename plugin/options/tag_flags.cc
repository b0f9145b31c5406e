#include "plugin/options/tag_flags.h"

#include "driver/base/shown.h"
#include "driver/base/text.h"

namespace depot::options {
namespace {

constexpr std::string_view kOfCi = "ci";

Result<std::string> ParseGuard(const std::string& text) {
  if (text == kOfCi || ParsePipelineNumber(text)) return text;
  return Fail(
      Error(ErrorCode::kUsage,
            Cat("--tag-guard is \"ci\" or a number from 1 on that grows with each pipeline, "
                "not \"",
                Printable(text.substr(0, 100)), '"'))
          .WithHint("in a GitLab job: --tag-guard=ci"));
}

Result<Pipeline> PipelineOfJob(const Environment& environment) {
  const std::string number = TrimmedVariable(environment, "CI_PIPELINE_IID");
  const auto parsed = ParsePipelineNumber(number);
  if (!parsed) {
    const std::string why = number.empty() ? "is not set"
                                           : Cat("is \"", Printable(number.substr(0, 100)),
                                                 "\", which is no number of a pipeline");
    return Fail(Error(ErrorCode::kUsage, Cat("--tag-guard=ci: CI_PIPELINE_IID ", why))
                    .WithHint("it is there in GitLab jobs; elsewhere give a number that grows with "
                              "each pipeline: --tag-guard=N"));
  }
  Pipeline pipeline{*parsed};
  const std::string host = TrimmedVariable(environment, "CI_SERVER_HOST");
  const std::string project = TrimmedVariable(environment, "CI_PROJECT_ID");
  if (!host.empty() && !project.empty()) pipeline.project = Cat(host, '/', project);
  return pipeline;
}

}  // namespace

Result<TagRules> WantedTagRules(const TagOptions& options, const Environment& environment) {
  TagRules rules;
  rules.merge = options.merge_index;
  if (options.guard.empty()) return rules;
  if (options.guard == kOfCi) {
    TRY_ASSIGN(rules.pipeline, PipelineOfJob(environment));
  } else {
    rules.pipeline.emplace(Pipeline{ParsePipelineNumber(options.guard).value_or(0)});
  }
  rules.pipeline->revision = TrimmedVariable(environment, "CI_COMMIT_SHA");
  return rules;
}

std::vector<flags::Flag> TagFlags(TagOptions& into) {
  return {
      {"merge-index", 0, flags::FlagKind::kSwitch, "",
       "Keep what a pushed tag names for other platforms: jobs that each push one platform to one "
       "tag make one image",
       flags::Into(into.merge_index)},
      {"tag-guard", 0, flags::FlagKind::kText, "string",
       "Do not move a tag that a later pipeline has pushed: \"ci\" goes by $CI_PIPELINE_IID, or "
       "give the pipeline's number",
       flags::Parsed(into.guard, ParseGuard)},
  };
}

}  // namespace depot::options
