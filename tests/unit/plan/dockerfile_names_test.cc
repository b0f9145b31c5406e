#include "plugin/plan/dockerfile_names.h"

#include <gtest/gtest.h>

#include "driver/base/text.h"

namespace depot::plan::dockerfile_names_test {
namespace {

using Names = std::vector<std::string>;

DockerfileNames Of(std::string_view text) {
  auto names = NamesIn(text);
  EXPECT_TRUE(names);
  return names.value_or(DockerfileNames());
}

TEST(DockerfileNames, WhatFilesAreTakenFrom) {
  const DockerfileNames names =
      Of("FROM a AS b\nCOPY --link --from=made /x /\nRUN --mount=type=bind,from=base,target=/x \\\n"
         "  --mount=target=/y,from=3 echo --from=no\nONBUILD COPY --from=later a b\n"
         "RUN echo --mount=from=none\n");
  EXPECT_EQ(names.froms, (Names{"made", "base", "3", "later"}));
}

TEST(DockerfileNames, StagesAndArgs) {
  const DockerfileNames names =
      Of("# syntax=docker/dockerfile:1\n"
         "ARG BASE=x\n"
         "FROM --platform=$BUILDPLATFORM $BASE as Build\r\n"
         "arg A=1 B=\"x ARG y\" C\n"
         "ONBUILD ARG D\n"
         "RUN echo ARG E\n"
         "FROM scratch\n");
  EXPECT_EQ(names.stages, (Names{"build"}));
  EXPECT_EQ(names.args, (Names{"BASE", "A", "B", "C", "D"}));
}

TEST(DockerfileNames, ContinuedLinesAndComments) {
  const DockerfileNames names =
      Of("FROM x\nRUN a \\\n# comment \\\n\n  ARG NOT=1\nARG \\\n YES \\\n ALSO\n# ARG COMMENT\n");
  EXPECT_EQ(names.args, (Names{"YES", "ALSO"}));
  EXPECT_EQ(Of("# escape=`\nFROM x\nRUN a `\nARG NOT\nARG YES\\\n").args, (Names{"YES\\"}));
}

TEST(DockerfileNames, HeredocsAreText) {
  const DockerfileNames names =
      Of("FROM x\nRUN <<EOF cat <<-\"TWO\"\nARG NOT\nEOF\nARG NOR\n\tTWO\n"
         "ARG YES\nRUN cat <<NEVER\nARG ALSO\n");
  EXPECT_EQ(names.args, (Names{"YES", "ALSO"}));
}

TEST(DockerfileNames, AnotherFrontendMayMeanAnything) {
  EXPECT_FALSE(NamesIn("# syntax = example.com/other:1\nFROM x\n"));
  EXPECT_TRUE(NamesIn("# just a comment\n# syntax=example.com/other:1\nFROM x\n"));
}

TEST(DockerfileNames, WhatTheDockerfileDoesNotHaveIsALineWithTheNearestName) {
  options::BuildOptions options;
  options.build_args = {{"VERSON", "1"},
                        {"VERSION", "1"},
                        {"HTTP_PROXY", "p"},
                        {"ZZZ", "1"},
                        {"BUILDKIT_INLINE_CACHE", "1"}};
  options.no_cache_filter = {"BUILD,build", "build,biuld", "0"};
  auto tree = files::MakeMemoryTree({{"f", "ARG VERSION\nFROM x AS build\n"}});
  const Names lines = DockerfileWarnings(options, *tree, "f");
  ASSERT_EQ(lines.size(), 3u);
  EXPECT_EQ(lines[0],
            "WARNING: --build-arg VERSON is not used: no ARG of the Dockerfile has this name; did "
            "you mean VERSION?");
  EXPECT_TRUE(lines[1].ends_with("has this name")) << lines[1];
  EXPECT_TRUE(lines[2].starts_with("WARNING: --no-cache-filter biuld")) << lines[2];
  EXPECT_TRUE(lines[2].ends_with("did you mean build?")) << lines[2];
  EXPECT_TRUE(DockerfileWarnings(options, *tree, "missing").empty());
  for (const char* mark : {"\xff\xfe", "\xfe\xff"}) {
    tree = files::MakeMemoryTree({{"f", Cat(mark, "FROM x")}});
    const Names wide = DockerfileWarnings({}, *tree, "f");
    ASSERT_EQ(wide.size(), 1u);
    EXPECT_TRUE(wide[0].starts_with("WARNING: f is UTF-16")) << wide[0];
  }
  tree = files::MakeMemoryTree({{"f", "ARG VERSION\nFROM x AS build\n"}});
  options.build_args.emplace_back("BUILDKIT_SYNTAX", "x");
  EXPECT_TRUE(DockerfileWarnings(options, *tree, "f").empty());
}

}  // namespace
}  // namespace depot::plan::dockerfile_names_test
