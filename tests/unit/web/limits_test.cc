#include <atomic>
#include <mutex>

#include <gtest/gtest.h>

#include "driver/base/task_group.h"
#include "driver/base/text.h"
#include "pool/web/server.h"
#include "tests/unit/web/raw_client.h"

namespace depot::web::limits_test {
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
  routes.guarded[{"GET", "/a"}] = Guarded(Echo);
  routes.guarded[{"POST", "/a"}] = Guarded(Echo);
  routes.whole[{"POST", "/for-anybody"}] = Echo;
  return routes;
}

TEST(WebLimits, LongHeadersAre431) {
  Limits limits;
  limits.header_bytes = 2000;
  auto server = Serve(EchoRoutes(), limits);
  std::string fits = Cat("GET /a HTTP/1.1\r\nHost: x\r\nX: ", std::string(1900, 'v'), "\r\n\r\n");
  EXPECT_EQ(RawClient(server->port()).Ask(fits).status, 200);
  std::string many = "GET /a HTTP/1.1\r\nHost: x\r\n";
  for (int i = 0; i < 300; ++i)
    many += "X: abcd\r\n";
  for (const std::string& request :
       {Cat("GET /a HTTP/1.1\r\nHost: x\r\nX: ", std::string(2000, 'v'), "\r\n\r\n"),
        Cat("GET /a HTTP/1.1\r\nHost: x\r\nX: ", std::string(200'000, 'v')),
        Cat("GET /", std::string(3000, 'a'), " HTTP/1.1\r\nHost: x\r\n\r\n"), many + "\r\n"}) {
    RawClient client(server->port());
    EXPECT_EQ(client.Ask(request).status, 431);
    EXPECT_TRUE(client.AtEnd());
  }
  RawClient line_by_line(server->port());
  line_by_line.Send("GET /a HTTP/1.1\r\nHost: x\r\n");
  for (int i = 0; i < 300 && line_by_line.Send("X: abcd\r\n"); ++i)
    (void)Cancel::Never().SleepFor(1ms);
  EXPECT_EQ(line_by_line.Read().status, 431);
}

TEST(WebLimits, LongBodiesAre413) {
  Limits limits;
  limits.body_bytes = 1000;
  auto server = Serve(EchoRoutes(), limits);
  RawClient client(server->port());
  EXPECT_EQ(client.Ask(Post("/a", std::string(1000, 'b'))).status, 200);
  EXPECT_EQ(client.Ask(Post("/a", std::string(1001, 'b'))).status, 413);
  EXPECT_TRUE(client.AtEnd());
  RawClient chunked(server->port());
  EXPECT_EQ(chunked
                .Ask(ChunkedHead("/a") + Chunk(std::string(600, 'b')) +
                     Chunk(std::string(600, 'b')) + "0\r\n\r\n")
                .status,
            413);
  EXPECT_TRUE(chunked.AtEnd());
}

TEST(WebLimits, StrangersMaySendLittle) {
  auto server = Serve(EchoRoutes());
  RawClient client(server->port());
  EXPECT_EQ(client.Ask(Post("/for-anybody", std::string(16'000, 'b'))).status, 200);
  EXPECT_EQ(client.Ask(Post("/nowhere", std::string(16'000, 'b'))).status, 404);
  EXPECT_EQ(client.Ask(Post("/for-anybody", std::string(17'000, 'b'))).status, 413);
  EXPECT_TRUE(client.AtEnd());
  RawClient nowhere(server->port());
  EXPECT_EQ(nowhere.Ask(Post("/nowhere", std::string(100'000, 'b'))).status, 404);
  EXPECT_TRUE(nowhere.AtEnd());
}

TEST(WebLimits, ARefusalDoesNotWaitForTheBody) {
  auto server = Serve(EchoRoutes());
  for (const char* rest : {"Content-Length: 4000000\r\n\r\n", "Transfer-Encoding: chunked\r\n\r\n",
                           "Expect: 100-continue\r\nContent-Length: 5\r\n\r\n"}) {
    RawClient client(server->port());
    client.Send(Cat("POST /a HTTP/1.1\r\nHost: x\r\nAuthorization: no\r\n", rest));
    EXPECT_EQ(client.Read().status, 401) << rest;
    EXPECT_TRUE(client.AtEnd());
  }
  RawClient client(server->port());
  std::string small =
      "POST /a HTTP/1.1\r\nHost: x\r\nAuthorization: no\r\nContent-Length: 5\r\n\r\n12345";
  EXPECT_EQ(client.Ask(small).status, 401);
  EXPECT_EQ(client.Ask(Post("/a", "b")).status, 200) << "a short body does not end the connection";
}

TEST(WebLimits, WaitingAtTheDoorHoldsNoWorkerAndLosesNothing) {
  std::atomic<bool> open = false;
  std::atomic<int> asked = 0;
  Routes routes = EchoRoutes();
  routes.guarded[{"POST", "/door"}] = [&](const Request&, const Cancel&) -> Entrance {
    ++asked;
    if (!open) return Later{20ms};
    return Handler(Echo);
  };
  Limits limits;
  limits.workers = 1;
  auto server = Serve(routes, limits);
  RawClient waits(server->port());
  std::string body(1 << 20, 'b');
  TaskGroup sender(Cancel::Never());
  sender.Start("sender", [&](const Cancel&) -> Result<> {
    EXPECT_TRUE(waits.Send(Post("/door", body)));
    return {};
  });
  ASSERT_TRUE(Eventually([&] { return asked > 2; }));
  EXPECT_EQ(RawClient(server->port()).Ask(Get("/a")).status, 200);
  open = true;
  EXPECT_EQ(waits.Read().body.size(), body.size() + std::string("POST /door ").size());
  EXPECT_TRUE(sender.Wait());
}

TEST(WebLimits, AllBodiesOfOnePeerAreLimited) {
  Limits limits;
  limits.stranger_body_bytes = 200'000;
  limits.bodies_bytes_per_peer = 150'000;
  auto server = Serve(EchoRoutes(), limits);
  std::string head = "POST /for-anybody HTTP/1.1\r\nHost: x\r\nContent-Length: 100001\r\n\r\n";
  std::string body(100'000, 'b');
  RawClient first(server->port());
  first.Send(head + body);
  RawClient second(server->port());
  second.Send(head + body);
  EXPECT_EQ(second.Read().status, 429);
  RawClient other(server->port(), 0, "127.0.0.2");
  EXPECT_EQ(other.Ask(Cat(head, body, "!")).status, 200);
  EXPECT_EQ(first.Ask("!").status, 200);
}

TEST(WebLimits, LongChunkLinesAndTrailersAreRefused) {
  Limits limits;
  limits.header_bytes = 1000;
  auto server = Serve(EchoRoutes(), limits);
  for (const std::string& chunk :
       {Cat("5;", std::string(3000, 'x')), Cat("0\r\nX: ", std::string(3000, 'x'), "\r\n")}) {
    RawClient client(server->port());
    EXPECT_EQ(client.Ask(ChunkedHead("/a") + chunk).status, 400);
    EXPECT_TRUE(client.AtEnd());
  }
}

TEST(WebLimits, AllBodiesTogetherAreLimited) {
  Limits limits;
  limits.stranger_body_bytes = 200'000;
  limits.bodies_bytes = 150'000;
  auto server = Serve(EchoRoutes(), limits);
  std::string body(80'000, 'b');
  std::string head =
      Cat("POST /for-anybody HTTP/1.1\r\nHost: x\r\nContent-Length: ", body.size() + 1, "\r\n\r\n");
  RawClient first(server->port());
  first.Send(head + body);
  RawClient second(server->port());
  second.Send(head + body);
  EXPECT_EQ(second.Read().status, 503);
  EXPECT_TRUE(second.AtEnd());
  EXPECT_EQ(first.Ask("!").status, 200);
  EXPECT_EQ(first.Ask(Post("/for-anybody", body)).status, 200);  // both were given back
}

TEST(WebLimits, ARequestThatDripsIs408) {
  Limits limits;
  limits.request = 1s;
  auto server = Serve(EchoRoutes(), limits);
  for (const char* beginning :
       {"GET /", "POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n"}) {
    RawClient client(server->port());
    client.Send(beginning);
    Cancel soon = Cancel::Never().WithTimeout(20s, "drip");
    std::string answer;
    char buffer[1000];
    while (soon.SleepFor(50ms) && answer.empty()) {
      (void)client.Send("a");
      ssize_t got = ::recv(client.socket(), buffer, sizeof buffer, MSG_DONTWAIT);
      if (got > 0) answer.assign(buffer, static_cast<std::size_t>(got));
    }
    EXPECT_TRUE(answer.starts_with("HTTP/1.1 408 ")) << answer;
  }
}

TEST(WebLimits, IdleClientsAreClosed) {
  Limits limits;
  limits.idle = 1s;
  auto server = Serve(EchoRoutes(), limits);
  RawClient silent(server->port());
  EXPECT_TRUE(silent.AtEnd());
  RawClient once(server->port());
  EXPECT_EQ(once.Ask(Get("/a")).status, 200);
  EXPECT_TRUE(once.AtEnd());
}

TEST(WebLimits, AClientThatDoesNotReadIsClosed) {
  std::atomic<int> calls = 0;
  Routes routes;
  routes.whole[{"GET", "/big"}] = [&](const Request&, const Cancel&) -> Answer {
    ++calls;
    Response response;
    response.body = Secret(std::string(32 << 20, 'x'));
    return response;
  };
  Limits limits;
  limits.write = 1s;
  auto server = Serve(routes, limits);
  RawClient client(server->port(), 4096);
  client.Send(Get("/big"));
  ASSERT_TRUE(Eventually([&] { return calls > 0; }));
  (void)Cancel::Never().SleepFor(3s);
  std::size_t got = 0;
  for (std::string more = client.ReadSome(); !more.empty(); more = client.ReadSome())
    got += more.size();
  EXPECT_LT(got, std::size_t{32} << 20);
}

TEST(WebLimits, APeerWithTooManyConnectionsLosesTheOneThatIsMissedLeast) {
  Limits limits;
  limits.connections_per_peer = 3;
  auto server = Serve(EchoRoutes(), limits);
  RawClient elsewhere(server->port(), 0, "127.0.0.2");
  RawClient known(server->port());
  EXPECT_EQ(known.Ask(Get("/a")).status, 200);
  RawClient silent(server->port());
  RawClient half(server->port());
  half.Send("GET /a");
  RawClient newcomer(server->port());
  EXPECT_EQ(newcomer.Ask(Get("/a")).status, 200);
  EXPECT_TRUE(silent.AtEnd());
  EXPECT_EQ(RawClient(server->port()).Ask(Get("/a")).status, 200);
  EXPECT_TRUE(half.AtEnd());
  EXPECT_EQ(known.Ask(Get("/a")).status, 200);
  EXPECT_EQ(elsewhere.Ask(Get("/a")).status, 200);
}

TEST(WebLimits, AmongStrangersTheOldestOfTheMostCrowdedPeerGoes) {
  std::mutex mutex;
  std::string told;
  Routes routes = EchoRoutes();
  routes.turned_away = [&](std::string_view what) {
    std::lock_guard lock(mutex);
    told += Cat(what, ';');
  };
  Limits limits;
  limits.connections = 6;
  auto server = Serve(routes, limits);
  RawClient patient(server->port(), 0, "127.0.0.3");
  patient.Send("GET /a HTTP/1.1\r\n");
  std::vector<std::unique_ptr<RawClient>> halves;
  for (int i = 0; i < 5; ++i) {
    halves.push_back(std::make_unique<RawClient>(server->port(), 0, "127.0.0.2"));
    halves.back()->Send("GET /a HTTP/1.1\r\n");
  }
  EXPECT_EQ(RawClient(server->port()).Ask(Get("/a")).status, 200);
  EXPECT_TRUE(halves[0]->AtEnd());
  EXPECT_EQ(patient.Ask("Host: x\r\n\r\n").status, 200);
  EXPECT_EQ(halves[1]->Ask("Host: x\r\n\r\n").status, 200);
  std::lock_guard lock(mutex);
  EXPECT_EQ(told, "connections;");
}

TEST(WebLimits, BeyondAllConnectionsTheLongestIdleOneGoes) {
  Limits limits;
  limits.connections = 2;
  auto server = Serve(EchoRoutes(), limits);
  RawClient busy_of_old(server->port());
  EXPECT_EQ(busy_of_old.Ask(Get("/a")).status, 200);
  RawClient idle(server->port());
  EXPECT_EQ(idle.Ask(Get("/a")).status, 200);
  EXPECT_EQ(busy_of_old.Ask(Get("/a")).status, 200);
  RawClient newcomer(server->port());
  EXPECT_EQ(newcomer.Ask(Get("/a")).status, 200);
  EXPECT_TRUE(idle.AtEnd());
  EXPECT_EQ(busy_of_old.Ask(Get("/a")).status, 200);
}

TEST(WebLimits, WithAllConnectionsBusyTheNewcomerGoes) {
  std::atomic<int> calls = 0;
  Routes routes = EchoRoutes();
  routes.guarded[{"GET", "/later"}] = Guarded([&](const Request&, const Cancel&) -> Answer {
    ++calls;
    return Later{10s};
  });
  Limits limits;
  limits.connections = 1;
  auto server = Serve(routes, limits);
  RawClient busy(server->port());
  busy.Send(Get("/later"));
  ASSERT_TRUE(Eventually([&] { return calls > 0; }));
  EXPECT_EQ(RawClient(server->port()).Ask(Get("/a")).status, 0);
  server.reset();
  EXPECT_EQ(busy.Read().status, 503);
}

TEST(WebLimits, LaterEndsWith504) {
  Routes routes;
  routes.whole[{"GET", "/later"}] = [](const Request&, const Cancel&) -> Answer {
    return Later{10ms};
  };
  Limits limits;
  limits.longest_wait = 0min;
  auto server = Serve(routes, limits);
  RawClient client(server->port());
  EXPECT_EQ(client.Ask(Get("/later")).status, 504);
  EXPECT_EQ(client.Ask(Get("/later")).status, 504);
}

TEST(WebLimits, AClientThatFloodsWhileItWaitsIsClosed) {
  Routes routes;
  routes.whole[{"GET", "/later"}] = [](const Request&, const Cancel&) -> Answer {
    return Later{10s};
  };
  auto server = Serve(routes);
  RawClient client(server->port());
  client.Send(Get("/later"));
  std::string flood(64 << 10, 'x');
  Cancel soon = Cancel::Never().WithTimeout(20s, "flood");
  bool taken = true;
  while (taken && !soon.cancelled())
    taken = client.Send(flood);
  EXPECT_FALSE(taken);
}

}  // namespace
}  // namespace depot::web::limits_test
