#include "plugin/choice/node_id.h"

#include <gtest/gtest.h>

#include "tests/unit/files/temporary_tree.h"

namespace depot::choice::node_id_test {
namespace {

TEST(NodeId, ASecretOfTheProjectGivesTheSameInEveryJobAndTellsNothing) {
  Environment job = {{"CI_PROJECT_PATH", "group/app"}};
  std::string id = NodeId(Secret("key"), job, "/nowhere");
  EXPECT_EQ(id, NodeId(Secret("key"), job, "/elsewhere"));
  EXPECT_EQ(id.size(), 16u);
  EXPECT_EQ(id.find("key"), std::string::npos);
  EXPECT_NE(id, NodeId(Secret("other key"), job, "/nowhere"));
  EXPECT_NE(id, NodeId(Secret("key"), {{"CI_PROJECT_PATH", "group/other"}}, "/nowhere"));
}

TEST(NodeId, WithoutASecretItIsMadeOnceAndKeptWhereOnlyItsOwnerReads) {
  files::TemporaryTree tree;
  std::string id = NodeId(Secret(), {}, tree.root());
  EXPECT_EQ(id.size(), 16u);
  EXPECT_EQ(NodeId(Secret(), {}, tree.root()), id);
  struct stat st {};
  ASSERT_EQ(::stat(tree.At("buildx/.buildNodeID").c_str(), &st), 0);
  EXPECT_EQ(st.st_mode & 0777, 0600u);
  tree.File("set/.buildNodeID", "of buildx\n");
  EXPECT_EQ(NodeId(Secret(), {{"BUILDX_CONFIG", tree.At("set")}}, tree.root()), "of buildx");
}

TEST(NodeId, APlaceThatCannotBeWrittenIsNoReasonNotToBuild) {
  EXPECT_NE(NodeId(Secret(), {}, "/proc/nowhere"), NodeId(Secret(), {}, "/proc/nowhere"));
}

}  // namespace
}  // namespace depot::choice::node_id_test
