#include "pool/web/server.h"

#include <atomic>

#include <gtest/gtest.h>

#include "driver/base/task_group.h"
#include "driver/base/text.h"
#include "tests/unit/web/raw_client.h"

namespace depot::web::server_test {
namespace {

using namespace std::chrono_literals;
using test::Chunk;
using test::ChunkedHead;
using test::Echo;
using test::Eventually;
using test::Get;
using test::Guarded;
using test::Post;
using test::RawClient;
using test::Reply;
using test::Serve;

Routes EchoRoutes() {
  Routes routes;
  routes.whole[{"GET", "/a"}] = Echo;
  routes.whole[{"POST", "/a"}] = Echo;
  return routes;
}

TEST(WebServer, AnswersAndKeepsTheConnection) {
  auto server = Serve(EchoRoutes());
  RawClient client(server->port());
  Reply reply = client.Ask(Get("/a?token=1"));
  EXPECT_EQ(reply.status, 200);
  EXPECT_EQ(reply.body, "GET /a ");
  EXPECT_EQ(reply.headers["content-type"], "text/plain; charset=utf-8");
  EXPECT_EQ(client.Ask(Post("/a", "body")).body, "POST /a body");
  EXPECT_EQ(client.Ask(Post("/a", "")).body, "POST /a ");
}

TEST(WebServer, ServesPipelinedRequestsInTheirOrder) {
  auto server = Serve(EchoRoutes());
  RawClient client(server->port());
  client.Send(Post("/a", "1") + Get("/none") + ChunkedHead("/a") + Chunk("2") + "0\r\n\r\n" +
              Get("/a"));
  EXPECT_EQ(client.Read().body, "POST /a 1");
  EXPECT_EQ(client.Read().status, 404);
  EXPECT_EQ(client.Read().body, "POST /a 2");
  EXPECT_EQ(client.Read().body, "GET /a ");
}

TEST(WebServer, TakesARequestByteByByte) {
  auto server = Serve(EchoRoutes());
  RawClient client(server->port());
  std::string request =
      ChunkedHead("/a") + Chunk("hello ") + "5;ext=\"v\"\r\nworld\r\n" + "0\r\nTrailer: x\r\n\r\n";
  for (char c : request)
    ASSERT_TRUE(client.Send(std::string(1, c)));
  EXPECT_EQ(client.Read().body, "POST /a hello world");
  EXPECT_EQ(client.Ask(Get("/a")).body, "GET /a ");
}

TEST(WebServer, TellsHandlersHeadersAndPeer) {
  Routes routes;
  routes.whole[{"GET", "/who"}] = [](const Request& request, const Cancel&) -> Answer {
    Response response;
    response.body = Secret(request.peer + "|" + request.Header("x-one"));
    response.headers.emplace_back("X-Back", "a\r\nSet-Cookie: stolen");
    return response;
  };
  auto server = Serve(routes);
  RawClient client(server->port());
  Reply reply = client.Ask("GET /who HTTP/1.1\r\nHost: x\r\nX-ONE: v w\r\n\r\n");
  EXPECT_EQ(reply.body, "127.0.0.1|v w");
  EXPECT_EQ(reply.headers["x-back"], "a  Set-Cookie: stolen");
}

TEST(WebServer, AnswersHeadWithTheLengthAlone) {
  auto server = Serve(EchoRoutes());
  RawClient client(server->port());
  client.Send("HEAD /a HTTP/1.1\r\nHost: x\r\n\r\n");
  Reply reply = client.Read(true);
  EXPECT_EQ(reply.status, 200);
  EXPECT_EQ(reply.headers["content-length"], "8");
  EXPECT_EQ(client.Ask(Get("/a")).body, "GET /a ");
}

TEST(WebServer, RefusesOtherPathsAndMethods) {
  Routes routes = EchoRoutes();
  auto server = Serve(routes);
  RawClient client(server->port());
  EXPECT_EQ(client.Ask(Get("/b")).status, 404);
  EXPECT_EQ(client.Ask(Post("/a/", "ignored")).status, 404);
  Reply reply = client.Ask("DELETE /a HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_EQ(reply.status, 405);
  EXPECT_EQ(reply.headers["allow"], "GET, HEAD, POST");
  EXPECT_EQ(client.Ask("GET http://x/a?b HTTP/1.1\r\nHost: x\r\n\r\n").body, "GET /a ");
  EXPECT_EQ(client.Ask("OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n").status, 404);
}

TEST(WebServer, GivesOtherPathsToOtherwise) {
  Routes routes = EchoRoutes();
  routes.otherwise = Guarded(Echo);
  auto server = Serve(routes);
  RawClient client(server->port());
  EXPECT_EQ(client.Ask(Post("/b", "x")).body, "POST /b x");
  EXPECT_EQ(client.Ask("DELETE /a HTTP/1.1\r\nHost: x\r\n\r\n").status, 405);
}

TEST(WebServer, KeepsConnectionsAsTheClientAsks) {
  auto server = Serve(EchoRoutes());
  RawClient closing(server->port());
  Reply reply = closing.Ask("GET /a HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  EXPECT_EQ(reply.headers["connection"], "close");
  EXPECT_TRUE(closing.AtEnd());

  RawClient old(server->port());
  EXPECT_EQ(old.Ask("GET /a HTTP/1.0\r\n\r\n").status, 200);
  EXPECT_TRUE(old.AtEnd());

  RawClient old_and_keeping(server->port());
  std::string request = "GET /a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n";
  EXPECT_EQ(old_and_keeping.Ask(request).headers["connection"], "keep-alive");
  EXPECT_EQ(old_and_keeping.Ask(request).status, 200);
}

TEST(WebServer, AnswersAClientThatClosedItsHalf) {
  auto server = Serve(EchoRoutes());
  RawClient client(server->port());
  client.Send(Post("/a", "last"));
  client.HalfClose();
  EXPECT_EQ(client.Read().body, "POST /a last");
  EXPECT_TRUE(client.AtEnd());
}

TEST(WebServer, InvitesTheBodyOfAClientThatAsks) {
  Limits limits;
  limits.stranger_body_bytes = 100;
  auto server = Serve(EchoRoutes(), limits);
  RawClient client(server->port());
  client.Send("POST /a HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n");
  EXPECT_EQ(client.Read().status, 100);
  EXPECT_EQ(client.Ask("body").body, "POST /a body");
  // Not when the answer is known already.
  client.Send("POST /a HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 101\r\n\r\n");
  EXPECT_EQ(client.Read().status, 413);
}

TEST(WebServer, TheClientOfAProxyIsWhoThatSays) {
  Routes routes;
  routes.whole[{"GET", "/who"}] = [](const Request& request, const Cancel&) -> Answer {
    bool own = request.network == request.peer;
    return Response{200, "", {}, Secret(Cat(request.peer, own ? "" : " of a network"))};
  };
  Limits limits;
  limits.proxies = {"127.0.0.2"};
  limits.connections_per_peer = 1;
  auto server = Serve(routes, limits);
  auto ask = [&](const char* source, const std::string& said) {
    return RawClient(server->port(), 0, source)
        .Ask(Cat("GET /who HTTP/1.1\r\nHost: x\r\n", said, "\r\n"))
        .body;
  };
  RawClient of_proxy(server->port(), 0, "127.0.0.2");
  std::string forged = "X-Forwarded-For: 1.1.1.1\r\nX-Forwarded-For: 2.2.2.2, 10.1.2.3\r\n";
  EXPECT_EQ(ask("127.0.0.2", forged), "10.1.2.3");
  EXPECT_EQ(ask("127.0.0.2", "X-Forwarded-For: fd00::1:2\r\n"), "fd00::1:2 of a network");
  EXPECT_EQ(ask("127.0.0.2", "X-Forwarded-For: nobody\r\n"), "127.0.0.2");
  EXPECT_EQ(ask("127.0.0.2", ""), "127.0.0.2");
  EXPECT_EQ(ask("127.0.0.3", forged), "127.0.0.3");
  EXPECT_EQ(of_proxy.Ask("GET /who HTTP/1.1\r\nHost: x\r\n\r\n").status, 200);
}

class Malformed : public testing::TestWithParam<const char*> {};

TEST_P(Malformed, IsAnswered400AndClosed) {
  std::atomic<int> calls = 0;
  Routes routes;
  routes.otherwise = Guarded([&](const Request&, const Cancel&) -> Answer {
    ++calls;
    return Response{};
  });
  auto server = Serve(routes);
  RawClient client(server->port());
  Reply reply = client.Ask(GetParam());
  EXPECT_EQ(reply.status, 400) << GetParam();
  EXPECT_EQ(reply.headers["connection"], "close");
  EXPECT_TRUE(client.AtEnd());
  EXPECT_EQ(calls, 0);
}

INSTANTIATE_TEST_SUITE_P(
    WebServer,
    Malformed,
    testing::Values(
        "nonsense\r\n\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "\x16\x03\x01\x02\x01",  // a TLS handshake
        "GET /a HTTP/1.1\r\n\r\n",
        "GET /a HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n",
        "GET /a HTTP/1.1\r\nHost : x\r\n\r\n",
        "GET /a HTTP/1.1\nHost: x\n\n",
        "GET /a HTTP/3.1\r\nHost: x\r\n\r\n",
        "POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        "POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        "POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 18446744073709551616\r\n\r\n",
        "POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: "
        "chunked\r\n\r\n0\r\n\r\n",
        "POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Length: "
        "1\r\n\r\n0\r\n\r\n",
        "POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n\r\n",
        "POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        "POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
        "POST /a HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
        "POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n",
        "POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n0\r\n\r\n",
        "POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: "
        "chunked\r\n\r\n10000000000000000\r\n"));

TEST(WebServer, AsksAgainAfterLaterUntilThereIsAnAnswer) {
  std::atomic<int> calls = 0;
  Routes routes = EchoRoutes();
  routes.whole[{"GET", "/later"}] = [&](const Request& request, const Cancel& cancel) -> Answer {
    if (++calls < 4) return Later{20ms};
    return Echo(request, cancel);
  };
  auto server = Serve(routes);
  RawClient client(server->port());
  client.Send(Get("/later") + Get("/a"));  // a second request meanwhile is kept for later
  EXPECT_EQ(client.Read().body, "GET /later ");
  EXPECT_EQ(client.Read().body, "GET /a ");
  EXPECT_EQ(calls, 4);
}

TEST(WebServer, DoesNotAskForAClientThatHasGone) {
  std::atomic<int> calls = 0;
  Routes routes;
  routes.whole[{"GET", "/later"}] = [&](const Request&, const Cancel&) -> Answer {
    ++calls;
    return Later{100ms};
  };
  auto server = Serve(routes);
  {
    RawClient client(server->port());
    client.Send(Get("/later"));
    ASSERT_TRUE(Eventually([&] { return calls > 0; }));
  }
  (void)Cancel::Never().SleepFor(300ms);  // it may be asking just now
  int before = calls;
  (void)Cancel::Never().SleepFor(1s);
  EXPECT_EQ(calls, before);
}

TEST(WebServer, ServesOthersBesideSlowClientsAndSlowHandlers) {
  std::atomic<bool> go_on = false;
  Routes routes = EchoRoutes();
  routes.whole[{"GET", "/slow"}] = [&](const Request& request, const Cancel& cancel) {
    (void)Eventually([&] { return go_on.load(); });
    return Echo(request, cancel);
  };
  Limits limits;
  limits.workers = 2;
  auto server = Serve(routes, limits);
  RawClient slow_handler(server->port());
  slow_handler.Send(Get("/slow"));
  RawClient slow_client(server->port());
  slow_client.Send("POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nab");
  RawClient fast(server->port());
  for (int i = 0; i < 50; ++i)
    ASSERT_EQ(fast.Ask(Post("/a", "x")).status, 200);
  go_on = true;
  EXPECT_EQ(slow_handler.Read().body, "GET /slow ");
  EXPECT_EQ(slow_client.Ask("cdefghij").body, "POST /a abcdefghij");
}

TEST(WebServer, ServesThreeHundredConnectionsAtOnce) {
  auto server = Serve(EchoRoutes());
  std::vector<std::unique_ptr<RawClient>> clients;
  for (int i = 0; i < 300; ++i)
    clients.push_back(std::make_unique<RawClient>(server->port()));
  for (int round = 0; round < 3; ++round) {
    for (std::size_t i = 0; i < clients.size(); ++i)
      ASSERT_TRUE(clients[i]->Send(Post("/a", Cat(i))));
    for (std::size_t i = 0; i < clients.size(); ++i)
      ASSERT_EQ(clients[i]->Read().body, Cat("POST /a ", i));
  }
}

TEST(WebServer, LetsARequestEndWhenItStops) {
  std::atomic<bool> running = false;
  Routes routes = EchoRoutes();
  routes.whole[{"GET", "/slow"}] = [&](const Request& request, const Cancel& cancel) {
    running = true;
    (void)cancel.SleepFor(500ms);
    return cancel.cancelled() ? Answer(Response{500, "", {}, Secret{}}) : Echo(request, cancel);
  };
  auto server = Serve(routes);
  RawClient idle(server->port());
  EXPECT_EQ(idle.Ask(Get("/a")).status, 200);
  RawClient slow(server->port());
  slow.Send(Get("/slow"));
  ASSERT_TRUE(Eventually([&] { return running.load(); }));
  std::uint16_t port = server->port();
  server.reset();
  Reply reply = slow.Read();
  EXPECT_EQ(reply.body, "GET /slow ");
  EXPECT_EQ(reply.headers["connection"], "close");
  EXPECT_TRUE(idle.AtEnd());
  EXPECT_FALSE(RawClient(port).connected());
}

TEST(WebServer, AnswersLaterWhenItStops) {
  std::atomic<int> calls = 0;
  Routes routes;
  routes.whole[{"GET", "/later"}] = [&](const Request&, const Cancel&) -> Answer {
    ++calls;
    return Later{60s};
  };
  auto server = Serve(routes);
  RawClient client(server->port());
  client.Send(Get("/later"));
  ASSERT_TRUE(Eventually([&] { return calls == 1; }));
  server.reset();
  EXPECT_EQ(client.Read().status, 503);
}

TEST(WebServer, CancelsAHandlerThatDoesNotEndWhenItStops) {
  std::atomic<bool> running = false;
  std::atomic<bool> cancelled = false;
  Routes routes = EchoRoutes();
  routes.whole[{"GET", "/endless"}] = [&](const Request&, const Cancel& cancel) -> Answer {
    running = true;
    cancelled = !cancel.SleepFor(60s);
    return Response{};
  };
  auto server = Serve(routes);
  RawClient endless(server->port());
  endless.Send(Get("/endless"));
  RawClient half_sent(server->port());
  half_sent.Send("POST /a HTTP/1.1\r\nHost: x\r\n");
  ASSERT_TRUE(Eventually([&] { return running.load(); }));
  server.reset();
  EXPECT_TRUE(cancelled);
  EXPECT_EQ(half_sent.Read().status, 0);
}

TEST(WebServer, SaysWhyItCannotListen) {
  auto server = Serve({});
  auto second = StartServer(Cat("127.0.0.1:", server->port()), {}, {}, {});
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().message(),
            Cat("listen on 127.0.0.1:", server->port(), ": address already in use"));
  for (const char* address : {"", "8443", ":8443", "localhost:1", "1.2.3.4:", "1.2.3.4:65536",
                              "::1:80", "[::1]", "1.2.3.4:-1"}) {
    auto refused = StartServer(address, {}, {}, {});
    ASSERT_FALSE(refused) << address;
    EXPECT_EQ(refused.error().code(), ErrorCode::kInvalid);
  }
}

}  // namespace
}  // namespace depot::web::server_test
