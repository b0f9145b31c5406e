#include "plugin/job/explanation.h"

#include <gtest/gtest.h>

#include "driver/base/text.h"
#include "tests/unit/files/temporary_tree.h"

namespace depot::job::explanation_test {
namespace {

/// The credential of everybody, or none.
class OneCredential final : public registry::CredentialSource {
 public:
  Result<std::optional<registry::Credential>> Lookup(const std::string& host,
                                                     const std::string& /*repository*/,
                                                     int nth,
                                                     const Cancel& /*cancel*/) override {
    asked_ = host;
    return nth == 0 ? credential_ : std::nullopt;
  }

  std::optional<registry::Credential> credential_;
  std::string asked_;
};

class ExplanationTest : public testing::Test {
 protected:
  ExplanationTest() {
    tree_.File("context/word", "x");
    inputs_.source.filename = "Dockerfile";
    inputs_.source.trees["context"].directory = tree_.At("context");
    auto opened = files::OpenDirectoryTree(tree_.At("context"));
    EXPECT_TRUE(opened);
    inputs_.trees["context"] = *std::move(opened);
  }

  std::string HintFor(Error error) {
    return Explain(std::move(error), options_, inputs_, keyring_, Cancel::Never()).hint();
  }

  std::string HintForMissing(const std::string& message) {
    return HintFor(Error(ErrorCode::kFailed, message).WithHint("as before"));
  }

