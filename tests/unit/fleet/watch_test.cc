#include "pool/fleet/watch.h"

#include <atomic>
#include <memory>

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "proto/control.pb.h"

#include "driver/base/fd.h"
#include "driver/base/text.h"
#include "driver/rpc/server.h"
#include "pool/fleet/fleet.h"

namespace depot::fleet::watch_test {
namespace {

/// BuildKit as far as a pool asks it before it gives it away, on a loopback port.
class FakeBuilder {
 public:
  explicit FakeBuilder(std::string worker, std::string architecture = "amd64") {
    table_.Add("/moby.buildkit.v1.Control/ListWorkers",
               rpc::UnaryHandler([worker, architecture](const rpc::Metadata&, const std::string&,
                                                        std::string& response, const Cancel&) {
                 moby::buildkit::v1::ListWorkersResponse workers;
                 auto* record = workers.add_record();
                 record->set_id(worker);
                 auto* platform = record->add_platforms();
                 platform->set_os("linux");
                 platform->set_architecture(architecture);
                 response = workers.SerializeAsString();
                 return rpc::Status{};
               }));
    Listen();
  }

  ~FakeBuilder() { End(); }

  void Listen() {
    socket_.Reset(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    int on = 1;
    (void)::setsockopt(socket_.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port_);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* generic = reinterpret_cast<sockaddr*>(&address);
    ASSERT_EQ(::bind(socket_.get(), generic, size), 0);
    (void)::getsockname(socket_.get(), generic, &size);
    port_ = ntohs(address.sin_port);
    ASSERT_EQ(::listen(socket_.get(), 16), 0);
    threads_ = std::make_unique<TaskGroup>(Cancel::Never());
    TaskGroup& threads = *threads_;
    threads.Start("accept", [this, &threads](const Cancel& cancel) -> Result<> {
      while (WaitForFd(socket_.get(), POLLIN, cancel)) {
        const int accepted = ::accept4(socket_.get(), nullptr, nullptr, SOCK_CLOEXEC);
        last_ = ::dup(accepted);
        auto fd = std::make_shared<Fd>(accepted);
        threads.Start("serve", [this, fd](const Cancel& stop) -> Result<> {
          (void)rpc::Serve(rpc::MakeSocketStream(std::move(*fd)), table_, stop);
          return {};
        });
      }
      return {};
    });
  }

  /// Says GOAWAY on its latest connection, as a buildkitd does on SIGTERM.
  void Drain() {
    const std::string frame("\0\0\x08\x07\0\0\0\0\0\x7f\xff\xff\xff\0\0\0\0", 17);
    EXPECT_EQ(::send(last_, frame.data(), frame.size(), MSG_NOSIGNAL), 17);
  }

  /// Listens no more, and ends its connections.
  void End() {
    threads_.reset();
    socket_.Reset();
  }

  Result<builder::Endpoint> Way() const {
    return builder::ParseEndpoint(Url(), {}, Cancel::Never());
  }
  std::string Url() const { return Cat("tcp://127.0.0.1:", port_.load()); }

 private:
  rpc::ServiceTable table_;
  Fd socket_;
  std::atomic<std::uint16_t> port_ = 0;
  std::atomic<int> last_{-1};
  std::unique_ptr<TaskGroup> threads_;
};

/// Until `holds`, or half a minute is over.
template <typename Holds>
bool Comes(Holds holds) {
  for (int i = 0; i < 3000 && !holds(); ++i)
    Cancel::Never().SleepFor(std::chrono::milliseconds(10));
  return holds();
}

TEST(Watch, KnowsWhoItIsAndThatItDrainsEndsAndComesBack) {
  FakeBuilder builder("worker1");
  Watch watch([&] { return builder.Way(); }, false);
  ASSERT_TRUE(Comes([&] { return watch.Now().health == Health::kUp; })) << watch.Now().why;
  EXPECT_EQ(watch.Now().worker, "worker1");
  EXPECT_EQ(FormatPlatform(watch.Now().platform), "linux/amd64");
  builder.Drain();
  EXPECT_TRUE(Comes([&] { return watch.Now().health != Health::kUp; }));
  EXPECT_TRUE(Comes([&] { return watch.Now().health == Health::kUp; })) << "it listens still";
  builder.End();
  EXPECT_TRUE(Comes([&] { return watch.Now().health == Health::kDown; }));
  EXPECT_EQ(watch.Now().worker, "worker1");
  builder.Listen();
  EXPECT_TRUE(Comes([&] { return watch.Now().health == Health::kUp; }));
}

TEST(Watch, WhoSaidThatItGoesDrainsAsLongAsNobodyListens) {
  FakeBuilder builder("worker1");
  Watch watch([&] { return builder.Way(); }, false);
  ASSERT_TRUE(Comes([&] { return watch.Now().health == Health::kUp; }));
  builder.Drain();
  builder.End();
  EXPECT_TRUE(Comes([&] { return watch.Now().health == Health::kDraining; }));
}

TEST(Watch, AnIdThatCannotBeANameIsRefused) {
  for (const char* id : {"", "a/b", "a b", "<script>", "a\n", "\x1b[1m"})
    EXPECT_FALSE(IsWorkerId(id)) << id;
  EXPECT_FALSE(IsWorkerId(std::string(65, 'a')));
  EXPECT_TRUE(IsWorkerId("0mz3kv7fx6r2mn7o4rq2yd4e9"));
  FakeBuilder builder("../../etc");
  Watch watch([&] { return builder.Way(); }, false);
  EXPECT_TRUE(Comes([&] { return watch.Now().health == Health::kDown; }));
  EXPECT_EQ(watch.Now().worker, "");
}

/// A fleet whose builders speak without TLS.
class FleetTest : public ::testing::Test {
 protected:
  FleetTest() {
    fleet_ = MakeFleet({[](const FleetBuilder& builder) {
                          return builder::ParseEndpoint(builder.endpoint, {}, Cancel::Never());
                        },
                        [](const std::string&) { return false; },
                        [](const std::vector<FleetBuilder>&) {},
                        [this](std::string line) {
                          std::lock_guard lock(mutex_);
                          log_ += line + '\n';
                        }});
  }

