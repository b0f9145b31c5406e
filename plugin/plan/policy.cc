#include "plugin/plan/policy.h"

#include <filesystem>
#include <string>

#include "driver/base/shown.h"
#include "driver/base/text.h"
#include "driver/disk/lookup.h"
#include "driver/solve/source_policy.h"

namespace depot::plan {
namespace {

constexpr std::size_t kMaxPolicy = 16 << 20;

}  // namespace

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

namespace {

Result<std::string> ReadPolicyOf(const Environment& environment, const Cancel& cancel) {
  const std::string name = "EXPERIMENTAL_BUILDKIT_SOURCE_POLICY";
  const std::string path = Variable(environment, name);
  if (path.empty()) return std::string();
  const std::string what = Cat(name, ": ", Printable(path));
  // It may be a file of the repository; a link in it does not make us read another.
  auto text = disk::ReadTyped(path, kMaxPolicy, cancel);
  if (!text && text.error().code() == ErrorCode::kNotFound) {
    return Fail(Error(ErrorCode::kNotFound, Cat(what, " does not exist"))
                    .WithHint("it names a file with a JSON policy of sources"));
  }
  if (!text) return Fail(std::move(text).error().While(name));
  auto policy = solve::ParseSourcePolicy(*text);
  if (!policy) {
    return Fail(std::move(policy).error().While(Cat(what, " is no source policy")));
  }
  return policy;
}

}  // namespace

Result<std::string> ReadSourcePolicy(const Environment& environment, const Cancel& cancel) {
  return OfSetting("", ReadPolicyOf(environment, cancel));
}

void AddSourcePolicy(const std::string& policy, solve::BuildRequest& request) {
  if (policy.empty()) return;
  request.source_policy = policy;
  request.capabilities.push_back({"source.policy",
                                  "EXPERIMENTAL_BUILDKIT_SOURCE_POLICY: this builder's BuildKit is "
                                  "older than 0.11 and would not obey it"});
}

}  // namespace depot::plan
