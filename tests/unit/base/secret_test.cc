#include "driver/base/secret.h"

#include <sstream>
#include <type_traits>

#include <gtest/gtest.h>

namespace depot::secret_test {
namespace {

TEST(Secret, PrintsAsStars) {
  std::ostringstream out;
  out << Secret("hunter2") << Secret();
  EXPECT_EQ(out.str(), "******");
}

TEST(Secret, BecomesTextOnlyByReveal) {
  EXPECT_EQ(Secret("hunter2").Reveal(), "hunter2");
  static_assert(!std::is_convertible_v<Secret, std::string>);
  static_assert(!std::is_convertible_v<Secret, std::string_view>);
  static_assert(!std::is_convertible_v<std::string, Secret>);
}

TEST(Secret, MovedFromIsEmpty) {
  Secret first("hunter2");
  Secret second = std::move(first);
  EXPECT_TRUE(first.empty());  // NOLINT(bugprone-use-after-move)
  EXPECT_EQ(second.Reveal(), "hunter2");
  EXPECT_EQ(second.size(), 7U);
}

TEST(Secret, CopiesAndCompares) {
  Secret first("a long secret that does not fit into the string itself");
  Secret second = first;
  EXPECT_EQ(first, second);
  second = Secret("other");
  EXPECT_FALSE(first == second);
}

TEST(Secret, WipesItsMemory) {
  alignas(Secret) unsigned char memory[sizeof(Secret)];
  auto* secret = new (memory) Secret("hunter2");
  ASSERT_NE(std::string_view(reinterpret_cast<char*>(memory), sizeof memory).find("hunter2"),
            std::string_view::npos);
  secret->~Secret();
  EXPECT_EQ(std::string_view(reinterpret_cast<char*>(memory), sizeof memory).find("hunter"),
            std::string_view::npos);
}

}  // namespace
}  // namespace depot::secret_test
