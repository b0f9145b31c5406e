#include "driver/builder/engine_tunnel.h"

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>
#include <sys/stat.h>

#include "driver/base/text.h"
#include "driver/docker/engine.h"
#include "tests/unit/http/certificates.h"

namespace depot::builder::engine_tunnel_test {
namespace {

/// An `ssh` in PATH that is what a test makes of it.
class EngineTunnelTest : public ::testing::Test {
 protected:
  EngineTunnelTest() {
    ::signal(SIGPIPE, SIG_IGN);
    client_ = http::MakeCurlClient("test/1", std::chrono::seconds(5), SystemRoots());
    engine_.host = "ssh://me@far.example";
    ::setenv("PATH", Cat(dir_.path(), ":/usr/bin:/bin").c_str(), 1);
  }

  void SshIs(const std::string& script) {
    dir_.Write("ssh", Cat("#!/bin/sh\n", script, "\n"));
    ::chmod(dir_.path("ssh").c_str(), 0755);
  }

  Result<docker::EngineInfo> Ask() {
    std::filesystem::create_directories(dir_.path("tmp"));
    TRY_ASSIGN(tunnel_, OpenEngineTunnel(engine_, dir_.path("tmp")));
    EXPECT_TRUE(std::filesystem::is_empty(dir_.path("tmp")));
    TRY_ASSIGN(auto engine, docker::MakeEngine(*client_, engine_));
    return engine->Info(Cancel::Never());
  }

  test::TempDir dir_;
  std::unique_ptr<http::HttpClient> client_;
  docker::EngineEndpoint engine_;
  std::unique_ptr<EngineTunnel> tunnel_;
};

TEST_F(EngineTunnelTest, HttpGoesThroughTheProgram) {
  SshIs(R"sh(echo "$@" >"$(dirname "$0")/arguments"
while read -r line && [ "$line" != "$(printf '\r')" ]; do :; done
printf 'HTTP/1.1 200 OK\r\nContent-Length: 27\r\n\r\n{"ServerVersion":"28.0.0"}\n'
cat >/dev/null)sh");
  auto info = Ask();
  ASSERT_TRUE(info) << info.error().message();
  EXPECT_EQ(info->server_version, "28.0.0");
  std::ifstream file(dir_.path("arguments"));
  std::string arguments((std::istreambuf_iterator<char>(file)), {});
  EXPECT_EQ(arguments, "-l me -o ConnectTimeout=30 -T -- far.example docker system dial-stdio\n");
}

// Whoever learns of the end first, the writer, the reader or the client: several times, as it is
// chance.
TEST_F(EngineTunnelTest, WhatTheProgramSaysAtItsEndIsTheError) {
  SshIs("echo 'Host key verification failed.' >&2; exit 255");
  for (int i = 0; i < 20; ++i) {
    auto info = Ask();
    ASSERT_FALSE(info);
    EXPECT_EQ(info.error().code(), ErrorCode::kUnavailable);
    EXPECT_NE(info.error().message().find("ssh://"), std::string::npos);
    EXPECT_NE(info.error().message().find("exit code 255: Host key verification failed."),
              std::string::npos)
        << info.error().message();
  }
}

TEST_F(EngineTunnelTest, OthersNeedNone) {
  engine_.host = "unix:///var/run/docker.sock";
  auto tunnel = OpenEngineTunnel(engine_, dir_.path());
  ASSERT_TRUE(tunnel);
  EXPECT_EQ(*tunnel, nullptr);
  EXPECT_EQ(engine_.tunnel, "");
}

}  // namespace
}  // namespace depot::builder::engine_tunnel_test
