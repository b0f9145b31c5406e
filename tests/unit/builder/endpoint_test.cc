#include "driver/builder/endpoint.h"

#include <cstdio>
#include <cstdlib>
#include <fstream>

#include <gtest/gtest.h>
#include <unistd.h>

#include "driver/base/encode.h"
#include "driver/base/text.h"

namespace depot::builder::endpoint_test {
namespace {

using Environment = std::map<std::string, std::string>;

/// A CA, a certificate and its key, made by openssl once for all tests.
class EndpointTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    char name[] = "/tmp/endpoint-test-XXXXXX";
    directory_ = ::mkdtemp(name);
    std::string command = Cat(
        "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=test -keyout ", directory_,
        "/key.pem -out ", directory_, "/cert.pem >/dev/null 2>&1 && openssl genpkey -algorithm ",
        "ed25519 -out ", directory_, "/other-key.pem >/dev/null 2>&1");
    ASSERT_EQ(std::system(command.c_str()), 0);
  }
  static void TearDownTestSuite() { ASSERT_EQ(std::system(Cat("rm -r ", directory_).c_str()), 0); }

  static std::string Path(const std::string& name) { return Cat(directory_, "/", name); }
  static std::string Content(const std::string& name) {
    std::ifstream file(Path(name));
    return {std::istreambuf_iterator<char>(file), {}};
  }

  static std::string Message(const std::string& url, const Environment& environment = {}) {
    auto endpoint = ParseEndpoint(url, environment, Cancel::Never());
    return endpoint ? "" : endpoint.error().message();
  }

  static std::string directory_;
};

std::string EndpointTest::directory_;

TEST_F(EndpointTest, ReadsHostPortAndSocketPath) {
  auto tcp = ParseEndpoint("tcp://builder.example:1234", {}, Cancel::Never());
  ASSERT_TRUE(tcp);
  EXPECT_EQ(tcp->host, "builder.example");
  EXPECT_EQ(tcp->port, 1234);
  EXPECT_FALSE(tcp->tls);
  auto v6 = ParseEndpoint("tcp://[::1]:99", {}, Cancel::Never());
  ASSERT_TRUE(v6);
  EXPECT_EQ(v6->host, "::1");
  auto socket = ParseEndpoint("unix:///run/buildkit/buildkitd.sock", {}, Cancel::Never());
  ASSERT_TRUE(socket);
  EXPECT_EQ(socket->path, "/run/buildkit/buildkitd.sock");
}

TEST_F(EndpointTest, TlsMaterialIsAPathPemTextOrBase64OfIt) {
  for (const std::string& cert :
       {Path("cert.pem"), Content("cert.pem"), Base64(Content("cert.pem"))}) {
    for (const std::string& key :
         {Path("key.pem"), Content("key.pem"), Base64(Content("key.pem"))}) {
      auto endpoint = ParseEndpoint("tcp://h:1",
                                    {{"DEPOT_BUILDER_CACERT", cert},
                                     {"DEPOT_BUILDER_CERT", cert},
                                     {"DEPOT_BUILDER_KEY", key}},
                                    Cancel::Never());
      ASSERT_TRUE(endpoint) << endpoint.error().message();
      EXPECT_TRUE(endpoint->tls);
      EXPECT_EQ(endpoint->tls_options.ca_pem, Content("cert.pem"));
      EXPECT_EQ(endpoint->tls_options.key_pem.Reveal(), Content("key.pem"));
      EXPECT_EQ(endpoint->tls_options.server_name, "h");
    }
  }
}

TEST_F(EndpointTest, SeveralEndpointsShareWhatAPipeGave) {
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  const std::string key = Content("key.pem");
  ASSERT_EQ(::write(ends[1], key.data(), key.size()), static_cast<ssize_t>(key.size()));
  ::close(ends[1]);
  auto read = ReadPipes({{"DEPOT_BUILDER_CACERT", Path("cert.pem")},
                         {"DEPOT_BUILDER_CERT", Path("cert.pem")},
                         {"DEPOT_BUILDER_KEY", Cat("/dev/fd/", ends[0])}},
                        Cancel::Never());
  ::close(ends[0]);
  ASSERT_TRUE(read) << read.error().message();
  EXPECT_EQ(read->at("DEPOT_BUILDER_CERT"), Path("cert.pem"));
  for (const char* url : {"tcp://h:1", "tcp://h:2"}) {
    auto endpoint = ParseEndpoint(url, *read, Cancel::Never());
    ASSERT_TRUE(endpoint) << endpoint.error().message();
    EXPECT_EQ(endpoint->tls_options.key_pem.Reveal(), key);
  }
}

TEST_F(EndpointTest, TheUrlBeatsTheEnvironment) {
  auto endpoint = ParseEndpoint(
      "tcp://h:1?servername=a.test&cacert=" + Path("cert.pem"),
      {{"DEPOT_BUILDER_SERVERNAME", "b.test"}, {"DEPOT_BUILDER_CACERT", "/no/such/file"}},
      Cancel::Never());
  ASSERT_TRUE(endpoint) << endpoint.error().message();
  EXPECT_EQ(endpoint->tls_options.server_name, "a.test");
  EXPECT_EQ(endpoint->url, "tcp://h:1");
}

