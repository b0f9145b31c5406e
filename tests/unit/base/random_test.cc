#include "driver/base/random.h"

#include <map>
#include <set>

#include <gtest/gtest.h>

namespace depot::random_test {
namespace {

TEST(RandomBytes, GivesAsManyAsAskedFor) {
  for (std::size_t count : {0U, 1U, 32U, 100'000U})
    EXPECT_EQ(RandomBytes(count).size(), count);
  EXPECT_NE(RandomBytes(32), RandomBytes(32));
}

TEST(RandomId, Is25LowerCaseBase36Characters) {
  std::string id = RandomId();
  EXPECT_EQ(id.size(), 25U);
  EXPECT_EQ(id.find_first_not_of("0123456789abcdefghijklmnopqrstuvwxyz"), std::string::npos) << id;
}

TEST(RandomId, DoesNotRepeatAndFavoursNoDigit) {
  std::set<std::string> ids;
  std::map<char, int> digits;
  for (int i = 0; i < 4000; ++i) {
    std::string id = RandomId();
    for (char digit : id)
      ++digits[digit];
    ids.insert(std::move(id));
  }
  EXPECT_EQ(ids.size(), 4000U);
  ASSERT_EQ(digits.size(), 36U);
  // 100,000 digits: 2,778 of each expected, with a standard deviation of 52.
  for (auto [digit, count] : digits)
    EXPECT_NEAR(count, 2778, 400) << digit;
}

}  // namespace
}  // namespace depot::random_test
