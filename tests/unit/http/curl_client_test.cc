#include <algorithm>
#include <csignal>
#include <cstdlib>

#include <gtest/gtest.h>

#include "driver/base/text.h"
#include "driver/http/client.h"
#include "tests/unit/http/certificates.h"
#include "tests/unit/http/test_server.h"

namespace depot::http::curl_client_test {
namespace {

using test::Connection;
using test::SeenRequest;
using test::ServerTls;
using test::TempDir;
using test::TestAuthority;
using test::TestServer;
using Clock = std::chrono::steady_clock;

constexpr std::string_view kSecret = "hunter2-s3cr3t";

class CurlClient : public testing::Test {
 protected:
  CurlClient() { ::signal(SIGPIPE, SIG_IGN); }

  Result<Response> Get(const std::string& url) {
    Request request;
    request.url = url;
    return client_->Send(request, Cancel::Never());
  }

  /// Cancels after 50 ms; how long Send() then took to return.
  std::chrono::milliseconds TimeToCancel(const Request& request) {
    CancelSource source;
    TaskGroup group(Cancel::Never());
    group.Start("cancel", [&](const Cancel& stop) -> Result<> {
      stop.SleepFor(std::chrono::milliseconds(50));
      source.Request(Error(ErrorCode::kCancelled, "the user said stop"));
      return {};
    });
    auto start = Clock::now();
    Result<Response> response = client_->Send(request, source.cancel());
    auto took = std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - start);
    if (response) return std::chrono::hours(1);
    EXPECT_EQ(response.error().message(), "the user said stop");
    return took;
  }

