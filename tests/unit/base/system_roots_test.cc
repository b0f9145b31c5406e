#include "driver/base/system_roots.h"

#include <gtest/gtest.h>
#include <unistd.h>

namespace depot {
namespace {

TEST(SystemRoots, AreWhatTheVariablesSayEvenWhenItIsNotThere) {
  SystemRoots file = FindSystemRoots("/nonexistent.pem", "");
  EXPECT_EQ(file.file, "/nonexistent.pem");
  EXPECT_EQ(file.directory, "");
  SystemRoots directory = FindSystemRoots("", "/nonexistent");
  EXPECT_EQ(directory.file, "");
  EXPECT_EQ(directory.directory, "/nonexistent");
}

TEST(SystemRoots, AreReadableWhenFoundInAUsualPlace) {
  SystemRoots roots = FindSystemRoots("", "");
  EXPECT_TRUE(roots.file.empty() || roots.directory.empty());
  for (const std::string& found : {roots.file, roots.directory}) {
    EXPECT_TRUE(found.empty() || ::access(found.c_str(), R_OK) == 0) << found;
  }
}

}  // namespace
}  // namespace depot
