#include "driver/docker/contexts.h"

#include <gtest/gtest.h>

#include "driver/base/text.h"
#include "driver/oci/digest.h"
#include "tests/unit/http/certificates.h"

namespace depot::docker::contexts_test {
namespace {

using test::TempDir;

class Contexts : public testing::Test {
 protected:
  Contexts() {
    config_.directory = dir_.path();
    config_.path = dir_.path("config.json");
  }

  void AddContext(const std::string& name, const std::string& endpoint) {
    dir_.Write(
        Cat("contexts/meta/", Sha256Hex(name), "/meta.json"),
        Cat(R"({"Name":")", name, R"(","Metadata":{},"Endpoints":{"docker":)", endpoint, "}}"));
  }

  void AddTls(const std::string& name, const std::string& file) {
    dir_.Write(Cat("contexts/tls/", Sha256Hex(name), "/docker/", file), Cat(name, ' ', file));
  }

  Result<EngineEndpoint> Resolve() { return ResolveEngine(flags_, environment_, config_); }

  /// "context host", or the error.
  std::string Resolved() {
    Result<EngineEndpoint> endpoint = Resolve();
    if (!endpoint) return endpoint.error().message();
    return Cat(endpoint->context_name, ' ', endpoint->host, endpoint->tls ? " tls" : "");
  }

