#include "driver/depot/project.h"

#include <gtest/gtest.h>

#include "tests/unit/http/certificates.h"

namespace depot::api::project_test {
namespace {

class ProjectTest : public testing::Test {
 protected:
  Result<ProjectChoice> Find(const std::vector<std::string>& directories) {
    return FindProject("", {}, directories);
  }

  /// The id found from `directory`, or the error.
  std::string Id(const std::string& directory) {
    auto choice = Find({dir_.path(directory)});
    return choice ? choice->id : choice.error().message();
  }

  test::TempDir dir_;
};

TEST_F(ProjectTest, TheFlagGoesBeforeTheVariableAndThatBeforeTheFile) {
  dir_.Write("depot.json", R"({"id": "file"})");
  auto choice = FindProject("flag", {{"DEPOT_PROJECT_ID", "variable"}}, {dir_.path()});
  EXPECT_EQ(choice->id + ' ' + choice->source, "flag --project");
  choice = FindProject("", {{"DEPOT_PROJECT_ID", "variable"}}, {dir_.path()});
  EXPECT_EQ(choice->id + ' ' + choice->source, "variable DEPOT_PROJECT_ID");
  choice = FindProject("", {}, {dir_.path()});
  EXPECT_EQ(choice->id + ' ' + choice->source, "file " + dir_.path("depot.json"));
}

TEST_F(ProjectTest, TheNearestFileUpwardCounts) {
  dir_.Write("depot.yaml", "id: top\n");
  dir_.Write("a/depot.yml", "id: near # comment\n");
  dir_.Write("a/depot.yaml", "id: later in the same directory\n");
  dir_.Write("a/b/c/keep", "");
  EXPECT_EQ(Id("a/b/c"), "near");
  EXPECT_EQ(Id("a"), "near");
  EXPECT_EQ(Id(""), "top");
  EXPECT_EQ(Id("a/../nowhere/./deeper"), "top");
}

TEST_F(ProjectTest, NoneIsNone) {
  auto choice = Find({dir_.path("nowhere")});
  ASSERT_TRUE(choice) << choice.error().message();
  EXPECT_EQ(choice->id, "");
}

TEST_F(ProjectTest, TheLastDirectoryWinsWithAWarning) {
  dir_.Write("a/depot.json", R"({"id": "one"})");
  dir_.Write("b/depot.json", R"({"id": "two"})");
  auto choice = Find({dir_.path("a"), dir_.path("b")});
  ASSERT_TRUE(choice);
  EXPECT_EQ(choice->id, "two");
  ASSERT_EQ(choice->warnings.size(), 1U);
  EXPECT_EQ(choice->warnings[0], dir_.path("a/depot.json") + " names the project one, but " +
                                     dir_.path("b/depot.json") + " names two, which is used");
  EXPECT_TRUE(Find({dir_.path("a"), dir_.path("a")})->warnings.empty());
}

TEST_F(ProjectTest, JsonMayBeIndentedByTabs) {
  dir_.Write("depot.json", "{\n\t\"id\":\t\"x\"\n}\n");
  EXPECT_EQ(Id(""), "x");
}

TEST_F(ProjectTest, ABrokenFileIsAnError) {
  for (const char* text : {"{\"id\": ", "id: [a]", "{}", "", "id: ''", "just text", "a: b: c"}) {
    dir_.Write("depot.json", text);
    auto choice = Find({dir_.path()});
    ASSERT_FALSE(choice) << text;
    EXPECT_EQ(choice.error().code(), ErrorCode::kInvalid);
    EXPECT_EQ(choice.error().message().find(dir_.path("depot.json")), 0U);
  }
  std::filesystem::remove(dir_.path("depot.json"));
  std::filesystem::create_directory(dir_.path("depot.json"));
  EXPECT_EQ(Find({dir_.path()}).error().code(), ErrorCode::kInvalid);
}

TEST_F(ProjectTest, ALinkOutOfItsDirectoryIsRefused) {
  dir_.Write("a/real.json", "{\"id\": \"inside\"}");
  std::filesystem::create_symlink("real.json", dir_.path("a/depot.json"));
  EXPECT_EQ(Id("a"), "inside");
  std::filesystem::remove(dir_.path("a/depot.json"));
  std::filesystem::create_symlink("/proc/self/environ", dir_.path("a/depot.json"));
  auto choice = Find({dir_.path("a")});
  ASSERT_FALSE(choice);
  EXPECT_NE(choice.error().message().find("is a symbolic link to /proc/self/environ"),
            std::string::npos)
      << choice.error().message();
  EXPECT_NE(choice.error().hint(), "");
}

TEST_F(ProjectTest, InitDoesNotReplaceAFileUnlessToldTo) {
  ASSERT_TRUE(WriteProjectFile(dir_.path(), "p1", false));
  EXPECT_EQ(dir_.Read("depot.json"), "{\"id\":\"p1\"}\n");
  EXPECT_EQ(Id(""), "p1");
  Result<> again = WriteProjectFile(dir_.path(), "p2", false);
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code(), ErrorCode::kInvalid);
  ASSERT_TRUE(WriteProjectFile(dir_.path(), "p2", true));
  EXPECT_EQ(Id(""), "p2");
}

}  // namespace
}  // namespace depot::api::project_test
