#include "plugin/plan/source.h"

#include <gtest/gtest.h>

namespace depot::plan::source_test {
namespace {

using options::BuildOptions;

BuildOptions Options(std::string context, std::string file = "") {
  BuildOptions options;
  options.context = std::move(context);
  options.file = std::move(file);
  return options;
}

SourceFacts LocalFacts() {
  SourceFacts facts;
  facts.working_directory = "/home/u/app";
  facts.context = PathKind::kDirectory;
  facts.dockerfile_path = "/home/u/app/Dockerfile";
  facts.dockerfile = PathKind::kFile;
  return facts;
}

SourceFacts InputFacts(std::string text) {
  SourceFacts facts;
  facts.working_directory = "/home/u/app";
  facts.standard_input = std::move(text);
  return facts;
}

Source Decide(const BuildOptions& options, const SourceFacts& facts) {
  auto source = DecideSource(options, facts);
  if (source) return *source;
  ADD_FAILURE() << source.error().message();
  return {};
}

Error Refusal(const BuildOptions& options, const SourceFacts& facts) {
  auto source = DecideSource(options, facts);
  if (!source) return source.error();
  ADD_FAILURE() << "accepted";
  return Error(ErrorCode::kInternal, "accepted");
}

TEST(Source, DirectoryServesContextAndDockerfile) {
  Source source = Decide(Options("."), LocalFacts());
  EXPECT_EQ(source.trees.at("context").directory, "/home/u/app");
  EXPECT_EQ(source.trees.at("dockerfile").directory, "/home/u/app");
  EXPECT_EQ(source.filename, "Dockerfile");
  EXPECT_EQ(source.shared_name, "app");
  EXPECT_FALSE(source.dockerfile_key);
  EXPECT_TRUE(source.context_url.empty());
}

TEST(Source, DockerfileElsewhereIsServedFromItsDirectory) {
  SourceFacts facts = LocalFacts();
  facts.dockerfile_path = "/srv/docker/web.Dockerfile";
  Source source = Decide(Options("sub/", "/srv/docker/web.Dockerfile"), facts);
  EXPECT_EQ(source.trees.at("context").directory, "/home/u/app/sub");
  EXPECT_EQ(source.trees.at("dockerfile").directory, "/srv/docker");
  EXPECT_EQ(source.filename, "web.Dockerfile");
  EXPECT_EQ(source.shared_name, "sub");
}

TEST(Source, LinkedDockerfileIsServedFromMemoryWithItsIgnoreFile) {
  SourceFacts facts = LocalFacts();
  facts.dockerfile_is_link = true;
  facts.dockerfile_text = "FROM scratch\n";
  facts.ignore_text = "*.o\n";
  SourceTree tree = Decide(Options("."), facts).trees.at("dockerfile");
  EXPECT_EQ(tree.directory, "");
  EXPECT_EQ(tree.files.at("Dockerfile"), "FROM scratch\n");
  EXPECT_EQ(tree.files.at("Dockerfile.dockerignore"), "*.o\n");
}

TEST(Source, DockerfileOnStandardInputWithADirectory) {
  SourceFacts facts = LocalFacts();
  facts.standard_input = "FROM scratch\n";
  Source source = Decide(Options(".", "-"), facts);
  EXPECT_EQ(source.trees.at("dockerfile").files.at("Dockerfile"), "FROM scratch\n");
  EXPECT_EQ(source.trees.at("context").directory, "/home/u/app");
  EXPECT_FALSE(source.dockerfile_key);
}

TEST(Source, StandardInputAloneIsADockerfileWithAnEmptyContext) {
  Source source = Decide(Options("-"), InputFacts("FROM scratch\n"));
  EXPECT_EQ(source.trees.at("dockerfile").files.size(), 1u);
  EXPECT_EQ(source.trees.at("context").directory, "");
  EXPECT_TRUE(source.trees.at("context").files.empty());
  EXPECT_EQ(source.shared_name, "");
  EXPECT_FALSE(source.upload);
}

TEST(Source, ArchiveOnStandardInputIsUploaded) {
  std::string gzip = "\x1f\x8b\x08 rest";
  Source source = Decide(Options("-", "sub/Dockerfile"), InputFacts(gzip));
  EXPECT_TRUE(source.upload);
  EXPECT_EQ(source.already_read, gzip);
  EXPECT_EQ(source.filename, "sub/Dockerfile");
  EXPECT_TRUE(source.trees.empty());
  EXPECT_EQ(Decide(Options("-"), InputFacts(gzip)).filename, "Dockerfile");
}

TEST(Source, UrlsGoToTheBuilderAsTheyAre) {
  for (const char* url :
       {"https://h/x.tar.gz", "http://h/Dockerfile", "https://h/x.git#main:sub", "git@h:o/r.git",
        "git://h/r", "ssh://git@h/r.git", "https://h/r.git?ref=v1"}) {
    Source source = Decide(Options(url), InputFacts(""));
    EXPECT_EQ(source.context_url, url);
    EXPECT_EQ(source.filename, "Dockerfile");
    EXPECT_TRUE(source.trees.empty());
  }
}

TEST(Source, GithubShortFormBecomesAGitUrl) {
  EXPECT_EQ(Decide(Options("github.com/o/r"), InputFacts("")).context_url,
            "https://github.com/o/r.git");
  EXPECT_EQ(Decide(Options("github.com/o/r.git#v1:d"), InputFacts("")).context_url,
            "https://github.com/o/r.git#v1:d");
  EXPECT_EQ(Decide(Options("github.com/o/r/#v1"), InputFacts("")).context_url,
            "https://github.com/o/r.git#v1");
}

TEST(Source, DirectoryBeatsALookalikeUrl) {
  SourceFacts facts = LocalFacts();
  EXPECT_EQ(Decide(Options("github.com/o/r"), facts).context_url, "");
}

TEST(Source, RemoteContextTakesALocalDockerfileByAbsolutePathOrStandardInput) {
  EXPECT_EQ(Decide(Options("https://h/x.git", "sub/D"), InputFacts("")).filename, "sub/D");
  Source input = Decide(Options("https://h/x.git", "-"), InputFacts("FROM a"));
  EXPECT_TRUE(input.dockerfile_key);
  EXPECT_EQ(input.trees.at("dockerfile").files.at("Dockerfile"), "FROM a");
  SourceFacts facts = LocalFacts();
  facts.context = PathKind::kMissing;
  facts.dockerfile_path = "/d/D";
  Source absolute = Decide(Options("https://h/x.git", "/d/D"), facts);
  EXPECT_TRUE(absolute.dockerfile_key);
  EXPECT_EQ(absolute.filename, "D");
  EXPECT_EQ(absolute.trees.at("dockerfile").directory, "/d");
}

TEST(Source, MissingContextNamesThePathLookedAt) {
  SourceFacts facts;
  facts.working_directory = "/w";
  Error error = Refusal(Options("nope"), facts);
  EXPECT_EQ(error.code(), ErrorCode::kNotFound);
  EXPECT_EQ(error.message(), "build context \"nope\": /w/nope does not exist");
  EXPECT_EQ(Refusal(Options(""), facts).message(), "the build context is empty");
}

TEST(Source, ContextThatIsAFileSaysSo) {
  SourceFacts facts;
  facts.context = PathKind::kFile;
  Error error = Refusal(Options("hello.txt"), facts);
  EXPECT_EQ(error.message(), "build context \"hello.txt\" is a file, not a directory");
  EXPECT_NE(error.hint().find("- < hello.txt"), std::string::npos);
  facts.context = PathKind::kOther;
  EXPECT_EQ(Refusal(Options("dev"), facts).message(),
            "build context \"dev\" is neither a directory nor a URL");
}

TEST(Source, MissingDockerfileNamesThePathAndTheNearest) {
  SourceFacts facts = LocalFacts();
  facts.dockerfile = PathKind::kMissing;
  Error alone = Refusal(Options("."), facts);
  EXPECT_EQ(alone.message(), "no Dockerfile: /home/u/app/Dockerfile does not exist");
  EXPECT_EQ(alone.hint(), "name the Dockerfile with -f");
  facts.nearest = "Dockerfile.prod";
  EXPECT_EQ(Refusal(Options("."), facts).hint(), "did you mean -f Dockerfile.prod?");
  EXPECT_EQ(Refusal(Options("ctx", "docker/Dockerfle"), facts).hint(),
            "did you mean -f docker/Dockerfile.prod?");
}

TEST(Source, DockerfileInAMissingDirectoryNamesTheDirectory) {
  SourceFacts facts = LocalFacts();
  facts.dockerfile_path = "/home/u/app/sub/D";
  facts.dockerfile = PathKind::kMissing;
  facts.directory_exists = false;
  EXPECT_EQ(Refusal(Options(".", "sub/D"), facts).message(),
            "no Dockerfile \"sub/D\": the directory /home/u/app/sub does not exist");
}

TEST(Source, DockerfileOfTheWrongKindSaysWhatItIs) {
  SourceFacts facts = LocalFacts();
  facts.dockerfile = PathKind::kDirectory;
  facts.inside = "Dockerfile";
  facts.nearest = "other.Dockerfile";
  Error directory = Refusal(Options(".", "docker"), facts);
  EXPECT_EQ(directory.message(), "the Dockerfile /home/u/app/Dockerfile is a directory");
  EXPECT_EQ(directory.hint(), "name the file in it: -f docker/Dockerfile");
  EXPECT_EQ(Refusal(Options("ctx"), facts).hint(),
            "name the file in it: -f ctx/Dockerfile/Dockerfile");
  facts.inside.clear();
  EXPECT_EQ(Refusal(Options("ctx"), facts).hint(), "did you mean -f ctx/other.Dockerfile?");
  for (const char* named : {"a/docker", "a/docker/"})
    EXPECT_EQ(Refusal(Options(".", named), facts).hint(), "did you mean -f a/other.Dockerfile?");
  facts.nearest.clear();
  EXPECT_EQ(Refusal(Options("."), facts).hint(), "name the Dockerfile with -f");
  EXPECT_EQ(Refusal(Options(".", "a"), facts).hint(), "-f names a file");
  facts.dockerfile = PathKind::kMissing;
  facts.dockerfile_is_link = true;
  EXPECT_EQ(Refusal(Options("."), facts).message(),
            "no Dockerfile: /home/u/app/Dockerfile is a symlink to a file that does not exist");
  facts = LocalFacts();
  facts.dockerfile_readable = false;
  Error unreadable = Refusal(Options("."), facts);
  EXPECT_EQ(unreadable.code(), ErrorCode::kDenied);
  facts = LocalFacts();
  facts.dockerfile_text = "";
  EXPECT_EQ(Refusal(Options("."), facts).message(),
            "the Dockerfile /home/u/app/Dockerfile is empty");
}

TEST(Source, StandardInputMistakesSayWhatIsReallyWrong) {
  EXPECT_EQ(Refusal(Options("-"), InputFacts("")).message(),
            "standard input is empty: expected a Dockerfile or a tar archive");
  EXPECT_EQ(Refusal(Options("-", "-"), InputFacts("x")).message(),
            "standard input cannot be both the build context and the Dockerfile");
  EXPECT_EQ(Refusal(Options("-", "x"), InputFacts("FROM a")).message(),
            "two Dockerfiles: standard input is one, and -f names \"x\"");
  SourceFacts facts = LocalFacts();
  EXPECT_EQ(Refusal(Options(".", "-"), facts).message(),
            "the Dockerfile on standard input is empty");
  EXPECT_NE(Refusal(Options("-"), InputFacts(std::string("PK\0\0", 4))).message().find("neither"),
            std::string::npos);
}

TEST(Source, DockerfileByUrlIsServedFromHere) {
  SourceFacts facts = LocalFacts();
  facts.fetched_dockerfile = "FROM a";
  Source source = Decide(Options(".", "https://h/D"), facts);
  EXPECT_EQ(source.trees.at("dockerfile").files.at("Dockerfile"), "FROM a");
  EXPECT_EQ(source.trees.at("context").directory, "/home/u/app");
  facts.context = PathKind::kMissing;
  source = Decide(Options("https://h/r.git", "https://h/D"), facts);
  EXPECT_EQ(source.filename, "Dockerfile");
  EXPECT_TRUE(source.dockerfile_key);
  facts = LocalFacts();
  EXPECT_EQ(Refusal(Options(".", "https://h/D"), facts).message(),
            "the Dockerfile at that URL is empty");
}

TEST(Source, KnowsArchivesByTheirFirstBytes) {
  using namespace std::string_literals;
  EXPECT_TRUE(IsArchive("BZh9"));
  EXPECT_TRUE(IsArchive("\xfd\x37\x7a\x58\x5a\x00x"s));
  EXPECT_FALSE(IsArchive("FROM scratch\n"));
  EXPECT_FALSE(IsArchive(std::string(1024, '\0')));
  EXPECT_FALSE(IsArchive(""));
}

}  // namespace
}  // namespace depot::plan::source_test
