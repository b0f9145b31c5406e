#include "pool/front/front.h"

#include <csignal>

#include <gtest/gtest.h>

#include "driver/base/text.h"
#include "driver/rpc/dial.h"
#include "pool/identity/authority.h"
#include "tests/unit/http/certificates.h"
#include "tests/unit/http/test_server.h"

namespace depot::front::front_test {
namespace {

using identity::Pass;
using test::Connection;
using test::TempDir;
using test::TestServer;

/// A front of builder "first" between clients with certificates and a builder that says everything
/// back, with a pool that says what the test wants.
class FrontTest : public ::testing::Test {
 protected:
  FrontTest() {
    std::signal(SIGPIPE, SIG_IGN);
    Start(pool_.Url(""));
  }

  /// In place of the front there is.
  void Start(const std::string& pool_url) {
    front_.reset();
    auto server = identity::IssueServerCertificate(dir_.path(), {"localhost"}, kLife);
    auto clients = authorities_.Of("first");
    EXPECT_TRUE(server && clients);
    FrontOptions options;
    options.listen = "127.0.0.1:0";
    options.socket = dir_.path("builder.sock");
    options.builder = "first";
    options.pool_url = pool_url;
    options.version = "test";
    options.system_roots = FindSystemRoots("", "");
    options.ask_every = std::chrono::milliseconds(50);
    certificates_ = {server->certificate_pem, server->key_pem, (*clients)->certificate_pem()};
    options.look_every = std::chrono::milliseconds(50);
    options.read_certificates = [this]() -> Result<Certificates> {
      std::lock_guard lock(mutex_);
      return certificates_;
    };
    options.say = [this](std::string_view text) {
      std::lock_guard lock(mutex_);
      log_ += Cat(text, '\n');
    };
    auto front = StartFront(std::move(options));
    EXPECT_TRUE(front) << front.error().message();
    front_ = *std::move(front);
  }

  static Cancel Soon() { return Cancel::Never().WithTimeout(std::chrono::seconds(20), "the test"); }

  void Say(const std::string& word) {
    std::lock_guard lock(mutex_);
    word_ = word;
  }
  void SayOfName(const std::string& word) {
    std::lock_guard lock(mutex_);
    known_ = word;
  }
  /// The front's log, once it has `part`, or what there is after a while.
  std::string LogWith(std::string_view part) {
    for (int i = 0; i < 200; ++i) {
      {
        std::lock_guard lock(mutex_);
        if (log_.find(part) != std::string::npos) return log_;
      }
      Cancel::Never().SleepFor(std::chrono::milliseconds(50));
    }
    std::lock_guard lock(mutex_);
    return log_;
  }

  /// A client with a certificate of builder `of` that says `pass`.
  Result<std::unique_ptr<rpc::ByteStream>> Dial(const Pass& pass, const std::string& of = "first") {
    TRY_ASSIGN(auto authority, authorities_.Of(of));
    TRY_ASSIGN(identity::IssuedCertificate issued, authority->Issue(pass, kLife));
    return DialWith(issued);
  }
  Result<std::unique_ptr<rpc::ByteStream>> DialWith(const identity::IssuedCertificate& issued,
                                                    const std::string& name = "localhost") {
    rpc::TlsOptions tls;
    tls.server_name = name;
    tls.ca_pem = dir_.Read("ca.pem");
    tls.certificate_pem = issued.certificate_pem;
    tls.key_pem = issued.key_pem;
    tls.alpn = "h2";
    TRY_ASSIGN(Fd socket, rpc::DialTcp("127.0.0.1", front_->port(), Soon()));
    return rpc::StartTls(rpc::MakeSocketStream(std::move(socket)), tls, Soon());
  }

  /// What comes back of a text, or why nothing does.
  static std::string Echo(Result<std::unique_ptr<rpc::ByteStream>>& client) {
    if (!client) return client.error().message();
    Result<> written = (*client)->Write({rpc::Bytes(std::string("ping"))}, Soon());
    std::string answer(4, ' ');
    auto got = (*client)->Read(answer.data(), answer.size(), Soon());
    if (!got) return got.error().message();
    return answer.substr(0, *got);
  }
  std::string Try(const Pass& pass, const std::string& of = "first") {
    auto client = Dial(pass, of);
    return Echo(client);
  }

