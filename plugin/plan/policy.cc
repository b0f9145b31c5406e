#include "plugin/plan/policy.h"

#include <filesystem>
#include <string>

#include "driver/base/shown.h"
#include "driver/base/text.h"

namespace depot::plan {

Result<> CheckPolicyFile(const options::BuildOptions& options, const SourceFacts& facts) {
  if (options.policy_disabled || facts.dockerfile_path.empty()) return {};
  namespace fs = std::filesystem;
  const fs::path dockerfile(facts.dockerfile_path);
  for (const std::string& name : {dockerfile.filename().string(), std::string("Dockerfile")}) {
    // The usual name in lower case stands for the usual name.
    if (LowerAscii(name) != LowerAscii(dockerfile.filename().string())) continue;
    const fs::path policy = dockerfile.parent_path() / Cat(name, ".rego");
    std::error_code error;
    // A link that leads nowhere was meant as a policy, too.
    if (fs::symlink_status(policy, error).type() == fs::file_type::not_found) continue;
    return Fail(
        Error(ErrorCode::kUnsupported, Cat("the policy ", Printable(policy.string()),
                                           " cannot be applied: there is no Rego engine here yet"))
            .WithHint("build with docker buildx, or without the policy: "
                      "--policy disabled=true"));
  }
  return {};
}

}  // namespace depot::plan
