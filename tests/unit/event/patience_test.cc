#include "driver/event/patience.h"

#include <condition_variable>
#include <mutex>

#include <gtest/gtest.h>

namespace depot::patience_test {
namespace {

using std::chrono::milliseconds;

class Notices final : public EventSink {
 public:
  void Emit(Event event) override {
    std::lock_guard lock(mutex_);
    texts_.push_back(std::get<Notice>(event).text);
    changed_.notify_all();
  }
  std::vector<std::string> Await(std::size_t count) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return texts_.size() >= count; });
    return texts_;
  }
  std::size_t count() {
    std::lock_guard lock(mutex_);
    return texts_.size();
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::string> texts_;
};

TEST(Patience, SaysWhoIsSilentAndAgain) {
  Notices notices;
  Awaited who{"the registry r"};
  who.first_line = milliseconds(5);
  who.next_lines = milliseconds(5);
  Patience patience(notices, who, Cancel::Never());
  EXPECT_EQ(notices.Await(2).front(), "waiting for the registry r (0 s)");
  EXPECT_FALSE(patience.cancel().cancelled());
}

TEST(Patience, EndsAWaitThatHasALimit) {
  Notices notices;
  Patience patience(notices, {"the Engine", milliseconds(5), "is it frozen?"}, Cancel::Never());
  while (!patience.cancel().cancelled())
    patience.cancel().SleepFor(milliseconds(1));
  EXPECT_EQ(patience.cancel().error().code(), ErrorCode::kTimeout);
  EXPECT_EQ(patience.cancel().error().message(), "the Engine gave no sign of life for 0 s");
  EXPECT_EQ(patience.cancel().error().hint(), "is it frozen?");
  EXPECT_EQ(notices.count(), 0U);
}

TEST(Patience, NobodyIsWaitedForWhileItRests) {
  Notices notices;
  Awaited who{"the Engine", milliseconds(200)};
  who.first_line = milliseconds(100);
  Patience patience(notices, who, Cancel::Never());
  patience.Rest();
  EXPECT_TRUE(patience.cancel().SleepFor(milliseconds(400)));
  EXPECT_EQ(notices.count(), 0U);
  patience.Heard();
  EXPECT_EQ(notices.Await(1).front(), "waiting for the Engine (0 s)");
}

TEST(Patience, StopsWithItsParent) {
  Notices notices;
  CancelSource user;
  Patience patience(notices, {"x"}, user.cancel());
  user.Request(Error(ErrorCode::kCancelled, "by the user"));
  EXPECT_EQ(patience.cancel().error().message(), "by the user");
}

}  // namespace
}  // namespace depot::patience_test