TEST_F(EndpointTest, WithoutACaTheEnvironmentsRootsAreUsed) {
  auto endpoint = ParseEndpoint("tcp://h:1?servername=a.test",
                                {{"SSL_CERT_FILE", Path("cert.pem")}}, Cancel::Never());
  ASSERT_TRUE(endpoint) << endpoint.error().message();
  EXPECT_EQ(endpoint->tls_options.system_roots.file, Path("cert.pem"));
  EXPECT_EQ(endpoint->tls_options.ca_pem, "");
  Environment missing = {{"SSL_CERT_FILE", "/no/roots.pem"}};
  EXPECT_NE(Message("tcp://h:1?servername=a.test", missing).find("/no/roots.pem"),
            std::string::npos);
}

TEST_F(EndpointTest, SaysWhatIsWrong) {
  EXPECT_NE(Message("tpc://h:1").find("did you mean tcp://"), std::string::npos);
  EXPECT_NE(Message("tcp://h").find("no host and port"), std::string::npos);
  EXPECT_NE(Message("tcp://h:0").find("no host and port"), std::string::npos);
  EXPECT_NE(Message("tcp://h:99999").find("no host and port"), std::string::npos);
  EXPECT_NE(Message("unix://relative").find("not an absolute path"), std::string::npos);
  EXPECT_NE(Message("tcp://h:1?cacrt=x").find("did you mean cacert"), std::string::npos);
  EXPECT_NE(Message("tcp://h\x1b[31m:1").find("no address has"), std::string::npos);
  EXPECT_EQ(Message("tcp://h\x1b[31m:1").find('\x1b'), std::string::npos);
  EXPECT_NE(Message("mybuilder").find("is not an endpoint"), std::string::npos);
  EXPECT_NE(Message("unix:///x?cacert=y").find("takes no settings"), std::string::npos);
  EXPECT_NE(Message("linux/amd64=tcp://h:1").find("PLATFORM=URL"), std::string::npos);
  EXPECT_NE(Message("tcp://h:1?cacert=/no/such").find("/no/such"), std::string::npos);
  EXPECT_NE(Message("tcp://h:1?cert=" + Path("cert.pem")).find("needs its key"), std::string::npos);
  EXPECT_NE(Message("tcp://h:1?key=" + Path("key.pem")).find("needs its certificate"),
            std::string::npos);
  EXPECT_NE(Message("tcp://h:1?cert=" + Path("cert.pem") + "&key=" + Path("other-key.pem"))
                .find("belong together"),
            std::string::npos);
  EXPECT_NE(Message("tcp://h:1?cacert=" + Path("key.pem")).find("no PEM certificate"),
            std::string::npos);
}

TEST_F(EndpointTest, KeyMaterialWithoutItsFrameIsNotTakenForAPath) {
  // What is between the BEGIN and END lines, as GitLab's masked variables want it: one long word.
  for (const char* name : {"key.pem", "other-key.pem"}) {
    std::string pem = Content(name);
    std::size_t begin = pem.find('\n') + 1;
    std::string word = pem.substr(begin, pem.find("-----END") - begin);
    std::erase(word, '\n');
    std::string message = Message("tcp://h:1", {{"DEPOT_BUILDER_KEY", word}});
    EXPECT_NE(message.find("neither PEM, base64 of PEM, nor a path"), std::string::npos) << name;
    EXPECT_EQ(message.find(word.substr(0, 20)), std::string::npos) << message;
  }
  // Of base64's alphabet too, but a path.
  std::string path = Cat('/', std::string(60, 'M'), "/key");
  EXPECT_NE(Message("tcp://h:1", {{"DEPOT_BUILDER_KEY", path}}).find(path), std::string::npos);
}

TEST_F(EndpointTest, AServerNameThatEndsBeforeItBeginsWouldSwitchTheCheckOff) {
  EXPECT_NE(Message("tcp://h:1?servername=%00").find("server name"), std::string::npos);
  EXPECT_NE(Message("tcp://h:1?servername=a%00b").find("server name"), std::string::npos);
}

TEST_F(EndpointTest, NothingOfAUrlButItsAddressShowsInAnError) {
  for (const char* url :
       {"tls://h:1?key=hunter2", "tcp://user:hunter2@h:1", "mybuilder?key=hunter2",
        "linux/amd64=tcp://h:1?key=hunter2", "tcp://user:hunter2@h"}) {
    std::string message = Message(url);
    EXPECT_FALSE(message.empty()) << url;
    EXPECT_EQ(message.find("hunter2"), std::string::npos) << message;
  }
}

TEST_F(EndpointTest, KeyMaterialNeverShowsInAnError) {
  std::string broken_key = Content("key.pem").substr(40);
  std::string message = Message("tcp://h:1", {{"DEPOT_BUILDER_KEY", broken_key}});
  ASSERT_FALSE(message.empty());
  EXPECT_EQ(message.find(broken_key.substr(0, 40)), std::string::npos) << message;
}

}  // namespace
}  // namespace depot::builder::endpoint_test
