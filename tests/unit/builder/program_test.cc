#include "driver/builder/program.h"

#include <gtest/gtest.h>

#include "driver/base/text.h"
#include "driver/builder/engine_driver.h"

namespace depot::builder::program_test {
namespace {

std::string CommandOf(const std::string& url) {
  auto endpoint = ParseEndpoint(url, {}, Cancel::Never());
  return endpoint ? Join(endpoint->program, " ") : endpoint.error().message();
}

/// What BuildKit's own client runs (moby/buildkit client/connhelper), and ssh without a terminal.
TEST(ProgramTest, EverySchemeHasItsProgram) {
  const std::string ssh = "-o ConnectTimeout=30 -T --";
  for (const auto& [url, command] : std::vector<std::pair<std::string, std::string>>{
           {"ssh://h", Cat("ssh ", ssh, " h buildctl dial-stdio")},
           {"ssh://me@h.example:2222",
            Cat("ssh -l me -p 2222 ", ssh, " h.example buildctl dial-stdio")},
           {"ssh://h/run/b.sock",
            Cat("ssh ", ssh, " h buildctl --addr unix:///run/b.sock dial-stdio")},
           {"ssh://[::1]:22/", Cat("ssh -p 22 ", ssh, " ::1 buildctl dial-stdio")},
           {"ssh://me@corp@h", Cat("ssh -l me@corp ", ssh, " h buildctl dial-stdio")},
           {"docker-container://b", "docker exec -i b buildctl dial-stdio"},
           {"docker-container://b?context=far%2B1",
            "docker --context=far+1 exec -i b buildctl dial-stdio"},
           {"podman-container://b_1.x", "podman exec -i b_1.x buildctl dial-stdio"},
           {"nerdctl-container://b", "nerdctl exec -i b buildctl dial-stdio"},
           {"nerdctl-container://b?namespace=k8s.io",
            "nerdctl exec --namespace=k8s.io -i b buildctl dial-stdio"},
           {"kube-pod://b", "kubectl exec -i b -- buildctl dial-stdio"},
           {"kube-pod://b?context=a%2Fb&namespace=ci&container=kit",
            "kubectl --context=a/b --namespace=ci exec --container=kit -i b -- buildctl "
            "dial-stdio"}}) {
    EXPECT_EQ(CommandOf(url), command) << url;
  }
}

TEST(ProgramTest, NothingBecomesAnOptionOrAWordOfAShell) {
  for (const char* url : {"ssh://-oProxyCommand=x",
                          "ssh://-l@h",
                          "ssh://h:22;id",
                          "ssh://h:0",
                          "ssh://h:65536",
                          "ssh://h:",
                          "ssh://",
                          "ssh:///run/x",
                          "ssh://h/run/$(id)",
                          "ssh://h/run/a b",
                          "ssh://h/-x",
                          "ssh://h/run/x;id",
                          "ssh://h`id`",
                          "ssh://h#x",
                          "ssh://h?x=y",
                          "ssh://h\nx",
                          "ssh://[::1",
                          "docker-container://",
                          "docker-container://-it",
                          "docker-container://a/b",
                          "docker-container://a b",
                          "docker-container://b?context=-x",
                          "docker-container://b?context=unix%3A%2F%2F%2Fx",
                          "docker-container://b?context=",
                          "docker-container://b?contxt=a",
                          "podman-container://--help",
                          "podman-container://b?x=1",
                          "nerdctl-container://b?namespace=-n",
                          "kube-pod://-b",
                          "kube-pod://B",
                          "kube-pod://deployment/b",
                          "kube-pod://b?namespace=-n",
                          "kube-pod://b?container=A",
                          "kube-pod://b?context=a%0Ab"}) {
    auto endpoint = ParseEndpoint(url, {}, Cancel::Never());
    ASSERT_FALSE(endpoint) << url << ": " << Join(endpoint->program, " ");
    EXPECT_EQ(endpoint.error().code(), ErrorCode::kUsage) << url;
  }
}

TEST(ProgramTest, APasswordIsRefusedAndNotShown) {
  auto endpoint = ParseEndpoint("ssh://me:hunter2@h", {}, Cancel::Never());
  ASSERT_FALSE(endpoint);
  EXPECT_NE(endpoint.error().message().find("password"), std::string::npos);
  EXPECT_EQ(endpoint.error().message().find("hunter2"), std::string::npos);
}

TEST(ProgramTest, AnEngineBehindSshIsReachedThroughDockersOwnProgram) {
  docker::EngineEndpoint engine;
  engine.host = "ssh://me@h:22/run/d.sock";
  auto endpoint = EndpointOfEngine(engine);
  ASSERT_TRUE(endpoint) << endpoint.error().message();
  EXPECT_EQ(Join(endpoint->program, " "),
            "ssh -l me -p 22 -o ConnectTimeout=30 -T -- h docker --host=unix:///run/d.sock system "
            "dial-stdio");
  engine.host = "ssh://-oProxyCommand=x";
  EXPECT_FALSE(EndpointOfEngine(engine));
}

TEST(ProgramTest, AProgramThatIsMissingIsSaidWithWhatToDo) {
  Endpoint endpoint;
  endpoint.scheme = "podman-container";
  endpoint.program = {"no-such-program-of-a-test"};
  auto stream = Dial(endpoint, Cancel::Never());
  ASSERT_FALSE(stream);
  EXPECT_EQ(stream.error().code(), ErrorCode::kNotFound);
  EXPECT_NE(stream.error().hint().find("no-such-program-of-a-test: install it"), std::string::npos);
}

}  // namespace
}  // namespace depot::builder::program_test
