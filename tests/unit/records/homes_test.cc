// What homes are worth: the load of docs/pool.md played against the real queue.

#include <algorithm>
#include <cmath>
#include <deque>
#include <map>
#include <vector>

#include <gtest/gtest.h>

#include "driver/base/text.h"
#include "pool/records/slots.h"
#include "pool/records/turns.h"

namespace depot::records::homes_test {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr const char* kPlatform = "linux/amd64";
constexpr int kProjects = 50;
constexpr int kBuilders = 8;
constexpr std::size_t kCached = 12;  // a builder has the caches of so many projects
constexpr seconds kWarmBuild(60);
constexpr seconds kColdBuild(180);
constexpr seconds kWarmUp = std::chrono::hours(1);
constexpr seconds kStep(5);  // of the clock; clients ask no more often

/// Numbers that look random and are the same each time (Knuth's MMIX).
class Chance {
 public:
  /// In (0, 1].
  double Next() {
    state_ = state_ * 6364136223846793005u + 1442695040888963407u;
    return static_cast<double>((state_ >> 11) + 1) / 9007199254740992.0;
  }

 private:
  std::uint64_t state_ = 20260131;
};

struct Load {
  int slots = 4;
  double share = 0.3;     ///< of all slots, if every build were warm
  bool replaced = false;  ///< a builder is replaced every hour
  std::chrono::hours measured{4};
  HomeRules homes{seconds(30), 16};
};

/// 50 projects, the Nth of which builds 1/N as often as the first, on 8 builders.
class PlayedLoad {
 public:
  explicit PlayedLoad(const Load& load) : load_(load) {
    slots_->SetHomes(load.homes);
    for (int i = 0; i < kBuilders; ++i)
      names_.push_back(Cat("builder", i));
    Configure();
  }

  /// The percentage of builds that found their cache.
  double Hits() {
    double rate = load_.share * load_.slots * kBuilders / static_cast<double>(kWarmBuild.count());
    double next = 0;
    seconds hour = std::chrono::hours(1);
    for (seconds now(0); now < kWarmUp + load_.measured; now += kStep) {
      if (load_.replaced && now > seconds(0) && now.count() % hour.count() == 0) Replace();
      for (; next <= static_cast<double>(now.count()); next -= std::log(chance_.Next()) / rate)
        waiting_.push_back({Cat("b", count_++), Cat("p", PickProject())});
      End(now);
      Ask(now);
    }
    return 100.0 * hits_ / builds_;
  }

 private:
  struct Client {
    std::string build;
    std::string project;
  };

  void Configure() {
    std::vector<BuilderSlots> builders;
    for (const std::string& name : names_)
      builders.push_back({name, kPlatform, load_.slots, {}});
    slots_->Configure(std::move(builders));
  }

  void Replace() {
    std::string& oldest = names_[replaced_ % names_.size()];
    oldest = Cat("builder", kBuilders + replaced_++);
    Configure();
  }

  int PickProject() {
    double all = 0;
    for (int i = 1; i <= kProjects; ++i)
      all += 1.0 / i;
    double point = chance_.Next() * all;
    int project = 1;
    for (; project < kProjects && point > 1.0 / project; ++project)
      point -= 1.0 / project;
    return project;
  }

  void End(seconds now) {
    while (!running_.empty() && running_.begin()->first <= now) {
      slots_->Release(running_.begin()->second);
      running_.erase(running_.begin());
    }
  }

  void Ask(seconds now) {
    std::erase_if(waiting_, [&](const Client& client) {
      auto answer = slots_->Ask(client.build, kPlatform, client.project, now);
      auto* granted = std::get_if<Granted>(&answer);
      if (granted == nullptr) return false;
      bool hit = Touch(caches_[granted->claim.builder], client.project);
      running_.emplace(now + (hit ? kWarmBuild : kColdBuild), client.build);
      if (now < kWarmUp) return true;
      ++builds_;
      hits_ += hit ? 1 : 0;
      return true;
    });
  }

  static bool Touch(std::deque<std::string>& cache, const std::string& project) {
    bool hit = std::erase(cache, project) > 0;
    cache.push_back(project);
    if (cache.size() > kCached) cache.pop_front();
    return hit;
  }

  const Load load_;
  std::unique_ptr<Slots> slots_ = MakeSlots();
  std::vector<std::string> names_;
  Chance chance_;
  std::vector<Client> waiting_;
  std::multimap<seconds, std::string> running_;
  std::map<std::string, std::deque<std::string>> caches_;
  int count_ = 0;
  std::size_t replaced_ = 0;
  int builds_ = 0;
  int hits_ = 0;
};

TEST(Homes, FindTheirCachesAsSimulated) {
  EXPECT_NEAR(PlayedLoad({4, 0.30}).Hits(), 99.8, 2);
  EXPECT_NEAR(PlayedLoad({4, 0.45}).Hits(), 99, 2);
  EXPECT_NEAR(PlayedLoad({4, 0.60}).Hits(), 97, 2);
  EXPECT_NEAR(PlayedLoad({1, 0.30, false, std::chrono::hours(40)}).Hits(), 89, 2);
  EXPECT_NEAR(PlayedLoad({4, 0.45, true}).Hits(), 97, 2);
}

TEST(Homes, WithoutThemMoreThanAThirdOfTheBuildsIsCold) {
  EXPECT_LT(PlayedLoad({4, 0.30, false, std::chrono::hours(4), {}}).Hits(), 66);
}

TEST(Homes, ABuilderThatGoesMovesOnlyItsOwnProjects) {
  std::vector<BuilderUse> before;
  for (int i = 0; i < kBuilders; ++i)
    before.push_back({{Cat("builder", i), kPlatform, 1, {}}});
  std::vector<BuilderUse> after(before.begin(), before.end() - 1);
  std::map<std::size_t, int> firsts;
  for (int i = 0; i < 800; ++i) {
    Claim claim{"", kPlatform, Cat("project", i), 0, ""};
    auto had = OrderFor(claim, before);
    std::erase(had, before.size() - 1);
    EXPECT_EQ(OrderFor(claim, after), had);
    ++firsts[OrderFor(claim, before)[0]];
  }
  for (int i = 0; i < kBuilders; ++i)
    EXPECT_NEAR(firsts[static_cast<std::size_t>(i)], 100, 35) << "a share that is no share";
}

TEST(Homes, AProjectsOwnBuildersComeFirst) {
  std::vector<BuilderUse> builders{{{"all", kPlatform, 1, {}}},
                                   {{"own", kPlatform, 1, {"p"}}},
                                   {{"others", kPlatform, 1, {"q"}}},
                                   {{"to come", kPlatform, 0, {}}}};
  EXPECT_EQ(OrderFor({"", kPlatform, "p", 0, ""}, builders), (std::vector<std::size_t>{1, 0}));
}

TEST(Homes, TheNameOfACacheCountsNotThatOfItsPlace) {
  std::vector<BuilderUse> one{{{"a", kPlatform, 1, {}, "x"}}, {{"b", kPlatform, 1, {}, "y"}}};
  std::vector<BuilderUse> moved{{{"c", kPlatform, 1, {}, "x"}}, {{"d", kPlatform, 1, {}, "y"}}};
  for (int i = 0; i < 20; ++i) {
    Claim claim{"", kPlatform, Cat("p", i), 0, ""};
    EXPECT_EQ(OrderFor(claim, one), OrderFor(claim, moved));
  }
}

}  // namespace
}  // namespace depot::records::homes_test
