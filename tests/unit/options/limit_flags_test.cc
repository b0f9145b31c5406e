#include "plugin/options/limit_flags.h"

#include <gtest/gtest.h>

#include "plugin/options/build_flags.h"

namespace depot::options::limit_flags_test {
namespace {

using Attributes = std::map<std::string, std::string>;

std::string Refusal(const std::vector<std::string>& words) {
  auto options = ParseBuildFlags(words, "docker depot");
  if (options) return "accepted";
  EXPECT_EQ(options.error().code(), ErrorCode::kUsage);
  return options.error().message();
}

StepLimits Limits(const std::vector<std::string>& words) {
  auto options = ParseBuildFlags(words, "docker depot");
  if (options && *options) return (*options)->limits;
  ADD_FAILURE() << (options ? "help" : options.error().message());
  return {};
}

TEST(LimitFlags, SizesAreThoseOfDocker) {
  const std::pair<std::string_view, std::int64_t> sizes[] = {
      {"0", 0},       {"64", 64},        {"64b", 64},        {"64 k", 65536},   {"1kb", 1024},
      {"1KiB", 1024}, {"1.5m", 1572864}, {"2g", 2147483648}, {"1T", 1LL << 40}, {".5k", 512}};
  for (const auto& [text, bytes] : sizes) {
    auto size = ParseSize(text);
    ASSERT_TRUE(size) << text << ": " << size.error().message();
    EXPECT_EQ(*size, bytes) << text;
  }
  for (const char* text : {"", "x", "-1", "1x", "1kx", "1kibb", "1 2", "1e400", "9999999p", "k1x"})
    EXPECT_FALSE(ParseSize(text)) << text;
}

TEST(LimitFlags, RefusalsAreInDockersWords) {
  EXPECT_EQ(Refusal({"--shm-size=1x", "."}),
            "invalid argument \"1x\" for \"--shm-size\" flag: invalid suffix: 'x'");
  EXPECT_TRUE(Refusal({"--ulimit", "foo=1", "."})
                  .starts_with("invalid argument \"foo=1\" for \"--ulimit\" flag: invalid ulimit "
                               "type: foo"));
  EXPECT_NE(Refusal({"--ulimit=", "."}).find("\"--ulimit\" flag"), std::string::npos);
  EXPECT_NE(Refusal({"-m", "lots", "."}).find("\"--memory\" flag"), std::string::npos);
  EXPECT_NE(Refusal({"--resource=memroy=1g", "."}).find("did you mean memory?"), std::string::npos);
  EXPECT_NE(Refusal({"--resource=memory", "."}).find("expected key=value"), std::string::npos);
  EXPECT_NE(Refusal({"--resource=cpu-quota=x", "."}).find("cpu-quota"), std::string::npos);
}

TEST(LimitFlags, UlimitsAreByName) {
  const StepLimits limits =
      Limits({"--ulimit=nofile=1024", "--ulimit", "nofile=10:20", "--ulimit=core=0:-1", "."});
  EXPECT_EQ(limits.ulimits, (Attributes{{"nofile", "10:20"}, {"core", "0:-1"}}));
  EXPECT_FALSE(ParseUlimit("nofile=20:10"));
  EXPECT_FALSE(ParseUlimit("nofile=1:2:3"));
  EXPECT_FALSE(ParseUlimit("nofile=-1:3"));
  EXPECT_FALSE(ParseUlimit("=1"));
}

TEST(LimitFlags, ResourcesHaveTheirOldNamesToo) {
  const StepLimits limits = Limits({"-m1g", "--memory-swap=-1", "-c", "2", "--cpu-period=3",
                                    "--cpuset-cpus=0,1", "--resource=cpu-quota= 5 ", "--resource",
                                    "cpuset-mems=0", "--resource=cpu-shares=0", "."});
  EXPECT_EQ(limits.resources, (Attributes{{"memory", "1073741824"},
                                          {"memswap", "-1"},
                                          {"cpuperiod", "3"},
                                          {"cpusetcpus", "0,1"},
                                          {"cpuquota", "5"},
                                          {"cpusetmems", "0"}}));
  EXPECT_EQ(Limits({"--shm-size=64m", "--cgroup-parent=/p", "."}).shm_size, 64 << 20);
}

}  // namespace
}  // namespace depot::options::limit_flags_test
