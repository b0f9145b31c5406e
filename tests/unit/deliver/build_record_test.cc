#include "plugin/deliver/build_record.h"

#include <filesystem>
#include <fstream>
#include <sstream>

#include <gtest/gtest.h>

#include "tests/unit/files/temporary_tree.h"

namespace depot::deliver::build_record_test {
namespace {

class BuildRecordTest : public testing::Test {
 protected:
  std::string Written(const BuildRecord& record, const Environment& environment = {}) {
    WriteBuildRecord(tree_.At("buildx"), record, options_, environment);
    std::ifstream file(
        tree_.At("buildx/refs/" + record.builder + "/" + record.node + "/" + record.ref));
    std::ostringstream text;
    text << file.rdbuf();
    return text.str();
  }

  files::TemporaryTree tree_;
  options::BuildOptions options_;
};

TEST_F(BuildRecordTest, IsWhatBuildxKeeps) {
  options_.context = "/src/app/../app/";
  options_.file = "/src/build/Dockerfile";
  EXPECT_EQ(Written({"b", "b0", "r1"}),
            R"({"DockerfilePath":"/src/build/Dockerfile","LocalPath":"/src/app",)"
            R"("Target":"default"})");
  options_.context = "https://u:tok@h/p.git#main";
  options_.file = "sub/Dockerfile";
  EXPECT_EQ(Written({"b", "b0", "r2"}),
            R"({"DockerfilePath":"sub/Dockerfile","LocalPath":"https://xxxxx:xxxxx@h/p.git#main",)"
            R"("Target":"default"})");
  options_.context = "-";
  options_.file = "";
  EXPECT_EQ(Written({"default", "default", "r3"}),
            R"({"DockerfilePath":"","LocalPath":"-","Target":"default"})");
}

TEST_F(BuildRecordTest, NoNameLeadsOutOfTheFolder) {
  options_.context = ".";
  for (const BuildRecord& record :
       {BuildRecord{"", "", "r"}, {"..", "b0", "r"}, {"b", "../..", "r"}, {"a/b", "c", "r"}}) {
    (void)Written(record);
  }
  EXPECT_EQ(Written({"b", "b0", "r"}, {{"SUDO_UID", "1000"}}), "");
  EXPECT_FALSE(std::filesystem::exists(tree_.At("buildx")));
}

TEST_F(BuildRecordTest, AFolderThatCannotBeWrittenIsNoMatter) {
  tree_.File("buildx", "a file");
  EXPECT_EQ(Written({"b", "b0", "r"}), "");
}

TEST(BuildRefOf, ABuilderWithoutANameHasOurs) {
  EXPECT_EQ(BuildRefOf({"b", "b0", "r"}), "b/b0/r");
  EXPECT_EQ(BuildRefOf({"", "", "r"}), "depot/depot0/r");
}

}  // namespace
}  // namespace depot::deliver::build_record_test
