#include "plugin/job/context_loans.h"

#include <thread>

#include <gtest/gtest.h>

namespace depot::job::context_loans_test {
namespace {

using Strings = std::map<std::string, std::string>;

plan::Source SourceOf(const std::map<std::string, std::string>& directories) {
  plan::Source source;
  for (const auto& [name, directory] : directories)
    source.trees[name].directory = directory;
  return source;
}

class ContextLoansTest : public testing::Test {
 protected:
  /// One solve that is being made ready.
  struct Solve {
    solve::BuildRequest request;
    std::unique_ptr<ContextLoans::Loan> loan;
  };

  Solve Begin(const std::map<std::string, std::string>& directories,
              const std::string& key = "key",
              int builder = 0) {
    Solve one;
    one.request.shared_key = key;
    one.loan = loans_.Arrange(reinterpret_cast<const builder::Builder*>(&builders_[builder]),
                              SourceOf(directories), one.request);
    return one;
  }

  ContextLoans loans_;
  char builders_[2] = {};
};

TEST_F(ContextLoansTest, TheFirstLendsItsSession) {
  Solve first = Begin({{"context", "/a"}, {"dockerfile", ""}});
  EXPECT_NE(first.request.session, "");
  EXPECT_TRUE(first.request.local_sessions.empty());
  Solve second = Begin({{"context", "/a"}, {"dockerfile", "/b"}});
  EXPECT_EQ(second.request.local_sessions, (Strings{{"context", first.request.session}}));
  Solve third = Begin({{"context", "/a"}, {"dockerfile", "/b"}});
  EXPECT_EQ(third.request.local_sessions,
            (Strings{{"context", first.request.session}, {"dockerfile", second.request.session}}));
}

TEST_F(ContextLoansTest, OnlyWhatIsTheSameIsShared) {
  Solve first = Begin({{"context", "/a"}});
  EXPECT_TRUE(Begin({{"context", "/b"}}).request.local_sessions.empty());
  EXPECT_TRUE(Begin({{"other", "/a"}}).request.local_sessions.empty());
  EXPECT_TRUE(Begin({{"context", "/a"}}, "another").request.local_sessions.empty());
  EXPECT_TRUE(Begin({{"context", "/a"}}, "key", 1).request.local_sessions.empty());
  EXPECT_TRUE(Begin({{"context", "/a"}}, "").request.local_sessions.empty());
}

TEST_F(ContextLoansTest, WhoLendsWaitsForThoseWhoBorrowed) {
  Solve first = Begin({{"context", "/a"}});
  Solve second = Begin({{"context", "/a"}});
  bool given_back = false;
  std::thread other([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    given_back = true;
    second.loan.reset();
  });
  first.loan->Settle(Cancel::Never());
  EXPECT_TRUE(given_back);
  other.join();
  Solve later = Begin({{"context", "/a"}});
  EXPECT_TRUE(later.request.local_sessions.empty()) << "its session may have ended";
}

TEST_F(ContextLoansTest, TwoThatBorrowFromEachOtherEnd) {
  Solve first = Begin({{"context", "/a"}});
  Solve second = Begin({{"context", "/a"}, {"more", "/b"}});
  Solve third = Begin({{"more", "/b"}});
  std::thread other([&] { second.loan->Settle(Cancel::Never()); });
  third.loan->Settle(Cancel::Never());
  first.loan->Settle(Cancel::Never());
  other.join();
}

TEST_F(ContextLoansTest, ACancelEndsTheWait) {
  Solve first = Begin({{"context", "/a"}});
  Solve second = Begin({{"context", "/a"}});
  CancelSource source(Cancel::Never());
  source.Request(Error(ErrorCode::kCancelled, "enough"));
  first.loan->Settle(source.cancel());
}

}  // namespace
}  // namespace depot::job::context_loans_test
