#include "plugin/options/old_flags.h"

#include <algorithm>

#include "driver/base/text.h"
#include "plugin/options/attributes.h"

namespace depot::options {
namespace {

struct Old {
  std::string_view name;
  flags::FlagKind kind;
  std::string_view why;
};

// The last three sentences are those of docker buildx, which tools may look for.
constexpr Old kOld[] = {
    {"compress", kSwitch, "the context is sent file by file, and only what changed"},
    {"force-rm", kSwitch, "BuildKit keeps no intermediate containers"},
    {"rm", kSwitch, "BuildKit keeps no intermediate containers"},
    {"root", kText, "there is no build server here"},
    {"server-config", kText, "there is no build server here"},
    {"isolation", kText, "isolation flag is deprecated with BuildKit."},
    {"security-opt", kText,
     "security-opt flag is deprecated. \"RUN --security=insecure\" should be used with BuildKit."},
    {"squash", kSwitch,
     "experimental flag squash is removed with BuildKit. You should squash inside build using a "
     "multi-stage Dockerfile for efficiency."},
};

flags::FlagSetter Say(const Old& old, std::vector<std::string>& notices) {
  return [&old, &notices](const std::string&) -> Result<> {
    std::string line = Cat("--", old.name, " has no effect: ", old.why);
    if (std::find(notices.begin(), notices.end(), line) == notices.end()) {
      notices.push_back(std::move(line));
    }
    return {};
  };
}

Result<> Invoke(const std::string&) {
  return Fail(
      Error(ErrorCode::kUsage, "--invoke: this program has no debugger to run a command in")
          .WithHint("build the stage with --target NAME --load and use docker run, or put the "
                    "command into a RUN instruction"));
}

Result<> Detach(const std::string& value) {
  if (value == "false") return {};
  return Fail(Error(ErrorCode::kUsage, "--detach: a build runs as long as its command")
                  .WithHint("let the shell put it into the background: docker depot build ... &"));
}

}  // namespace

std::vector<flags::Flag> OldFlags(std::vector<std::string>& notices) {
  std::vector<flags::Flag> all = {
      {"invoke", 0, kText, "", "", Invoke},
      {"detach", 0, kSwitch, "", "", Detach},
  };
  for (const Old& old : kOld)
    all.push_back({old.name, 0, old.kind, "", "", Say(old, notices)});
  return all;
}

}  // namespace depot::options
