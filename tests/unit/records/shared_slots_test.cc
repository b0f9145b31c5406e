#include "pool/records/shared_slots.h"

#include <random>
#include <set>

#include "driver/base/task_group.h"
#include "pool/records/records.h"
#include "tests/unit/records/test_postgres.h"

namespace depot::records::shared_slots_test {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr const char* kPlatform = "linux/amd64";

/// Nothing happens by itself within a test, and nothing has to settle before it expires.
constexpr SharedPace kByHand{std::chrono::hours(1), std::chrono::hours(1), milliseconds(0)};

/// Two pools on one database.
class SharedSlotsTest : public ::testing::Test {
 protected:
  struct Pool {
    explicit Pool(const PostgresPlace& place, SharedPace pace = kByHand) {
      auto opened = OpenPostgresStore(place);
      EXPECT_TRUE(opened) << opened.error().message();
      store = *std::move(opened);
      records = MakeRecords(*store);
      slots = MakeSharedSlots(
          *store, [](const std::string&) {}, pace);
    }

    std::unique_ptr<PostgresStore> store;
    std::unique_ptr<Records> records;
    std::unique_ptr<Slots> slots;
  };

  SharedSlotsTest() {
    PostgresPlace place = TestPostgres::Get().Empty();
    for (int i = 0; i < 2; ++i)
      pools_.push_back(std::make_unique<Pool>(place));
  }

  Slots& First() { return *pools_[0]->slots; }
  Slots& Second() { return *pools_[1]->slots; }

  void Configure(const std::vector<BuilderSlots>& builders) {
    for (auto& pool : pools_)
      pool->slots->Configure(builders);
  }

  void Create(const std::string& id, const std::string& project = "p") {
    BuildRecord build;
    build.id = id;
    build.project = project;
    build.token_hash = id;
    Result<> created = pools_[0]->records->Create(build);
    ASSERT_TRUE(created) << created.error().message();
  }

  /// The builder's name, or "waits:POSITION".
  static std::string Show(const Answer& answer) {
    if (const auto* granted = std::get_if<Granted>(&answer)) return granted->claim.builder;
    if (const auto* waiting = std::get_if<Waiting>(&answer))
      return Cat("waits:", waiting->position);
    if (const auto* none = std::get_if<NoAnswer>(&answer)) return none->error.message();
    return "none";
  }

  static std::string Ask(Slots& slots, const std::string& build, const std::string& project = "p") {
    EXPECT_TRUE(slots.Refresh());
    return Show(slots.Ask(build, kPlatform, project, milliseconds(0)));
  }