  static settings::BuilderSettings Source(const std::string& name, const FakeBuilder& builder) {
    settings::BuilderSettings source;
    source.name = name;
    source.platform = {"linux", "amd64", ""};
    source.discover = "127.0.0.1";
    source.discover_port = static_cast<std::uint16_t>(
        *ParseDecimal(builder.Url().substr(builder.Url().rfind(':') + 1)));
    return source;
  }

  /// "NAME HEALTH SLOTS", a line each.
  std::string Shown() {
    std::string text;
    for (const FleetBuilder& builder : fleet_->Builders())
      text += Cat(builder.name, ' ', HealthName(builder.health), ' ', builder.slots, '\n');
    return text;
  }

  bool Says(std::string_view part) {
    return Comes([&] {
      std::lock_guard lock(mutex_);
      return log_.find(part) != std::string::npos;
    });
  }

  std::mutex mutex_;
  std::string log_;
  std::unique_ptr<Fleet> fleet_;
};

TEST_F(FleetTest, AFoundBuilderHasTheNameOfItsSourceAndItsWorker) {
  FakeBuilder builder("worker1");
  fleet_->Configure({Source("amd64", builder)});
  EXPECT_EQ(Shown(), "amd64 not reached yet 0\n");
  EXPECT_TRUE(Comes([&] { return Shown().find("amd64/worker1 up 1\n") != std::string::npos; }))
      << Shown();
  EXPECT_EQ(fleet_->Builders()[1].cache, "worker1");
  EXPECT_EQ(fleet_->Builders()[1].endpoint, builder.Url());
}

TEST_F(FleetTest, ABuilderOfAnotherPlatformIsNotUsed) {
  FakeBuilder builder("worker1", "arm64");
  fleet_->Configure({Source("amd64", builder)});
  EXPECT_TRUE(Says("is not used: it is of linux/arm64, not of linux/amd64"));
  EXPECT_EQ(Shown(), "amd64 not reached yet 0\n");
}

TEST_F(FleetTest, AListedBuilderThatTakesConnectionsIsUpWhoeverItIs) {
  FakeBuilder builder("no/name");
  settings::BuilderSettings listed;
  listed.name = "first";
  listed.endpoint = builder.Url();
  fleet_->Configure({listed});
  EXPECT_TRUE(Comes([&] { return Shown() == "first up 1\n"; })) << Shown();
  builder.End();
  const std::int64_t up_since = fleet_->Builders()[0].since;
  EXPECT_TRUE(Says("builder first is down: ")) << Shown();
  const FleetBuilder down = fleet_->Builders()[0];
  EXPECT_GT(up_since, 1'700'000'000);
  EXPECT_GE(down.since, up_since);
  Cancel::Never().SleepFor(std::chrono::milliseconds(1500));
  EXPECT_EQ(fleet_->Builders()[0].since, down.since) << "it was not tried for the first time";
  builder.Listen();
  EXPECT_TRUE(Says("builder first is up again"));
}

}  // namespace
}  // namespace depot::fleet::watch_test