  files::TemporaryTree tree_;
  options::BuildOptions options_;
  Inputs inputs_;
  OneCredential source_;
  registry::Keyring keyring_{source_, {}};
};

TEST_F(ExplanationTest, AMissingFileHasANeighbourInEveryBuildKitsWords) {
  for (const char* message :
       {R"(failed to calculate checksum of ref a::b: "/wrod": not found)",
        R"("/wrod" not found: not found)",
        "lstat /var/lib/docker/tmp/buildkit-mount123/wrod: no such file or directory"}) {
    EXPECT_EQ(HintForMissing(message), Cat("there is no wrod in the build context ",
                                           tree_.At("context"), "; did you mean word?"));
  }
}

TEST_F(ExplanationTest, AFolderInAnotherCaseOrWithATypingErrorIsFound) {
  tree_.File("context/src/Main/main.go", "x");
  const auto meant = [&](const std::string& path) {
    const std::string hint = HintForMissing(Cat('"', path, "\": not found"));
    const std::size_t at = hint.find("; did you mean ");
    return at == std::string::npos ? "" : hint.substr(at + 15);
  };
  EXPECT_EQ(meant("/Src/Main/main.go"), "src/Main/main.go?");
  EXPECT_EQ(meant("/SRC/main/Main.go"), "src/Main/main.go?");
  EXPECT_EQ(meant("/scr/Main/main.goo"), "src/Main/main.go?") << "one letter for another";
  EXPECT_EQ(meant("/Src"), "src?");
  EXPECT_EQ(meant("/Src/nothing"), "") << "that folder has it neither";
  EXPECT_EQ(meant("/word/main.go"), "") << "a file is no folder";
}

TEST_F(ExplanationTest, WhatLiesAboveTheContextIsSaidToBeNoPartOfIt) {
  const auto of = [&](const char* line) {
    return HintFor(Error(ErrorCode::kFailed, R"("/none": not found)")
                       .WithExcerpt(Cat("Dockerfile:2\n   2 | >>> ", line, "\n")));
  };
  EXPECT_NE(of("COPY ../none /").find("; nothing above the context is in it"), std::string::npos);
  EXPECT_EQ(of("COPY a/../none /").find("above"), std::string::npos);
}

TEST_F(ExplanationTest, AnIgnoredFileNamesTheLineThatDoesIt) {
  tree_.File("context/.dockerignore", "# all\n*\n!other\n");
  EXPECT_EQ(HintForMissing(R"("/word": not found)"),
            "line 2 of .dockerignore excludes it: *; add a line below it: !word");
}

TEST_F(ExplanationTest, TheIgnoreFileOfTheDockerfileCountsFirst) {
  tree_.File("context/.dockerignore", "none\n");
  tree_.File("dockerfiles/Dockerfile.dockerignore", "word\n");
  auto opened = files::OpenDirectoryTree(tree_.At("dockerfiles"));
  ASSERT_TRUE(opened);
  inputs_.trees["dockerfile"] = *std::move(opened);
  EXPECT_EQ(HintForMissing(R"("/word": not found)"),
            "line 1 of Dockerfile.dockerignore excludes it: word; add a line below it: !word");
}

TEST_F(ExplanationTest, WhatIsCopiedFromElsewhereIsNotLookedForHere) {
  EXPECT_EQ(HintFor(Error(ErrorCode::kFailed, R"("/none": not found)")
                        .WithExcerpt("   2 | >>> COPY --from=made /none /\n")),
            "COPY --from takes it from that stage, image or named context, which does not have it");
}

TEST_F(ExplanationTest, WhatItDoesNotUnderstandKeepsItsHint) {
  for (const char* message :
       {"", "\": not found", R"(": not found)", R"(x": not found)", R"("relative": not found)",
        R"("/": not found)", "/buildkit-mount: no such file or directory",
        "/buildkit-mount1: no such file or directory", "no such file or directory"}) {
    EXPECT_EQ(HintForMissing(message), "as before") << message;
  }
  inputs_.source.trees.clear();
  EXPECT_EQ(HintForMissing(R"("/word": not found)"), "as before");
}

Error Refused(std::string_view image) {
  return Error(ErrorCode::kDenied, Cat("failed to push ", image, ": unexpected status: 403"))
      .At(FailedAt::kAuthentication);
}

TEST_F(ExplanationTest, ARefusedImageNamesTheCredentialsThatAreUsed) {
  EXPECT_EQ(HintFor(Refused("registry.test/a/b:c")),
            "no credentials are configured for registry.test: docker login registry.test, or "
            "DOCKER_AUTH_CONFIG");
  source_.credential_ = registry::Credential{"ada", Secret("pa55word"), {}, {}, "config.json"};
  EXPECT_EQ(HintFor(Refused("registry.test/a/b:c")),
            "the credentials of config.json (user ada) for registry.test do not open it: are they "
            "still valid, and may they do this? docker login registry.test gives others");
  EXPECT_EQ(source_.asked_, "registry.test");
  EXPECT_NE(HintFor(Refused("docker.io/library/a:c")).find("docker login gives"),
            std::string::npos);
  EXPECT_EQ(source_.asked_, "registry-1.docker.io");
}

TEST_F(ExplanationTest, AStageThatDoesNotExistIsNoLogin) {
  const auto of = [&](const std::string& line, Error error) {
    return HintFor(
        std::move(error).WithExcerpt(Cat("Dockerfile:2\n   1 | FROM a\n   2 | >>> ", line, "\n")));
  };
  EXPECT_EQ(
      of("COPY --from=nostage /a /", Refused("docker.io/library/nostage:latest")),
      "no stage of the Dockerfile is called nostage, so it was taken for an image; if an image "
      "is meant: no credentials are configured for docker.io: docker login, or "
      "DOCKER_AUTH_CONFIG");
  const Error unreachable = Error(ErrorCode::kFailed, "failed to do request: no route")
                                .WithHint("can the builder reach that registry?")
                                .At(FailedAt::kRegistry);
  EXPECT_EQ(
      of("COPY --from=nostage /a /", unreachable),
      "no stage of the Dockerfile is called nostage, so it was taken for an image; if an image "
      "is meant: can the builder reach that registry?");
  for (const char* line : {"COPY --from=registry.test/nostage /a /", "COPY --from=a:1 /a /",
                           "COPY --from=$stage /a /", "COPY nostage /", "FROM nostage"}) {
    EXPECT_EQ(of(line, unreachable), "can the builder reach that registry?") << line;
  }
  EXPECT_EQ(
      of("COPY --from=nostage /a /", Error(ErrorCode::kFailed, "exit 1").WithHint("as before")),
      "as before");
  options_.sources.contexts.push_back({"nostage", "docker-image://a"});
  EXPECT_EQ(of("COPY --from=nostage /a /", unreachable), "can the builder reach that registry?");
}

TEST_F(ExplanationTest, AStageThatAMountWantsOrTheBuilderGuessesIsNamedToo) {
  tree_.File("dockerfiles/Dockerfile", "FROM a AS made\nRUN --mount=from=maid,target=/x true\n");
  auto opened = files::OpenDirectoryTree(tree_.At("dockerfiles"));
  ASSERT_TRUE(opened);
  inputs_.trees["dockerfile"] = *std::move(opened);
  const auto of = [&](const std::string& name, const std::string& guess) {
    return HintFor(Error(ErrorCode::kFailed,
                         Cat("build failed: ", name, ": failed to resolve source metadata for ",
                             "docker.io/library/", name, ":latest: no route", guess))
                       .WithHint("as before")
                       .At(FailedAt::kRegistry));
  };
  EXPECT_EQ(of("maid", ""),
            "no stage of the Dockerfile is called maid, so it was taken for an image; if an image "
            "is meant: as before");
  EXPECT_EQ(of("maid", " (did you mean made?)"),
            "no stage of the Dockerfile is called maid, so it was taken for an image: did you mean "
            "made? If an image is meant: as before");
  EXPECT_EQ(of("mad", " (did you mean made?)"),
            "no stage of the Dockerfile is called mad, so it was taken for an image: did you mean "
            "made? If an image is meant: as before");
  for (const char* image : {"a", "mai", "maid2", "x", "made:2"})
    EXPECT_EQ(of(image, ""), "as before") << image;
  tree_.File("dockerfiles/Dockerfile", "FROM a\nRUN --mount=type=bind,from=3 true\n");
  EXPECT_EQ(of("3", ""),
            "no stage of the Dockerfile is called 3 (RUN --mount takes no number), so it was taken "
            "for an image; if an image is meant: as before");
  // As an Engine says it, without the name; the step has it.
  EXPECT_NE(
      HintFor(Error(ErrorCode::kDenied, "pull access denied")
                  .WithPlace({"[internal] load metadata for docker.io/library/3:latest", "", ""})
                  .At(FailedAt::kAuthentication))
          .find("called 3"),
      std::string::npos);
}

TEST_F(ExplanationTest, AStageThatDoesNotExistIsTheDockerfilesFault) {
  tree_.File("dockerfiles/Dockerfile", "FROM a AS builder\nCOPY --from=bulder /x /\nFROM bilder\n");
  auto opened = files::OpenDirectoryTree(tree_.At("dockerfiles"));
  ASSERT_TRUE(opened);
  inputs_.trees["dockerfile"] = *std::move(opened);
  const auto of = [&](const std::string& image, const std::string& why) {
    return Explain(Error(ErrorCode::kFailed, Cat("docker.io/library/", image, ": ", why))
                       .WithExcerpt(image == "none" ? "   2 | >>> COPY --from=none /a /\n" : "")
                       .WithPlace({"a step", "", ""})
                       .At(FailedAt::kRegistry),
                   options_, inputs_, keyring_, Cancel::Never());
  };
  for (const char* near : {"bulder", "bilder:latest", "bilder"}) {
    const Error error = of(near, "no route");
    EXPECT_EQ(error.at(), FailedAt::kUnsaid) << near;
    EXPECT_NE(error.hint().find("did you mean builder?"), std::string::npos) << error.hint();
    EXPECT_EQ(error.place().step, "a step");
  }
  EXPECT_EQ(of("none", "no route").at(), FailedAt::kRegistry) << "it may be an image";
  EXPECT_EQ(of("none", "pull access denied, repository does not exist").at(), FailedAt::kUnsaid);
  for (const char* image : {"bilder:2", "builder", "alpine"}) {
    const Error error = of(image, "not found");
    EXPECT_EQ(error.at(), FailedAt::kRegistry) << image;
    EXPECT_EQ(error.hint(), "") << image;
  }
}

TEST_F(ExplanationTest, OnlyALoginIsExplainedByCredentials) {
  EXPECT_EQ(HintFor(Error(ErrorCode::kFailed, "failed to push registry.test/a:b: 500")), "");
  EXPECT_EQ(HintFor(Refused("two words")), "");
  EXPECT_EQ(HintFor(Refused("UPPER")), "");
}

TEST_F(ExplanationTest, WhatMakesARequestTooLargeIsNamed) {
  const Error too_large(ErrorCode::kFailed,
                        "grpc: received message larger than max (5000000 vs. 4194304)");
  tree_.File("context/.dockerignore", "none\n");
  options_.labels = {{"small", "x"}};
  const std::string patterns =
      "a limit of the builder's: every pattern of .dockerignore travels with the step that loads "
      "the "
      "context; write fewer, for folders instead of files";
  EXPECT_EQ(HintFor(too_large), patterns);
  options_.build_args = {{"BIG", std::string(5'000'000, 'x')}, {"UNSET", std::nullopt}};
  const std::string rest = " of it; what is that large belongs into a file of the context";
  const std::string limit = "a limit of the builder's, for one request: ";
  EXPECT_EQ(HintFor(too_large), Cat(limit, "--build-arg BIG takes 5.00MB", rest));
  options_.labels = {{"l", std::string(6'000'000, 'x')}};
  EXPECT_EQ(HintFor(too_large), Cat(limit, "--label l takes 6.00MB", rest));
  inputs_.source_policy.assign(7'000'000, 'x');
  EXPECT_EQ(HintFor(too_large),
            Cat(limit, "the policy of EXPERIMENTAL_BUILDKIT_SOURCE_POLICY takes 7.00MB", rest));
}

TEST_F(ExplanationTest, WhatTheUserEndedIsNotExplained) {
  EXPECT_EQ(HintFor(Error(ErrorCode::kCancelled, R"("/word": not found)")), "");
}

}  // namespace
}  // namespace depot::job::explanation_test