  std::unique_ptr<HttpClient> client_ =
      MakeCurlClient("test/1", std::chrono::seconds(5), FindSystemRoots("", ""));
};

void Echo(Connection& connection, SeenRequest& request) {
  std::string headers;
  for (const auto& [name, value] : request.headers)
    headers += Cat(name, "=", value, "\n");
  connection.Reply(200, Cat(request.method, ' ', request.target, '\n', headers, '\n', request.body),
                   "X-Multi: one\r\nX-Multi: two\r\n");
}

TEST_F(CurlClient, TellsWhenThereIsAConnection) {
  TestServer server([](Connection& connection) { connection.HangUp(); });
  int connected = 0;
  Request request;
  request.on_connected = [&] { ++connected; };
  request.url = "http://127.0.0.1:1/";
  EXPECT_FALSE(client_->Send(request, Cancel::Never()));
  EXPECT_EQ(connected, 0) << "nobody listens there";
  request.url = server.Url();
  EXPECT_FALSE(client_->Send(request, Cancel::Never()));
  EXPECT_EQ(connected, 1);
}

TEST_F(CurlClient, SendsWhatTheRequestSays) {
  TestServer server(TestServer::Always(Echo));
  Request request;
  request.method = "PUT";
  request.url = server.Url("/a/../b?x=1");
  request.headers = {{"Content-Type", "text/plain"}, {"X-Empty", ""}};
  request.secret_headers = {{"X-Key", Secret("k")}};
  request.basic_auth = {"user", Secret("pass:word")};
  request.body = Secret("hello");
  Result<Response> response = client_->Send(request, Cancel::Never());
  ASSERT_TRUE(response) << response.error().message();
  EXPECT_EQ(response->status, 200);
  EXPECT_EQ(response->Header("x-multi"), "one");
  EXPECT_EQ(response->Header("x-none"), "");
  const std::string& body = response->body;
  EXPECT_EQ(body.substr(0, body.find('\n')), "PUT /a/../b?x=1");
  for (std::string_view line :
       {"authorization=Basic dXNlcjpwYXNzOndvcmQ=\n", "content-type=text/plain\n", "x-key=k\n",
        "x-empty=\n", "user-agent=test/1\n", "\n\nhello"}) {
    EXPECT_NE(body.find(line), std::string::npos) << line;
  }
  EXPECT_EQ(body.find("expect="), std::string::npos);
}

TEST_F(CurlClient, EveryStatusIsAResponseAndRedirectsAreNotFollowed) {
  TestServer server(TestServer::Always([](Connection& connection, SeenRequest& request) {
    connection.Reply(request.target == "/302" ? 302 : 503, "x", "Location: /other\r\n");
  }));
  EXPECT_EQ(Get(server.Url("/302"))->status, 302);
  EXPECT_EQ(Get(server.Url("/503"))->status, 503);
  EXPECT_EQ(server.connections(), 1) << "connections are kept";
}

TEST_F(CurlClient, AfterAFailureNoneOfTheKeptConnectionsIsTrusted) {
  constexpr int kKept = 2;
  std::atomic<int> here = 0;
  std::atomic<bool> cut = false;
  TestServer server([&](Connection& connection) {
    const bool old = !cut;
    SeenRequest request;
    while (connection.ReadHead(request)) {
      if (old && cut) return connection.StaySilent();
      // Both are there at once, so that two connections are kept.
      for (++here; !cut && here < kKept;)
        connection.cancel().SleepFor(std::chrono::milliseconds(1));
      connection.Reply(200, "x");
    }
  });
  TaskGroup group(Cancel::Never());
  for (int i = 0; i < kKept; ++i) {
    group.Start("get", [&](const Cancel&) -> Result<> {
      EXPECT_TRUE(Get(server.Url()));
      return {};
    });
  }
  EXPECT_TRUE(group.Wait());
  EXPECT_EQ(server.connections(), kKept);
  cut = true;
  Request request;
  request.url = server.Url();
  const auto send = [&](std::chrono::milliseconds patience) {
    return client_->Send(request, Cancel::Never().WithTimeout(patience, "no answer"));
  };
  EXPECT_FALSE(send(std::chrono::milliseconds(200))) << "on a connection that was cut";
  EXPECT_TRUE(send(std::chrono::seconds(30))) << "on a new one";
  EXPECT_EQ(server.connections(), kKept + 1);
}

TEST_F(CurlClient, PostWithoutBodyHasNoContentType) {
  TestServer server(TestServer::Always(Echo));
  Request request;
  request.method = "POST";
  request.url = server.Url();
  Result<Response> response = client_->Send(request, Cancel::Never());
  ASSERT_TRUE(response);
  EXPECT_NE(response->body.find("content-length=0\n"), std::string::npos);
  EXPECT_EQ(response->body.find("content-type"), std::string::npos);
}

TEST_F(CurlClient, SpeaksOverAUnixSocketAndIgnoresProxies) {
  TempDir dir;
  TestServer server(TestServer::Always(Echo), dir.path("s"));
  ::setenv("http_proxy", "http://127.0.0.1:1", 1);
  Request request;
  request.url = "http://docker/info";
  request.transport.unix_socket = dir.path("s");
  Result<Response> response = client_->Send(request, Cancel::Never());
  ::unsetenv("http_proxy");
  ASSERT_TRUE(response) << response.error().message();
  EXPECT_EQ(response->status, 200);
}

TEST_F(CurlClient, UsesTheProxyOfTheEnvironmentUnlessToldNotTo) {
  TestServer proxy(TestServer::Always([](Connection& connection, SeenRequest& request) {
    connection.Reply(200, Cat("proxied ", request.target));
  }));
  TestServer server(TestServer::Always(Echo));
  ::setenv("http_proxy", Cat("http://u:", kSecret, "@127.0.0.1:", proxy.port()).c_str(), 1);
  Request request;
  request.url = server.Url("/x");
  Result<Response> proxied = client_->Send(request, Cancel::Never());
  request.transport.use_proxy = false;
  Result<Response> direct = client_->Send(request, Cancel::Never());
  ::setenv("http_proxy", Cat("http://u:", kSecret, "@127.0.0.1:1").c_str(), 1);
  Result<Response> dead = Get(server.Url("/x"));
  ::unsetenv("http_proxy");
  ASSERT_TRUE(proxied && direct);
  EXPECT_EQ(proxied->body, Cat("proxied ", server.Url("/x")));
  EXPECT_EQ(direct->body.substr(0, 6), "GET /x");
  ASSERT_FALSE(dead);
  EXPECT_EQ(dead.error().message().find(kSecret), std::string::npos);
}

TEST_F(CurlClient, SilentPeerIsLeftAtOnceWhenCancelled) {
  TestServer server([](Connection& connection) { connection.StaySilent(); });
  Request request;
  request.url = server.Url();
  EXPECT_LT(TimeToCancel(request), std::chrono::milliseconds(300));
}

TEST_F(CurlClient, PeerThatStopsReadingIsLeftAtOnceWhenCancelled) {
  TestServer server([](Connection& connection) {
    SeenRequest request;
    connection.ReadHead(request);
    connection.cancel().SleepFor(std::chrono::seconds(30));
  });
  Request request;
  request.method = "POST";
  request.url = server.Url();
  request.body_source = [](char* into, std::size_t capacity) -> Result<std::size_t> {
    std::memset(into, 'x', capacity);
    return capacity;
  };
  EXPECT_LT(TimeToCancel(request), std::chrono::milliseconds(300));
}

TEST_F(CurlClient, TricklingPeerEndsAtTheDeadline) {
  TestServer server([](Connection& connection) {
    connection.Write("HTTP/1.1 200 OK\r\n\r\n");
    while (connection.cancel().SleepFor(std::chrono::milliseconds(20)))
      connection.Write("x");
  });
  Request request;
  request.url = server.Url();
  auto start = Clock::now();
  Result<Response> response = client_->Send(
      request, Cancel::Never().WithTimeout(std::chrono::milliseconds(200), "the slow one"));
  ASSERT_FALSE(response);
  EXPECT_EQ(response.error().code(), ErrorCode::kTimeout);
  EXPECT_EQ(response.error().message(), "timed out: the slow one");
  EXPECT_LT(Clock::now() - start, std::chrono::milliseconds(500));
}

TEST_F(CurlClient, SilenceOfBothSidesIsBounded) {
  constexpr std::chrono::milliseconds kSilence(300);
  TestServer silent([](Connection& connection) { connection.StaySilent(); });
  Request request;
  request.method = "POST";
  request.silence = kSilence;
  request.peer = "the Docker Engine at x";
  int pieces = 0;
  // Longer than the silence, but not the peer's.
  request.body_source = [&](char* into, std::size_t) -> Result<std::size_t> {
    Cancel::Never().SleepFor(kSilence + std::chrono::milliseconds(50));
    *into = 'x';
    return pieces++ < 1 ? 1 : 0;
  };
  request.url = silent.Url();
  Result<Response> response = client_->Send(request, Cancel::Never());
  ASSERT_FALSE(response);
  EXPECT_EQ(response.error().code(), ErrorCode::kTimeout);
  EXPECT_EQ(response.error().message(), "the Docker Engine at x did nothing for 1 s");
  EXPECT_EQ(pieces, 2) << "all was sent";

  TestServer takes_nothing([](Connection& connection) {
    SeenRequest seen;
    connection.ReadHead(seen);
    connection.cancel().SleepFor(std::chrono::seconds(30));
  });
  request.url = takes_nothing.Url();
  // More than any socket buffers, and not without an end.
  std::size_t left = 256 << 20;
  request.body_source = [&](char* into, std::size_t capacity) -> Result<std::size_t> {
    std::size_t size = std::min(capacity, left);
    std::memset(into, 'x', size);
    left -= size;
    return size;
  };
  response = client_->Send(request, Cancel::Never().WithTimeout(std::chrono::seconds(25), "test"));
  ASSERT_FALSE(response);
  EXPECT_NE(response.error().message(), "timed out: test");
  EXPECT_EQ(response.error().code(), ErrorCode::kTimeout);
  EXPECT_GT(left, 0U) << "it was all taken";
}

TEST_F(CurlClient, WhoTricklesIsNotSilent) {
  TestServer server([](Connection& connection) {
    connection.Write("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n");
    for (int i = 0; i < 10 && connection.cancel().SleepFor(std::chrono::milliseconds(100)); ++i)
      connection.Write("x");
    connection.StaySilent();
  });
  Request request;
  request.silence = std::chrono::milliseconds(700);
  request.url = server.Url();
  Result<Response> response = client_->Send(request, Cancel::Never());
  ASSERT_TRUE(response) << response.error().message();
  EXPECT_EQ(response->body, "xxxxxxxxxx");
}

TEST_F(CurlClient, ConnectingIsBounded) {
  client_ = MakeCurlClient("test/1", std::chrono::seconds(1), FindSystemRoots("", ""));
  TestServer server([](Connection& connection) { connection.StaySilent(); });
  Result<Response> response = Get(Cat("https://127.0.0.1:", server.port(), "/?t=", kSecret));
  ASSERT_FALSE(response);
  EXPECT_EQ(response.error().code(), ErrorCode::kTimeout);
  EXPECT_EQ(response.error().message(),
            Cat("cannot reach https://127.0.0.1:", server.port(), ": no answer within 1 s"));
}

TEST_F(CurlClient, RefusedConnectionNamesThePeerAndNothingSecret) {
  int port = 0;
  {
    TestServer server([](Connection&) {});
    port = server.port();
  }
  Result<Response> response =
      Get(Cat("http://me:", kSecret, "@127.0.0.1:", port, "/", kSecret, "?token=", kSecret));
  ASSERT_FALSE(response);
  EXPECT_EQ(response.error().code(), ErrorCode::kUnavailable);
  EXPECT_EQ(response.error().message(),
            Cat("cannot reach http://127.0.0.1:", port, ": connection refused"));
}

TEST_F(CurlClient, MissingUnixSocketSaysSo) {
  Request request;
  request.url = "http://docker/info";
  request.transport.unix_socket = "/nonexistent/docker.sock";
  Result<Response> response = client_->Send(request, Cancel::Never());
  ASSERT_FALSE(response);
  EXPECT_EQ(response.error().code(), ErrorCode::kUnavailable);
  EXPECT_EQ(response.error().message(),
            "cannot reach unix:///nonexistent/docker.sock: no such file or directory");
  request.peer = "the Engine";
  EXPECT_EQ(client_->Send(request, Cancel::Never()).error().message(),
            "cannot reach the Engine: no such file or directory");
}

TEST_F(CurlClient, OtherSchemesAndUnknownHostsAreErrors) {
  Result<Response> file = Get("file:///etc/passwd");
  ASSERT_FALSE(file);
  EXPECT_EQ(file.error().code(), ErrorCode::kInvalid);
  Result<Response> ftp = Get(Cat("ftp://u:", kSecret, "@127.0.0.1/"));
  ASSERT_FALSE(ftp);
  EXPECT_EQ(ftp.error().message(), "not an http or https URL: ftp://127.0.0.1");
  Result<Response> unknown = Get("http://no-such-host.invalid/");
  ASSERT_FALSE(unknown);
  EXPECT_EQ(unknown.error().code(), ErrorCode::kUnavailable);
  EXPECT_NE(unknown.error().message().find("no-such-host.invalid"), std::string::npos);
}

TEST_F(CurlClient, LineBreaksInHeadersAreRefusedWithoutShowingThem) {
  Request request;
  request.url = "http://127.0.0.1:1/";
  request.bearer = Secret(Cat(kSecret, "\n"));
  Result<Response> response = client_->Send(request, Cancel::Never());
  ASSERT_FALSE(response);
  EXPECT_EQ(response.error().code(), ErrorCode::kInvalid) << response.error().message();
  EXPECT_EQ(response.error().message(),
            "the value of the HTTP header Authorization contains a line break");
}

TEST_F(CurlClient, BodyLargerThanAllowedIsAnError) {
  TestServer server(TestServer::Always(
      [](Connection& connection, SeenRequest&) { connection.Reply(200, std::string(1001, 'x')); }));
  Request request;
  request.url = server.Url();
  request.max_body = 1001;
  EXPECT_TRUE(client_->Send(request, Cancel::Never()));
  request.max_body = 1000;
  Result<Response> response = client_->Send(request, Cancel::Never());
  ASSERT_FALSE(response);
  EXPECT_EQ(response.error().code(), ErrorCode::kInvalid) << response.error().message();
  EXPECT_NE(response.error().message().find("more than the 1000 bytes"), std::string::npos);
}

TEST_F(CurlClient, HeadersWithoutEndAreAnError) {
  TestServer server([](Connection& connection) {
    SeenRequest request;
    connection.ReadHead(request);
    connection.Write("HTTP/1.1 200 OK\r\n");
    std::string line = Cat("X: ", std::string(60'000, 'y'), "\r\n");
    for (int i = 0; i < 100; ++i)
      connection.Write(line);
  });
  Result<Response> response = Get(server.Url());
  ASSERT_FALSE(response);
  EXPECT_EQ(response.error().code(), ErrorCode::kInvalid) << response.error().message();
}

TEST_F(CurlClient, NotHttpAndTruncatedAnswersAreErrors) {
  TestServer ssh([](Connection& connection) { connection.Write("SSH-2.0-OpenSSH_9.2\r\n"); });
  Result<Response> response = Get(ssh.Url());
  ASSERT_FALSE(response);
  TestServer cut([](Connection& connection) {
    SeenRequest request;
    connection.ReadHead(request);
    connection.Write("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc");
  });
  response = Get(cut.Url());
  ASSERT_FALSE(response);
  EXPECT_EQ(response.error().code(), ErrorCode::kUnavailable);
  EXPECT_NE(response.error().message().find("in the middle of its answer"), std::string::npos);
}

TEST_F(CurlClient, StreamsABodyOfUnknownSizeAndGivesTheAnswerToTheSink) {
  TestServer server(TestServer::Always([](Connection& connection, SeenRequest& request) {
    connection.Reply(200, Cat(request.headers["transfer-encoding"], ' ', request.body.size()));
  }));
  Request request;
  request.method = "POST";
  request.url = server.Url();
  std::size_t left = 5'000'001;
  request.body_source = [&](char* into, std::size_t capacity) -> Result<std::size_t> {
    std::size_t count = std::min(left, capacity);
    std::memset(into, 'x', count);
    left -= count;
    return count;
  };
  std::string seen;
  request.body_sink = [&](std::string_view data) -> Result<> {
    seen += data;
    return {};
  };
  Result<Response> response = client_->Send(request, Cancel::Never());
  ASSERT_TRUE(response) << response.error().message();
  EXPECT_EQ(seen, "chunked 5000001");
  EXPECT_EQ(response->body, "");
}

TEST_F(CurlClient, ErrorsOfSourceAndSinkAreReturned) {
  TestServer server(TestServer::Always(Echo));
  Request request;
  request.method = "POST";
  request.url = server.Url();
  request.body_source = [](char*, std::size_t) -> Result<std::size_t> {
    return Fail(ErrorCode::kFailed, "the builder went away");
  };
  EXPECT_EQ(client_->Send(request, Cancel::Never()).error().message(), "the builder went away");
  request.body_source = nullptr;
  request.body_sink = [](std::string_view) -> Result<> {
    return Fail(ErrorCode::kInvalid, "no such layer");
  };
  EXPECT_EQ(client_->Send(request, Cancel::Never()).error().message(), "no such layer");
}

/// Answers 500 while the client's source still blocks, and hangs up.
void RefuseEarly(Connection& connection) {
  SeenRequest request;
  connection.ReadHead(request);
  connection.Reply(500, "no space left on device", "Connection: close\r\n");
}

void ExpectEarlyAnswerIsSeen(HttpClient& client, Request request) {
  request.method = "POST";
  int calls = 0;
  request.body_source = [&](char* into, std::size_t capacity) -> Result<std::size_t> {
    // The first chunk lets the server see the request; the second comes after it has hung up.
    if (++calls > 1) Cancel::Never().SleepFor(std::chrono::milliseconds(100));
    if (calls > 20) return 0;
    std::memset(into, 'x', capacity);
    return calls == 1 ? 1 : capacity;
  };
  Result<Response> response = client.Send(request, Cancel::Never());
  ASSERT_TRUE(response) << response.error().message();
  EXPECT_EQ(response->status, 500);
  EXPECT_EQ(response->body, "no space left on device");
  EXPECT_LT(calls, 5);
}

TEST_F(CurlClient, EarlyRefusalOfAStreamIsAResponseNotABrokenPipe) {
  TempDir dir;
  TestServer unix_server(RefuseEarly, dir.path("s"));
  Request request;
  request.url = "http://docker/";
  request.transport.unix_socket = dir.path("s");
  ExpectEarlyAnswerIsSeen(*client_, request);
}

TEST_F(CurlClient, EarlyRefusalOfAStreamOverTcpIsAResponse) {
  TestServer server([](Connection& connection) {
    RefuseEarly(connection);
    // As Go's server does: a reset would take the answer with it.
    connection.cancel().SleepFor(std::chrono::milliseconds(400));
  });
  Request request;
  request.url = server.Url();
  ExpectEarlyAnswerIsSeen(*client_, request);
}

class CurlClientTls : public CurlClient {
 protected:
  static void SetUpTestSuite() {
    authority_ = new TestAuthority;
    authority_->Issue("server", "IP:127.0.0.1");
    authority_->Issue("other", "DNS:other.example");
    authority_->Issue("client", "DNS:client");
    stranger_ = new TestAuthority;
    stranger_->Issue("client", "DNS:client");
  }
  static void TearDownTestSuite() {
    delete authority_;
    delete stranger_;
  }

  static ServerTls Tls(std::string_view name, bool mutual = false) {
    return {authority_->path(Cat(name, ".pem")), authority_->path(Cat(name, ".key")),
            mutual ? authority_->path("ca.pem") : ""};
  }

  Result<Response> SendTo(const TestServer& server, Transport transport) {
    Request request;
    request.url = server.Url(Cat("/?token=", kSecret));
    request.transport = std::move(transport);
    Result<Response> response = client_->Send(request, Cancel::Never());
    if (!response) {
      EXPECT_EQ(response.error().message().find(kSecret), std::string::npos);
      EXPECT_EQ(response.error().message().find("PRIVATE KEY"), std::string::npos);
    }
    return response;
  }

  static inline TestAuthority* authority_ = nullptr;
  static inline TestAuthority* stranger_ = nullptr;
};

TEST_F(CurlClientTls, TrustsTheGivenAuthorityOnly) {
  TestServer server(TestServer::Always(Echo), Tls("server"));
  Transport transport;
  transport.ca_pem = authority_->Pem("ca.pem");
  Result<Response> good = SendTo(server, transport);
  ASSERT_TRUE(good) << good.error().message();

  transport.ca_pem = stranger_->Pem("ca.pem");
  Result<Response> wrong = SendTo(server, transport);
  ASSERT_FALSE(wrong);
  EXPECT_EQ(wrong.error().code(), ErrorCode::kDenied);
  EXPECT_NE(wrong.error().message().find("certificate"), std::string::npos);

  transport.ca_pem = "";
  Result<Response> system = SendTo(server, transport);
  ASSERT_FALSE(system);
  EXPECT_EQ(system.error().code(), ErrorCode::kDenied);
  EXPECT_EQ(system.error().hint(), RootsHint(FindSystemRoots("", "")));

  transport.verify = false;
  EXPECT_TRUE(SendTo(server, transport));
}

TEST_F(CurlClientTls, PeerThatSaysNothingDuringTlsIsLeftAtOnceWhenCancelled) {
  TestServer server([](Connection& connection) { connection.StaySilent(); });
  Request request;
  request.url = Cat("https://127.0.0.1:", server.port());
  request.transport.ca_pem = authority_->Pem("ca.pem");
  EXPECT_LT(TimeToCancel(request), std::chrono::milliseconds(300));
}

TEST_F(CurlClientTls, TrustsTheSystemRootsItWasMadeWith) {
  TestServer server(TestServer::Always(Echo), Tls("server"));
  client_ = MakeCurlClient("test/1", std::chrono::seconds(5), {authority_->path("ca.pem"), ""});
  Result<Response> response = SendTo(server, {});
  client_ = MakeCurlClient("test/1", std::chrono::seconds(5), {"/nonexistent.pem", ""});
  Result<Response> missing = SendTo(server, {});
  EXPECT_TRUE(response);
  ASSERT_FALSE(missing);
  EXPECT_NE(missing.error().message().find("/nonexistent.pem"), std::string::npos);
  EXPECT_EQ(missing.error().hint(), RootsHint({"/nonexistent.pem", ""}));
}

TEST_F(CurlClientTls, GarbageAsAuthorityIsAnError) {
  TestServer server(TestServer::Always(Echo), Tls("server"));
  Transport transport;
  transport.ca_pem = "not a certificate";
  Result<Response> response = SendTo(server, transport);
  ASSERT_FALSE(response);
  EXPECT_EQ(response.error().code(), ErrorCode::kDenied);
}

TEST_F(CurlClientTls, WrongServerNameIsRefused) {
  TestServer server(TestServer::Always(Echo), Tls("other"));
  Transport transport;
  transport.ca_pem = authority_->Pem("ca.pem");
  Result<Response> response = SendTo(server, transport);
  ASSERT_FALSE(response);
  EXPECT_EQ(response.error().code(), ErrorCode::kDenied);
  EXPECT_NE(response.error().message().find("127.0.0.1"), std::string::npos);
}

TEST_F(CurlClientTls, ShowsItsClientCertificate) {
  TestServer server(TestServer::Always(Echo), Tls("server", true));
  Transport transport;
  transport.ca_pem = authority_->Pem("ca.pem");
  transport.certificate_pem = authority_->Pem("client.pem");
  transport.key_pem = Secret(authority_->Pem("client.key"));
  Result<Response> good = SendTo(server, transport);
  EXPECT_TRUE(good) << good.error().message();
}

TEST_F(CurlClientTls, RefusedOrBrokenClientCertificatesAreDenied) {
  TestServer server(TestServer::Always(Echo), Tls("server", true));
  Transport transport;
  transport.ca_pem = authority_->Pem("ca.pem");
  Result<Response> none = SendTo(server, transport);
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().code(), ErrorCode::kDenied) << none.error().message();
  EXPECT_EQ(none.error().message(), Cat("TLS with https://127.0.0.1:", server.port(),
                                        " failed: tlsv13 alert certificate required"));

  transport.certificate_pem = stranger_->Pem("client.pem");
  transport.key_pem = Secret(stranger_->Pem("client.key"));
  Result<Response> foreign = SendTo(server, transport);
  ASSERT_FALSE(foreign);
  EXPECT_EQ(foreign.error().code(), ErrorCode::kDenied) << foreign.error().message();

  transport.key_pem = Secret(authority_->Pem("client.key"));
  Result<Response> mismatch = SendTo(server, transport);
  ASSERT_FALSE(mismatch);
  EXPECT_EQ(mismatch.error().code(), ErrorCode::kDenied) << mismatch.error().message();
}

TEST_F(CurlClientTls, PlainServerIsNamedInTheError) {
  TestServer server([](Connection& connection) {
    SeenRequest request;
    connection.Write("HTTP/1.0 400 Bad Request\r\n\r\nClient sent TLS");
  });
  Result<Response> response = Get(Cat("https://127.0.0.1:", server.port()));
  ASSERT_FALSE(response);
  EXPECT_EQ(response.error().code(), ErrorCode::kDenied);
  EXPECT_NE(response.error().hint().find("plain HTTP"), std::string::npos)
      << response.error().message() << response.error().hint();
}

TEST(Encoding, FollowsRfc3986AndTheFormRules) {
  EXPECT_EQ(UrlEncode("a b/ä~-._+&"), "a%20b%2F%C3%A4~-._%2B%26");
  EXPECT_EQ(FormEncode({{"a b", "1&2"}, {"c", "x=y z"}}), "a+b=1%262&c=x%3Dy+z");
  EXPECT_EQ(FormEncode({}), "");
}

}  // namespace
}  // namespace depot::http::curl_client_test
