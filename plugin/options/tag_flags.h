#pragma once

#include <string>
#include <vector>

#include "driver/base/environment.h"
#include "driver/base/result.h"
#include "driver/flags/flag_table.h"
#include "driver/oci/tag_rules.h"

namespace depot::options {

/// How tags that are pushed may move.
struct TagOptions {
  std::string guard;         ///< --tag-guard: "ci" or a number; "" = not given
  bool merge_index = false;  ///< --merge-index

  bool given() const { return !guard.empty() || merge_index; }

  friend bool operator==(const TagOptions&, const TagOptions&) = default;
};

/// What the flags mean in this job: with "ci" the pipeline is CI_PIPELINE_IID of the project
/// CI_SERVER_HOST and CI_PROJECT_ID name, at the commit CI_COMMIT_SHA (GitLab, "Predefined CI/CD
/// variables"). kUsage when there is no such number.
Result<TagRules> WantedTagRules(const TagOptions& options, const Environment& environment);

/// --tag-guard and --merge-index; `into` is written into and must outlive them.
std::vector<flags::Flag> TagFlags(TagOptions& into);

}  // namespace depot::options
