#include "driver/oci/reference.h"

#include <string>

#include <gtest/gtest.h>

namespace depot::reference_test {
namespace {

const std::string kDigest = "sha256:" + std::string(64, 'a');

std::string Reason(std::string_view text) {
  Result<Reference> result = ParseReference(text);
  return result ? "accepted as " + FormatReference(*result) : result.error().message();
}

TEST(Reference, FillsInDockersDefaults) {
  auto full = [](std::string_view text) { return FormatReference(*ParseReference(text)); };
  EXPECT_EQ(full("busybox"), "docker.io/library/busybox:latest");
  EXPECT_EQ(full("user/image:1.0"), "docker.io/user/image:1.0");
  EXPECT_EQ(full("index.docker.io/busybox"), "docker.io/library/busybox:latest");
  EXPECT_EQ(full("localhost/a"), "localhost/a:latest");
  EXPECT_EQ(full("localhost:5000/a/b:t"), "localhost:5000/a/b:t");
  EXPECT_EQ(full("registry.gitlab.com/g/p:v_1.2-x"), "registry.gitlab.com/g/p:v_1.2-x");
  EXPECT_EQ(full("host.io/a@" + kDigest), "host.io/a@" + kDigest);
  EXPECT_EQ(full("a:t@" + kDigest), "docker.io/library/a:t@" + kDigest);
  EXPECT_EQ(full("a__b/c---d.e_f"), "docker.io/a__b/c---d.e_f:latest");
}

TEST(Reference, UnderstandsPortsAndIpv6) {
  Result<Reference> reference = ParseReference("[fd00::1]:5000/team/app:1");
  ASSERT_TRUE(reference) << reference.error().message();
  EXPECT_EQ(reference->domain, "[fd00::1]:5000");
  EXPECT_EQ(reference->path, "team/app");
  EXPECT_EQ(reference->tag, "1");
  EXPECT_EQ(ParseReference("[::1]/app")->domain, "[::1]");
  EXPECT_NE(Reason("[::1/app").find("closing bracket"), std::string::npos);
  EXPECT_NE(Reason("[zz::1]/app").find("IPv6"), std::string::npos);
  EXPECT_NE(Reason("host:99999/app").find("port"), std::string::npos);
  EXPECT_NE(Reason("host:port/app").find("port"), std::string::npos);
}

TEST(Reference, SaysTheRealReason) {
  EXPECT_NE(Reason("MyApp").find("must be lowercase"), std::string::npos);
  EXPECT_NE(Reason("team/MyApp:1").find("must be lowercase"), std::string::npos);
  EXPECT_NE(Reason("MyTeam/app").find("must be lowercase"), std::string::npos);
  EXPECT_NE(Reason("host.io/Team/app").find("must be lowercase"), std::string::npos);
  EXPECT_NE(Reason("").find("empty"), std::string::npos);
  EXPECT_NE(Reason("https://host.io/app").find("scheme"), std::string::npos);
  EXPECT_NE(Reason("app: latest").find("blank"), std::string::npos);
  EXPECT_NE(Reason("app:").find("tag after ':' is empty"), std::string::npos);
  EXPECT_NE(Reason("app:" + std::string(129, 't')).find("128"), std::string::npos);
  EXPECT_NE(Reason("app:-x").find("a tag holds"), std::string::npos);
  EXPECT_NE(Reason("app@sha256:12").find("digest"), std::string::npos);
  EXPECT_NE(Reason(std::string(64, 'a')).find("image id"), std::string::npos);
  EXPECT_NE(Reason("host.io//app").find("empty part"), std::string::npos);
  EXPECT_NE(Reason("a..b").find("repository name holds"), std::string::npos);
  EXPECT_NE(Reason("a___b").find("repository name holds"), std::string::npos);
  EXPECT_NE(Reason("-a").find("repository name holds"), std::string::npos);
  EXPECT_NE(Reason("host.io/").find("empty"), std::string::npos);
  EXPECT_NE(Reason(std::string(256, 'a')).find("255"), std::string::npos);
}

TEST(Reference, ErrorsDoNotCarryPasswordsOrControlBytes) {
  EXPECT_EQ(Reason("https://me:geheim@host/app").find("geheim"), std::string::npos);
  EXPECT_EQ(Reason("a\x1b[2Jb").find('\x1b'), std::string::npos);
}

TEST(Reference, FamiliarFormIsShort) {
  auto familiar = [](std::string_view text) { return FamiliarReference(*ParseReference(text)); };
  EXPECT_EQ(familiar("docker.io/library/busybox"), "busybox:latest");
  EXPECT_EQ(familiar("docker.io/user/image:t"), "user/image:t");
  EXPECT_EQ(familiar("docker.io/library/deep/image:t"), "library/deep/image:t");
  EXPECT_EQ(familiar("host.io/library/x:t"), "host.io/library/x:t");
  EXPECT_EQ(RepositoryOf(*ParseReference("busybox:9")), "docker.io/library/busybox");
}

}  // namespace
}  // namespace depot::reference_test