  std::vector<std::unique_ptr<Pool>> pools_;
};

TEST_F(SharedSlotsTest, OneQueueForAllPools) {
  Configure({{"one", kPlatform, 1, {}}});
  for (const char* id : {"a", "b", "c"})
    Create(id);
  EXPECT_EQ(Ask(First(), "a"), "one");
  EXPECT_EQ(Ask(Second(), "b"), "waits:1");
  EXPECT_EQ(Ask(First(), "c"), "waits:2");
  EXPECT_EQ(Ask(Second(), "a"), "one");
  EXPECT_EQ(Second().InUse("one"), 1);
  EXPECT_EQ(Second().Queue().size(), 2U);
  First().Release("a");
  EXPECT_EQ(Ask(First(), "c"), "waits:1") << "b has the slot, though it has not asked again yet";
  ASSERT_TRUE(Second().Refresh());
  auto answer = Second().Ask("b", kPlatform, "p", milliseconds(0));
  ASSERT_TRUE(std::holds_alternative<Granted>(answer)) << Show(answer);
  EXPECT_TRUE(std::get<Granted>(answer).first);
  ASSERT_TRUE(First().Refresh());
  EXPECT_TRUE(First().Holds("b", "one"));
  EXPECT_FALSE(First().Holds("a", "one"));
  EXPECT_EQ(pools_[0]->records->ClaimsOf("a")->front().builder, "one");
  EXPECT_GT(pools_[0]->records->ClaimsOf("b")->front().granted_at, 0);
}

TEST_F(SharedSlotsTest, AnEndIsKnownAtOnceToItsPoolAndSoonToOthers) {
  Records& first = *pools_[0]->records;
  Records& second = *pools_[1]->records;
  const auto state = [](Records& records, const std::string& by_token) {
    auto build = records.FindByToken(by_token);
    EXPECT_TRUE(build);
    return build ? StateName(build->state) : "";
  };
  Create("a");
  for (Records* records : {&first, &second})
    EXPECT_EQ(state(*records, "a"), "running");
  ASSERT_TRUE(first.RequestCancel("a", 5));
  EXPECT_EQ(first.Find("a")->cancel_at, 5);
  ASSERT_TRUE(first.Finish("a", State::kFailed, "why", 6));
  EXPECT_EQ(state(first, "a"), "failed");
  EXPECT_EQ(first.Find("a")->error, "why");
  for (int i = 0; i < 600 && state(second, "a") == "running"; ++i)
    Cancel::Never().SleepFor(milliseconds(100));
  EXPECT_EQ(state(second, "a"), "failed");
}

TEST_F(SharedSlotsTest, ClaimsThatComeTogetherGetTicketsOfTheirOwn) {
  Configure({{"one", kPlatform, 2, {}}});
  TaskGroup group(Cancel::Never());
  for (int i = 0; i < 8; ++i)
    Create(Cat("b", i));
  for (int i = 0; i < 8; ++i) {
    group.Start("asker", [&, i](const Cancel&) -> Result<> {
      const std::string build = Cat("b", i);
      Answer answer = First().Ask(build, kPlatform, "p", seconds(0));
      while (Show(answer) != "one")
        answer = First().Ask(build, kPlatform, "p", seconds(0));
      First().Release(build);
      return {};
    });
  }
  EXPECT_TRUE(group.Wait());
  ASSERT_TRUE(Second().Refresh());
  EXPECT_EQ(Second().InUse("one"), 0);
  EXPECT_TRUE(Second().Queue().empty());
  std::set<std::int64_t> tickets;
  for (int i = 0; i < 8; ++i)
    tickets.insert(pools_[0]->records->ClaimsOf(Cat("b", i))->front().ticket);
  EXPECT_EQ(tickets.size(), 8U);
}

TEST_F(SharedSlotsTest, APoolThatStartsKnowsAllOfIt) {
  Configure({{"one", kPlatform, 1, {}}});
  for (const char* id : {"a", "b", "c"})
    Create(id);
  for (const char* id : {"a", "b", "c"})
    Ask(First(), id);
  pools_.clear();
  pools_.push_back(std::make_unique<Pool>(TestPostgres::Get().place()));
  Configure({{"one", kPlatform, 1, {}}});
  EXPECT_EQ(Ask(First(), "c"), "waits:2");
  EXPECT_EQ(Ask(First(), "b"), "waits:1");
  EXPECT_EQ(Ask(First(), "a"), "one");
}

TEST_F(SharedSlotsTest, ABuilderThatIsDownIsLeftInTheOldPlace) {
  Configure({{"one", kPlatform, 1, {}}, {"two", kPlatform, 1, {}}});
  for (const char* id : {"a", "b", "c"})
    Create(id);
  std::string has = Ask(First(), "a");
  Ask(Second(), "b");
  EXPECT_EQ(Ask(Second(), "c"), "waits:1");
  for (auto& pool : pools_)
    pool->slots->SetUp(has, false);
  EXPECT_EQ(Ask(Second(), "a"), "waits:1");
  EXPECT_EQ(Ask(Second(), "c"), "waits:2");
}

TEST_F(SharedSlotsTest, TheSilentLoseWhatTheyHave) {
  auto later = [&](const std::string& table, const std::string& where) {
    Result<> changed = pools_[0]->store->Change([&](Sql& sql) -> Result<> {
      TRY(sql.Run(Cat("UPDATE ", table, " SET last_sign = last_sign - 61000 WHERE ", where)));
      return {};
    });
    ASSERT_TRUE(changed) << changed.error().message();
  };
  Configure({{"one", kPlatform, 1, {}}});
  for (const char* id : {"silent", "alive", "fresh"})
    Create(id);
  EXPECT_EQ(Ask(First(), "silent"), "one");
  EXPECT_EQ(Ask(First(), "alive"), "waits:1");
  EXPECT_TRUE(Second().Expire(seconds(0)).builds.empty());
  later("builds", "true");
  EXPECT_TRUE(First().Expire(seconds(0)).builds.empty()) << "it has heard of both";
  EXPECT_TRUE(Second().Expire(seconds(0)).builds.empty()) << "which is written down";
  later("builds", "id <> 'alive'");
  EXPECT_EQ(Second().Expire(seconds(0)).builds, std::vector<std::string>{"silent"})
      << "one that has not asked has ten minutes";
  EXPECT_EQ(Ask(Second(), "alive"), "one");
  later("claims", "build = 'alive'");
  Second().Alive("alive", "linux/arm64", seconds(0));
  First().Alive("alive", kPlatform, seconds(0));
  EXPECT_TRUE(First().Expire(seconds(0)).claims.empty());
  later("claims", "build = 'alive'");
  // Its sign for this platform is from when it asked.
  EXPECT_TRUE(Second().Expire(seconds(0)).claims.empty());
  later("claims", "build = 'alive'");
  Expired expired = Second().Expire(seconds(0));
  EXPECT_EQ(expired.builds, std::vector<std::string>{"silent"}) << "nobody has ended it yet";
  ASSERT_EQ(expired.claims.size(), 1U);
  EXPECT_EQ(expired.claims[0].build, "alive");
}

/// What one pool in memory does is what several do on a database, in any order of calls.
TEST_F(SharedSlotsTest, AnyCallsComeToTheSameAsInMemory) {
  std::mt19937 random(20);
  auto model = MakeSlots();
  auto everywhere = [&](auto work) {
    work(*model);
    for (auto& pool : pools_)
      work(*pool->slots);
  };
  everywhere([](Slots& slots) {
    slots.SetWeights({{"q", 3}});
    slots.SetLimits({{"r", 2}});
    slots.Configure(
        {{"one", kPlatform, 2, {}}, {"two", kPlatform, 2, {}}, {"own", kPlatform, 1, {"q"}}});
  });
  const std::vector<std::string> projects{"p", "q", "r"};
  std::vector<std::pair<std::string, std::string>> alive;
  for (int step = 0; step < 300; ++step) {
    Slots& pool = *pools_[random() % 2]->slots;
    const auto what = random() % 10;
    if (what < 4 || alive.empty()) {
      alive.emplace_back(Cat("b", step), projects[random() % 3]);
      Create(alive.back().first, alive.back().second);
    }
    const std::size_t which = what < 4 ? alive.size() - 1 : random() % alive.size();
    const auto [build, project] = alive[which];
    if (what == 9) {
      model->Release(build);
      pool.Release(build);
      alive.erase(alive.begin() + static_cast<std::ptrdiff_t>(which));
      continue;
    }
    std::string in_memory = Show(model->Ask(build, kPlatform, project, seconds(step)));
    ASSERT_EQ(Ask(pool, build, project), in_memory) << "step " << step;
  }
  std::vector<Waiting> queue = model->Queue();
  ASSERT_TRUE(First().Refresh());
  std::vector<Waiting> shared = First().Queue();
  ASSERT_EQ(shared.size(), queue.size());
  for (std::size_t i = 0; i < queue.size(); ++i)
    EXPECT_EQ(shared[i].claim.build, queue[i].claim.build);
}

TEST_F(SharedSlotsTest, ManyThreadsOfSeveralPoolsGiveEachSlotOnce) {
  Configure({{"one", kPlatform, 3, {}}});
  for (int i = 0; i < 24; ++i)
    Create(Cat("b", i));
  TaskGroup group(Cancel::Never());
  std::mutex mutex;
  std::multiset<std::string> got;
  for (int thread = 0; thread < 8; ++thread) {
    group.Start("asker", [&, thread](const Cancel&) -> Result<> {
      for (int i = 0; i < 3; ++i) {
        Slots& slots = *pools_[static_cast<std::size_t>(thread + i) % 2]->slots;
        Answer answer = NoBuilder{};
        // Where it takes its time, a turn may not come in time.
        do {
          answer = slots.Ask(Cat("b", thread * 3 + i), kPlatform, "p", seconds(0));
        } while (std::holds_alternative<Waiting>(answer) &&
                 std::get<Waiting>(answer).lack == Lack::kStore);
        std::lock_guard lock(mutex);
        got.insert(Show(answer));
      }
      return {};
    });
  }
  EXPECT_TRUE(group.Wait());
  EXPECT_EQ(got.count("one"), 3U);
  for (int i = 1; i <= 21; ++i)
    EXPECT_EQ(got.count(Cat("waits:", i)), 1U) << i;
}

TEST_F(SharedSlotsTest, ADatabaseThatIsAwayHoldsNobodyUp) {
  Configure({{"one", kPlatform, 1, {}}});
  for (const char* id : {"a", "b", "c"})
    Create(id);
  EXPECT_EQ(Ask(First(), "a"), "one");
  EXPECT_EQ(Ask(First(), "b"), "waits:1");
  TestPostgres::Get().End();
  auto answer = First().Ask("c", kPlatform, "p", milliseconds(0));
  ASSERT_EQ(Show(answer), "waits:2");
  EXPECT_EQ(std::get<Waiting>(answer).lack, Lack::kStore);
  EXPECT_EQ(Show(First().Ask("a", kPlatform, "p", milliseconds(0))), "one");
  EXPECT_EQ(Show(First().Ask("b", kPlatform, "p", milliseconds(0))), "waits:1");
  EXPECT_EQ(pools_[0]->records->Find("a").error().code(), ErrorCode::kTimeout);
  EXPECT_FALSE(First().Refresh());
  EXPECT_TRUE(First().Expire(std::chrono::hours(1)).builds.empty());
  First().Release("a");
  TestPostgres::Get().Start();
  for (int i = 0; i < 600 && !pools_[0]->records->Check(); ++i)
    std::this_thread::sleep_for(milliseconds(50));
  EXPECT_EQ(Ask(First(), "c"), "waits:2") << "the release is not written yet";
  First().Release("nobody");
  EXPECT_EQ(Ask(First(), "b"), "one");
  EXPECT_EQ(Ask(First(), "c"), "waits:1");
}

TEST_F(SharedSlotsTest, AnAnswerIsNotWaitedForLongerThanItsDeadline) {
  ASSERT_TRUE(pools_[0]->records->Check());
  TestPostgres::Get().Freeze();
  EXPECT_EQ(pools_[0]->records->Find("a").error().code(), ErrorCode::kTimeout);
  EXPECT_EQ(pools_[0]->records->Find("a").error().code(), ErrorCode::kTimeout);
  TestPostgres::Get().Thaw();
  for (int i = 0; i < 600 && !pools_[0]->records->Check(); ++i)
    std::this_thread::sleep_for(milliseconds(50));
  EXPECT_EQ(pools_[0]->records->Find("a").error().code(), ErrorCode::kNotFound);
}

TEST_F(SharedSlotsTest, ANewerPoolsDatabaseIsLeftAlone) {
  ASSERT_TRUE(pools_[0]->store->Change([](Sql& sql) -> Result<> {
    TRY(sql.Run("UPDATE depot_pool_schema SET version = 99"));
    return {};
  }));
  auto opened = OpenPostgresStore(TestPostgres::Get().place());
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code(), ErrorCode::kInvalid);
  EXPECT_NE(opened.error().message().find("newer"), std::string::npos);
}

TEST(PostgresUrls, SayWhetherTheyAreSafe) {
  EXPECT_TRUE(CheckPostgresUrl("postgresql://pool@db/depot?sslmode=verify-full"));
  EXPECT_TRUE(CheckPostgresUrl("postgresql://pool@db1,db2/depot?sslmode=disable"));
  EXPECT_TRUE(CheckPostgresUrl("postgresql://pool@/depot?host=/run/postgresql"));
  EXPECT_NE(CheckPostgresUrl("postgresql://pool@db/depot").error().message().find("TLS"),
            std::string::npos);
  EXPECT_EQ(CheckPostgresUrl("postgresql://pool:geheim@db/depot?sslmode=disable").error().message(),
            "`store` has a password in it");
  EXPECT_FALSE(CheckPostgresUrl("postgresql://pool@db/depot?sslmode=disable&wrong=1"));
}

}  // namespace
}  // namespace depot::records::shared_slots_test