  TempDir dir_;
  EngineFlags flags_;
  Environment environment_;
  ConfigFile config_;
};

TEST_F(Contexts, FollowDockersOrder) {
  for (const char* name : {"from-config", "from-variable", "from-flag"}) {
    AddContext(name, Cat(R"({"Host":"tcp://)", name, R"(:1"})"));
  }
  EXPECT_EQ(Resolved(), "default unix:///var/run/docker.sock");
  config_.current_context = "from-config";
  EXPECT_EQ(Resolved(), "from-config tcp://from-config:1");
  environment_["DOCKER_CONTEXT"] = "from-variable";
  EXPECT_EQ(Resolved(), "from-variable tcp://from-variable:1");
  environment_["DOCKER_HOST"] = "tcp://h:7";
  EXPECT_EQ(Resolved(), "default tcp://h:7");
  flags_.host = "unix:///x.sock";
  EXPECT_EQ(Resolved(), "default unix:///x.sock");
  flags_.host = "";
  flags_.context = "from-flag";
  EXPECT_EQ(Resolved(), "from-flag tcp://from-flag:1");
  flags_.context = "default";
  EXPECT_EQ(Resolved(), "default tcp://h:7");
}

TEST_F(Contexts, HostAndContextTogetherAreAUsageError) {
  flags_.context = "default";
  flags_.host = "tcp://h";
  Result<EngineEndpoint> endpoint = Resolve();
  ASSERT_FALSE(endpoint);
  EXPECT_EQ(endpoint.error().code(), ErrorCode::kUsage);
}

TEST_F(Contexts, WhatAnAddressLeavesOutIsWhatDockerTakes) {
  for (const auto& [host, whole] :
       {std::pair("tcp://", "tcp://localhost:2375"), std::pair("tcp://:7", "tcp://localhost:7"),
        std::pair(":7", "tcp://localhost:7"), std::pair("unix://", "unix:///var/run/docker.sock"),
        std::pair(" unix:// ", "unix:///var/run/docker.sock"),
        std::pair(" ", "unix:///var/run/docker.sock")}) {
    environment_["DOCKER_HOST"] = host;
    EXPECT_EQ(Resolved(), Cat("default ", whole)) << host;
  }
}

TEST_F(Contexts, EmptyVariablesDoNotCount) {
  environment_ = {{"DOCKER_HOST", ""}, {"DOCKER_CONTEXT", ""}, {"DOCKER_TLS_VERIFY", ""}};
  EXPECT_EQ(Resolved(), "default unix:///var/run/docker.sock");
}

TEST_F(Contexts, UnknownContextListsTheKnownOnes) {
  AddContext("remote", R"({"Host":"tcp://h:1"})");
  AddContext("arm", R"({"Host":"tcp://h:1"})");
  environment_["DOCKER_CONTEXT"] = "remot";
  Result<EngineEndpoint> endpoint = Resolve();
  ASSERT_FALSE(endpoint);
  EXPECT_EQ(endpoint.error().code(), ErrorCode::kNotFound);
  EXPECT_EQ(endpoint.error().message(),
            "there is no docker context \"remot\" (named by DOCKER_CONTEXT); there are: default, "
            "arm, remote");
  EXPECT_EQ(endpoint.error().hint(), "did you mean remote?");
}

TEST_F(Contexts, BrokenMetadataNamesTheFile) {
  dir_.Write(Cat("contexts/meta/", Sha256Hex("x"), "/meta.json"), "{");
  flags_.context = "x";
  EXPECT_NE(Resolved().find("meta.json: not valid JSON"), std::string::npos);
  AddContext("y", "null");
  flags_.context = "y";
  EXPECT_NE(Resolved().find("has no docker endpoint"), std::string::npos);
}

TEST_F(Contexts, StoredTlsIsReadFromTheContextsFolder) {
  AddContext("remote", R"({"Host":"tcp://h"})");
  flags_.context = "remote";
  EXPECT_EQ(Resolved(), "remote tcp://h:2375");
  for (const char* file : {"ca.pem", "cert.pem", "key.pem"})
    AddTls("remote", file);
  Result<EngineEndpoint> endpoint = Resolve();
  ASSERT_TRUE(endpoint) << endpoint.error().message();
  EXPECT_EQ(endpoint->host, "tcp://h:2376");
  EXPECT_TRUE(endpoint->tls && endpoint->verify);
  EXPECT_EQ(endpoint->ca_pem, "remote ca.pem");
  EXPECT_EQ(endpoint->certificate_pem, "remote cert.pem");
  EXPECT_EQ(endpoint->key_pem.Reveal(), "remote key.pem");
}

TEST_F(Contexts, StoredContextMaySkipVerification) {
  AddContext("remote", R"({"Host":"tcp://h:9","SkipTLSVerify":true})");
  flags_.context = "remote";
  Result<EngineEndpoint> endpoint = Resolve();
  ASSERT_TRUE(endpoint);
  EXPECT_TRUE(endpoint->tls);
  EXPECT_FALSE(endpoint->verify);
}

TEST_F(Contexts, CertificateWithoutKeyIsAnError) {
  AddContext("remote", R"({"Host":"tcp://h:9"})");
  AddTls("remote", "cert.pem");
  flags_.context = "remote";
  EXPECT_NE(Resolved().find("has a client certificate but no key for it"), std::string::npos);
}

TEST_F(Contexts, TlsVariablesReadTheCertificatePath) {
  TempDir certificates;
  environment_ = {{"DOCKER_HOST", "tcp://docker"},
                  {"DOCKER_TLS_VERIFY", "0"},
                  {"DOCKER_CERT_PATH", certificates.path()}};
  Result<EngineEndpoint> endpoint = Resolve();
  ASSERT_FALSE(endpoint);
  EXPECT_EQ(endpoint.error().message(),
            Cat("cannot read ", certificates.path("ca.pem"), ": no such file or directory"));
  EXPECT_FALSE(endpoint.error().hint().empty());

  certificates.Write("ca.pem", "ca");
  endpoint = Resolve();
  ASSERT_TRUE(endpoint) << endpoint.error().message();
  EXPECT_EQ(endpoint->host, "tcp://docker:2376");
  EXPECT_TRUE(endpoint->tls && endpoint->verify) << "any text switches verification on";
  EXPECT_EQ(endpoint->ca_pem, "ca");
  EXPECT_EQ(endpoint->certificate_pem, "") << "a missing default certificate is none";

  certificates.Write("cert.pem", "cert");
  certificates.Write("key.pem", "key");
  endpoint = Resolve();
  ASSERT_TRUE(endpoint);
  EXPECT_EQ(endpoint->certificate_pem, "cert");
  EXPECT_EQ(endpoint->key_pem.Reveal(), "key");
}

TEST_F(Contexts, TlsWithoutVerificationNeedsNoAuthority) {
  environment_ = {{"DOCKER_TLS", "1"}};
  Result<EngineEndpoint> endpoint = Resolve();
  ASSERT_TRUE(endpoint) << endpoint.error().message();
  EXPECT_EQ(endpoint->host, "tcp://localhost:2376");
  EXPECT_TRUE(endpoint->tls);
  EXPECT_FALSE(endpoint->verify);
}

TEST_F(Contexts, TlsFlagsNameFilesThatMustExist) {
  flags_.host = "tcp://h:1";
  flags_.tls_verify = true;
  flags_.tls_ca = dir_.Write("my-ca", "CA");
  flags_.tls_cert = dir_.path("none.pem");
  flags_.tls_key = dir_.Write("my-key", "KEY");
  EXPECT_EQ(Resolved(), Cat("cannot read ", dir_.path("none.pem"), ": no such file or directory"));
  flags_.tls_cert = dir_.Write("my-cert", "CERT");
  Result<EngineEndpoint> endpoint = Resolve();
  ASSERT_TRUE(endpoint);
  EXPECT_EQ(endpoint->ca_pem + endpoint->certificate_pem, "CACERT");
}

TEST_F(Contexts, TlsIsIgnoredForUnixSockets) {
  environment_ = {{"DOCKER_HOST", "unix:///s"}, {"DOCKER_TLS_VERIFY", "1"}};
  EXPECT_EQ(Resolved(), "default unix:///s");
}

TEST_F(Contexts, AnEngineBehindSshTakesNoTls) {
  environment_ = {{"DOCKER_HOST", "ssh://me@h:22/run/docker.sock"}, {"DOCKER_TLS_VERIFY", "1"}};
  EXPECT_EQ(Resolved(), "default ssh://me@h:22/run/docker.sock");
  EXPECT_EQ(ParseEngineHost(*Resolve())->ssh, "me@h:22/run/docker.sock");
}

TEST_F(Contexts, OtherSchemesAreRefusedWithAdvice) {
  for (const char* host : {"npipe:////./pipe/docker", "fd://", "http://h:1"}) {
    flags_.host = host;
    Result<EngineEndpoint> endpoint = Resolve();
    ASSERT_FALSE(endpoint) << host;
    EXPECT_EQ(endpoint.error().code(), ErrorCode::kUnsupported);
    EXPECT_FALSE(endpoint.error().hint().empty());
  }
}

TEST_F(Contexts, HttpHeadersOfTheConfigGoAlong) {
  config_.http_headers["X-Token"] = "t";
  Result<EngineEndpoint> endpoint = Resolve();
  ASSERT_TRUE(endpoint);
  ASSERT_EQ(endpoint->headers.size(), 1U);
  EXPECT_EQ(endpoint->headers[0].second.Reveal(), "t");
}

TEST_F(Contexts, TlsEnginesAreCheckedAgainstTheEnvironmentsRoots) {
  environment_["SSL_CERT_FILE"] = "/roots.pem";
  AddContext("plain", R"({"Host":"tcp://h:1"})");
  AddContext("tls", R"({"Host":"tcp://h:1"})");
  AddTls("tls", "cert.pem");
  AddTls("tls", "key.pem");
  flags_.context = "tls";
  Result<EngineEndpoint> tls = Resolve();
  ASSERT_TRUE(tls) << tls.error().message();
  EXPECT_EQ(tls->ca_pem, "");
  EXPECT_EQ(tls->system_roots.file, "/roots.pem");
  flags_.context = "plain";
  Result<EngineEndpoint> plain = Resolve();
  ASSERT_TRUE(plain) << plain.error().message();
  EXPECT_EQ(plain->system_roots.file, "");
}

TEST_F(Contexts, HostsAreCompletedOrRefused) {
  for (auto [given, expected] : std::vector<std::pair<std::string, std::string>>{
           {"localhost:2375", "default tcp://localhost:2375"},
           {"tcp://h", "default tcp://h:2375"},
           {"tcp://h:1/", "default tcp://h:1"},
           {"tcp://[::1]", "default tcp://[::1]:2375"},
           {"tcp://[::1]:5", "default tcp://[::1]:5"}}) {
    flags_.host = given;
    EXPECT_EQ(Resolved(), expected) << given;
  }
  for (const char* host :
       {"tcp://h:0", "tcp://h:70000", "tcp://h:x", "tcp://h:1/path", "tcp://u:p@h:1", "tcp://h h:1",
        "unix://relative", "tcp://[::1", "unix:///a\x1b[31m", "ssh://h\nx", "ssh://me:secret@h"}) {
    flags_.host = host;
    Result<EngineEndpoint> endpoint = Resolve();
    ASSERT_FALSE(endpoint) << host;
    EXPECT_EQ(endpoint.error().code(), ErrorCode::kInvalid);
    EXPECT_EQ(endpoint.error().message().find('\x1b'), std::string::npos);
  }
}

TEST_F(Contexts, ASocketsPathAloneIsNoHost) {
  for (const char* host : {"/var/run/docker.sock", "unix:/var/run/docker.sock"}) {
    flags_.host = host;
    Result<EngineEndpoint> endpoint = Resolve();
    ASSERT_FALSE(endpoint) << host;
    EXPECT_EQ(endpoint.error().hint(), "did you mean unix:///var/run/docker.sock?");
  }
}

TEST(EngineHost, IsTakenApart) {
  EngineEndpoint endpoint;
  endpoint.host = "tcp://[2001:db8::1]:2376";
  Result<EngineAddress> address = ParseEngineHost(endpoint);
  ASSERT_TRUE(address);
  EXPECT_EQ(address->address, "2001:db8::1");
  EXPECT_EQ(address->port, 2376);
  endpoint.host = "tcp://h";
  endpoint.tls = true;
  EXPECT_EQ(ParseEngineHost(endpoint)->port, 2376);
  endpoint.host = "unix:///a/b";
  EXPECT_EQ(ParseEngineHost(endpoint)->socket_path, "/a/b");
}

}  // namespace
}  // namespace depot::docker::contexts_test
