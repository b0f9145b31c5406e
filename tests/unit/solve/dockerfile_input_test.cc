#include "driver/solve/dockerfile_input.h"

#include <gtest/gtest.h>

#include "proto/gateway.pb.h"
#include "proto/llb.pb.h"

#include "driver/oci/digest.h"
#include "driver/solve/wire.h"

namespace depot::solve::dockerfile_input_test {
namespace {

struct MadeFile {
  std::string path;
  std::string text;
  std::string step;

  friend bool operator==(const MadeFile&, const MadeFile&) = default;
};

/// The files that a definition makes, one upon the other, the last of which is its result.
std::vector<MadeFile> FilesOf(const std::string& bytes) {
  pb::Definition definition;
  EXPECT_TRUE(definition.ParseFromString(bytes));
  std::vector<MadeFile> files;
  std::string below;
  for (const std::string& one : definition.def()) {
    pb::Op op;
    EXPECT_TRUE(op.ParseFromString(one));
    EXPECT_EQ(op.inputs_size(), below.empty() ? 0 : 1);
    if (!below.empty()) EXPECT_EQ(op.inputs(0).digest(), below);
    below = DigestOf(one);
    if (!op.has_file()) continue;
    const pb::FileAction& action = op.file().actions(0);
    EXPECT_EQ(action.input(), files.empty() ? -1 : 0);
    files.push_back({action.mkfile().path(), action.mkfile().data(),
                     definition.metadata().at(below).description().at("llb.customname")});
  }
  EXPECT_EQ(static_cast<int>(files.size()) + 1, definition.def_size());
  return files;
}

TEST(DockerfileInputTest, TheDockerfileAndTheIgnoreFile) {
  const std::vector<MadeFile> expected = {
      {"/a.Dockerfile", "FROM a\n", "[internal] load build definition from a.Dockerfile"},
      {"/a.Dockerfile.dockerignore", "*.log", "[internal] load .dockerignore"}};
  EXPECT_EQ(FilesOf(DockerfileInput({"a.Dockerfile", "FROM a\n", "*.log"})), expected);
}

TEST(DockerfileInputTest, NoIgnoreFileIsToldByOneThatHasABlankLine) {
  EXPECT_EQ(FilesOf(DockerfileInput({"Dockerfile", "x", ""})).at(1).text, "\n");
}

TEST(DockerfileInputTest, AnIgnoreFileThatIsNotKnownIsLeftToTheFrontend) {
  EXPECT_EQ(FilesOf(DockerfileInput({"Dockerfile", "x", std::nullopt})).size(), 1U);
}

TEST(DockerfileInputTest, BytesThatAreNoTextArriveAsTheyAre) {
  EXPECT_EQ(FilesOf(DockerfileInput({"Dockerfile", "\xff\xfe", ""})).at(0).text, "\xff\xfe");
}

TEST(DockerfileInputTest, IsInTheCallOfABuildAndNotOfAQuestion) {
  BuildRequest request;
  request.dockerfile = DockerfileInput({"Dockerfile", "FROM a", ""});
  const auto inputs = [&] {
    moby::buildkit::v1::frontend::SolveRequest message;
    EXPECT_TRUE(message.ParseFromString(EncodeGatewaySolve(request)));
    return message.frontend_inputs();
  };
  ASSERT_TRUE(inputs().contains("dockerfile"));
  EXPECT_EQ(FilesOf(inputs().at("dockerfile").SerializeAsString()).at(0).text, "FROM a");
  request.call = "lint";
  EXPECT_TRUE(inputs().empty());
}

}  // namespace
}  // namespace depot::solve::dockerfile_input_test
