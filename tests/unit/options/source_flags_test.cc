#include "plugin/options/source_flags.h"

#include <gtest/gtest.h>

namespace depot::options::source_flags_test {
namespace {

using Strings = std::vector<std::string>;

std::string Refusal(const Result<>& result) {
  if (result) return "";
  EXPECT_EQ(result.error().code(), ErrorCode::kUsage);
  return result.error().message();
}

TEST(SourceFlags, SshNamesAgentsAndKeys) {
  SourceOptions options;
  for (const char* value : {"default", "socket=", "a=one,env=TWO,three", "=key"}) {
    Result<> added = AddSsh(value, options);
    if (value == std::string("=key")) {
      EXPECT_EQ(Refusal(added), "--ssh default is given twice");
    } else {
      EXPECT_TRUE(added.has_value()) << value;
    }
  }
  ASSERT_EQ(options.ssh.size(), 3U);
  EXPECT_TRUE(options.ssh[0].files.empty() && options.ssh[0].variables.empty());
  EXPECT_EQ(options.ssh[1].id, "socket");
  EXPECT_TRUE(options.ssh[1].files.empty());
  EXPECT_EQ(options.ssh[2].files, (Strings{"one", "three"}));
  EXPECT_EQ(options.ssh[2].variables, Strings{"TWO"});
}

TEST(SourceFlags, SshRefusesWhatMakesNoSense) {
  SourceOptions options;
  EXPECT_EQ(Refusal(AddSsh("a=x,,y", options)), "--ssh a: a part of the list is empty");
  EXPECT_EQ(Refusal(AddSsh("a=env=", options)), "--ssh a: a part of the list is empty");
  const std::string shown = Refusal(AddSsh("a=-----BEGIN PRIVATE KEY-----\nword", options));
  EXPECT_NE(shown.find("the text of a key was given"), std::string::npos);
  EXPECT_EQ(shown.find("word"), std::string::npos);
  EXPECT_TRUE(AddSsh("", options).has_value());
  EXPECT_EQ(options.notices.size(), 1U);
}

TEST(SourceFlags, ContextsHaveNamesOfImages) {
  SourceOptions options;
  for (const char* value : {"alpine:latest=a", "docker.io/library/busybox:1=docker-image://b",
                            "h.example/x=c=d", "alpine=e"}) {
    EXPECT_TRUE(AddBuildContext(value, options).has_value()) << value;
  }
  ASSERT_EQ(options.contexts.size(), 3U);
  EXPECT_EQ(options.contexts[0].name, "busybox:1");
  EXPECT_EQ(options.contexts[1].name, "h.example/x");
  EXPECT_EQ(options.contexts[1].value, "c=d");
  EXPECT_EQ(options.contexts[2].name, "alpine");
  EXPECT_EQ(options.contexts[2].value, "e");
  EXPECT_EQ(options.notices, Strings{"--build-context alpine is given twice: the last one counts"});
}

}  // namespace
}  // namespace depot::options::source_flags_test