  static constexpr std::chrono::minutes kLife{5};
  TempDir dir_;
  std::mutex mutex_;
  Certificates certificates_;
  std::string word_ = "yes\n";
  std::string known_;
  std::string log_;
  identity::BuilderAuthorities authorities_{dir_.path()};
  TestServer pool_{TestServer::Always([this](Connection& connection, test::SeenRequest& request) {
    std::lock_guard lock(mutex_);
    if (request.target == "/builders/first")
      return connection.Reply(known_.empty() ? 404 : 200, known_);
    const bool asked = request.target == "/builds/build1/on/first";
    connection.Reply(word_.empty() || !asked ? 503 : 200, word_);
  })};
  TestServer builder_{[](Connection& connection) {
                        for (std::string text; !(text = connection.ReadSome()).empty();)
                          connection.Write(text);
                      },
                      dir_.path("builder.sock")};
  std::unique_ptr<Front> front_;
};

#define EXPECT_SAYS(text, part) \
  EXPECT_NE((text).find(part), std::string::npos) << (text) << "\n  lacks: " << (part)

#define EXPECT_LOGGED(part) EXPECT_SAYS(LogWith(part), part)

TEST_F(FrontTest, LetsInABuildThatHasThisBuilder) {
  EXPECT_EQ(Try({"first", "p", "build1"}), "ping");
  EXPECT_LOGGED("build build1 of project p comes in from 127.0.0.1");
}

TEST_F(FrontTest, ANameThatThePoolDoesNotHaveIsSaidOnceUntilItHas) {
  const std::string warning =
      "warning: the pool sends no build here: it has no builder first; --builder has to be the "
      "name that `builders` in pool.yaml has\n";
  SayOfName("no: it has no builder first\n");
  EXPECT_LOGGED(warning);
  Say("");
  EXPECT_EQ(Try({"first", "p", "build1"}), "ping");
  SayOfName("");
  Cancel::Never().SleepFor(std::chrono::milliseconds(200));
  SayOfName("no: it has no builder first\n");
  Cancel::Never().SleepFor(std::chrono::milliseconds(200));
  SayOfName("yes\n");
  EXPECT_LOGGED("the pool has builder first now\n");
  const std::string log = LogWith(warning);
  EXPECT_EQ(log.find(warning), log.rfind(warning)) << log;
  EXPECT_EQ(log.find("cannot be asked"), log.rfind("cannot be asked")) << log;
}

TEST_F(FrontTest, APoolThatCannotBeAskedIsSaidOnce) {
  SayOfName("");
  const std::string warning = "warning: the pool cannot be asked: ";
  EXPECT_LOGGED(warning);
  EXPECT_EQ(Try({"first", "p", "build1"}), "ping");
  Cancel::Never().SleepFor(std::chrono::milliseconds(200));
  SayOfName("yes\n");
  EXPECT_LOGGED("the pool has builder first now\n");
  const std::string log = LogWith(warning);
  EXPECT_EQ(log.find("warning"), log.rfind("warning")) << log;
}

TEST_F(FrontTest, ThePoolsAddressMayEndInASlash) {
  Start(Cat(pool_.Url(""), "//"));
  Say("no: the build does not have this builder\n");
  EXPECT_NE(Try({"first", "p", "build1"}), "ping");
  EXPECT_LOGGED("build build1: the build does not have this builder");
}

TEST_F(FrontTest, RefusesABuildThatThePoolDoesNotWantHere) {
  Say("no: the build is over: failed\n");
  EXPECT_SAYS(Try({"first", "p", "build1"}), "refused our client certificate");
  EXPECT_LOGGED("refused 127.0.0.1: build build1: the build is over: failed");
}

TEST_F(FrontTest, RefusesCertificatesOfOthers) {
  EXPECT_SAYS(Try({"second", "p", "build1"}, "second"), "refused our client certificate");
  EXPECT_SAYS(Try({"second", "p", "build1"}), "refused our client certificate");
  EXPECT_LOGGED("the certificate is for builder second");
}

TEST_F(FrontTest, SaysWhyAClientDoesNotTrustIt) {
  auto authority = authorities_.Of("first");
  ASSERT_TRUE(authority);
  auto issued = (*authority)->Issue({"first", "p", "build1"}, kLife);
  ASSERT_TRUE(issued);
  auto client = DialWith(*issued, "builder.test");
  EXPECT_SAYS(Echo(client), "builder.test");
  EXPECT_LOGGED("127.0.0.1 turned away: it does not trust our certificate for builder.test (");
}

TEST_F(FrontTest, ACertificateOpensConnectionsInItsTimeAndEndsNone) {
  auto issued =
      (*authorities_.Of("first"))->Issue({"first", "p", "build1"}, std::chrono::seconds(2));
  ASSERT_TRUE(issued);
  auto client = DialWith(*issued);
  EXPECT_EQ(Echo(client), "ping");
  std::string said = "ping";
  for (int i = 0; i < 100 && said == "ping"; ++i) {
    Cancel::Never().SleepFor(std::chrono::milliseconds(100));
    auto again = DialWith(*issued);
    said = Echo(again);
  }
  EXPECT_SAYS(said, "refused our client certificate");
  EXPECT_LOGGED("expired");
  EXPECT_EQ(Echo(client), "ping");
}

TEST_F(FrontTest, ThePoolItselfNeedsNoWordOfThePool) {
  Say("");
  EXPECT_EQ(Try({"first", "p", ""}), "ping");
  EXPECT_LOGGED("the pool comes in from 127.0.0.1");
}

TEST_F(FrontTest, CutsOffABuildThatIsOver) {
  auto client = Dial({"first", "p", "build1"});
  ASSERT_EQ(Echo(client), "ping");
  Say("no: the build is over: canceled\n");
  char byte = 0;
  auto got = (*client)->Read(&byte, 1, Soon());
  EXPECT_TRUE(!got || *got == 0);
  EXPECT_LOGGED("build build1 goes: the build is over: canceled");
}

TEST_F(FrontTest, AClosedFrontKeepsBuildsAndLetsThePoolGo) {
  auto build = Dial({"first", "p", "build1"});
  ASSERT_EQ(Echo(build), "ping");
  auto pool = Dial({"first", "p", ""});
  ASSERT_EQ(Echo(pool), "ping");
  front_->Close();
  char byte = 0;
  auto got = (*pool)->Read(&byte, 1, Soon());
  EXPECT_TRUE(!got || *got == 0);
  std::string late = "ping";
  for (int i = 0; i < 300 && late == "ping"; ++i) {
    Cancel::Never().SleepFor(std::chrono::milliseconds(10));
    late = Try({"first", "p", "build1"});
  }
  EXPECT_NE(late, "ping");
  EXPECT_EQ(Echo(build), "ping");
  EXPECT_TRUE(front_->HasBuilds());
  (*build)->Close();
  for (int i = 0; i < 3000 && front_->HasBuilds(); ++i)
    Cancel::Never().SleepFor(std::chrono::milliseconds(10));
  EXPECT_FALSE(front_->HasBuilds());
}

TEST_F(FrontTest, WhoIsInsideStaysWhileThePoolDoesNotAnswer) {
  auto client = Dial({"first", "p", "build1"});
  ASSERT_EQ(Echo(client), "ping");
  Say("");
  EXPECT_LOGGED("who is inside stays");
  EXPECT_EQ(Echo(client), "ping");
  EXPECT_EQ(Try({"first", "p", "build1"}), "ping");
  // An answer that is none is no word of the pool either.
  Say("<html>no: </html>\n");
  EXPECT_EQ(Try({"first", "p", "build1"}), "ping");
}

TEST_F(FrontTest, APoolThatItDoesNotTrustCutsNobody) {
  test::TestAuthority strange;
  strange.Issue("pool", "DNS:localhost");
  TestServer pool(TestServer::Always([](Connection& connection, test::SeenRequest& /*request*/) {
                    connection.Reply(200, "yes\n");
                  }),
                  {strange.path("pool.pem"), strange.path("pool.key"), ""});
  Start(Cat("https://localhost:", pool.port()));
  EXPECT_EQ(Try({"first", "p", "build1"}), "ping");
  EXPECT_LOGGED("build build1 may come in, nobody knows better: TLS with the pool");
}

TEST_F(FrontTest, ABuildHasSixtyFourConnections) {
  std::vector<Result<std::unique_ptr<rpc::ByteStream>>> clients;
  for (int i = 0; i < 64; ++i) {
    clients.push_back(Dial({"first", "p", "build1"}));
    ASSERT_EQ(Echo(clients.back()), "ping") << i;
  }
  EXPECT_NE(Try({"first", "p", "build1"}), "ping");
  EXPECT_LOGGED("build build1 has too many connections");
  EXPECT_EQ(Try({"first", "p", ""}), "ping");
}

TEST_F(FrontTest, StrangersHoldUpNobody) {
  std::vector<Fd> strangers;
  for (int i = 0; i < 150; ++i) {
    auto socket = rpc::DialTcp("127.0.0.1", front_->port(), Soon());
    ASSERT_TRUE(socket);
    strangers.push_back(*std::move(socket));
  }
  EXPECT_EQ(Try({"first", "p", "build1"}), "ping");
}

TEST_F(FrontTest, CertificatesAreReplacedWhileBuildsAreInside) {
  auto inside = Dial({"first", "p", "build1"});
  ASSERT_EQ(Echo(inside), "ping");
  TempDir place;
  identity::BuilderAuthorities renewed(place.path());
  auto next = renewed.Of("first");
  auto issued = next ? (*next)->Issue({"first", "p", "build1"}, kLife) : Fail(next.error());
  ASSERT_TRUE(issued);
  auto come = [&] {
    auto client = DialWith(*issued);
    return Echo(client);
  };
  EXPECT_NE(come(), "ping");
  {
    std::lock_guard lock(mutex_);
    certificates_.clients_pem += (*next)->certificate_pem();
  }
  EXPECT_SAYS(LogWith("the certificates have changed"), "the certificates have changed");
  EXPECT_EQ(come(), "ping");
  EXPECT_EQ(Try({"first", "p", "build1"}), "ping")
      << "both are good until the old one is taken out";
  {
    std::lock_guard lock(mutex_);
    log_.clear();
    certificates_.clients_pem = "half a fi";
  }
  EXPECT_SAYS(LogWith("not used"),
              "the changed certificates are not used: the authority of clients");
  EXPECT_EQ(come(), "ping");
  {
    std::lock_guard lock(mutex_);
    certificates_.clients_pem = (*next)->certificate_pem();
  }
  EXPECT_SAYS(LogWith("have changed"), "have changed");
  EXPECT_EQ(come(), "ping");
  EXPECT_NE(Try({"first", "p", "build1"}), "ping");
  EXPECT_EQ(Echo(inside), "ping") << "who is inside stays";
}

TEST(StartFront, RefusesCertificatesThatAreNone) {
  FrontOptions options;
  options.listen = "127.0.0.1:0";
  Certificates certificates;
  options.read_certificates = [&]() -> Result<Certificates> { return certificates; };
  EXPECT_FALSE(StartFront(options));
  TempDir dir;
  auto server = identity::IssueServerCertificate(dir.path(), {"x"}, std::chrono::hours(1));
  ASSERT_TRUE(server);
  certificates = {server->certificate_pem, server->key_pem, "nonsense"};
  auto front = StartFront(options);
  ASSERT_FALSE(front);
  EXPECT_SAYS(front.error().message(), "authority of clients");
}

}  // namespace
}  // namespace depot::front::front_test
