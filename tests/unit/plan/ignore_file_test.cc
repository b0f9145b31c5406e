#include "plugin/plan/ignore_file.h"

#include <gtest/gtest.h>

namespace depot::plan::ignore_file_test {
namespace {

std::map<std::string, std::unique_ptr<files::FileTree>> Trees(const std::string& ignore,
                                                              const std::string& own = "") {
  std::map<std::string, std::unique_ptr<files::FileTree>> trees;
  trees["context"] = files::MakeMemoryTree({{".dockerignore", ignore}});
  std::map<std::string, std::string> beside{{"app.Dockerfile", ""}};
  if (!own.empty()) beside["app.Dockerfile.dockerignore"] = own;
  trees["dockerfile"] = files::MakeMemoryTree(std::move(beside));
  return trees;
}

IgnoreFile Of(const std::string& text) {
  return IgnoreFileInForce(Source{}, Trees(text));
}

/// The deciding line; 0 = none.
std::size_t Line(const IgnoreFile& file, std::string_view path) {
  const IgnoreRule* rule = DecidingRule(file, path);
  return rule == nullptr ? 0 : rule->line;
}

TEST(IgnoreFile, HasTheLinesThatCount) {
  const IgnoreFile file = Of("\xef\xbb\xbf# words\n\n  *.log \n! keep.log\n/root\n");
  EXPECT_EQ(file.name, ".dockerignore");
  EXPECT_EQ(file.patterns(), (std::vector<std::string>{"*.log", "!keep.log", "root"}));
}

TEST(IgnoreFile, TheDockerfilesOwnComesFirst) {
  Source source;
  source.filename = "app.Dockerfile";
  const IgnoreFile file = IgnoreFileInForce(source, Trees("one", "two"));
  EXPECT_EQ(file.name, "app.Dockerfile.dockerignore");
  EXPECT_EQ(file.patterns(), std::vector<std::string>{"two"});
  EXPECT_EQ(IgnoreFileInForce(source, {}).name, "");
}

TEST(IgnoreFile, TheLastLineThatFitsDecides) {
  const IgnoreFile file = Of("*.log\nout\n!out/keep\nout/keep/not\n");
  EXPECT_EQ(Line(file, "a.log"), 1u);
  EXPECT_EQ(Line(file, "sub/a.log"), 0u);
  EXPECT_EQ(Line(file, "out/x"), 2u);
  EXPECT_EQ(Line(file, "out/keep/x"), 3u);
  EXPECT_EQ(Line(file, "out/keep/not/x"), 4u);
  EXPECT_EQ(Line(file, "in"), 0u);
}

TEST(IgnoreFile, TenThousandLinesAreNoWork) {
  std::string text;
  for (int i = 0; i < 10'000; ++i)
    text += "folder/" + std::to_string(i) + "/**/x\n";
  const IgnoreFile file = Of(text);
  EXPECT_EQ(Line(file, "folder/0/a/b/x"), 1u);
}

}  // namespace
}  // namespace depot::plan::ignore_file_test
