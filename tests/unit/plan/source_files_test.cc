#include "plugin/plan/source_files.h"

#include <array>
#include <filesystem>
#include <fstream>
#include <thread>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "driver/base/subprocess.h"
#include "driver/base/text.h"
#include "plugin/plan/ignore_file.h"

namespace depot::plan::source_files_test {
namespace {

namespace fs = std::filesystem;
using options::BuildOptions;

/// A directory of its own for every test, which is also the working directory.
class SourceFiles : public testing::Test {
 protected:
  SourceFiles() : before_(fs::current_path()) {
    std::string pattern = (fs::temp_directory_path() / "source-files-XXXXXX").string();
    root_ = fs::canonical(::mkdtemp(pattern.data()));
    fs::current_path(root_);
  }
  ~SourceFiles() override {
    fs::current_path(before_);
    fs::remove_all(root_);
  }

  void Put(const std::string& name, const std::string& text) {
    fs::create_directories((root_ / name).parent_path());
    std::ofstream(root_ / name, std::ios::binary) << text;
  }

  static BuildOptions Options(std::string context, std::string file = "") {
    BuildOptions options;
    options.context = std::move(context);
    options.file = std::move(file);
    return options;
  }

  static Result<Source> Decide(const BuildOptions& options, const std::string& input = "") {
    std::array<int, 2> ends{};
    EXPECT_EQ(::pipe2(ends.data(), O_CLOEXEC), 0);
    Fd read_end(ends[0]);
    Fd write_end(ends[1]);
    EXPECT_EQ(::write(write_end.get(), input.data(), input.size()),
              static_cast<ssize_t>(input.size()));
    write_end.Reset();
    auto facts = InspectSource(options, read_end.get(), Cancel::Never());
    if (!facts) return Fail(std::move(facts).error());
    return DecideSource(options, *facts);
  }

  fs::path before_;
  fs::path root_;
};

TEST_F(SourceFiles, FindsTheDefaultDockerfile) {
  Put("ctx/Dockerfile", "FROM a");
  auto source = Decide(Options("ctx"));
  ASSERT_TRUE(source) << source.error().message();
  EXPECT_EQ(source->trees.at("dockerfile").directory, root_ / "ctx");
  EXPECT_EQ(source->shared_name, "ctx");
}

TEST_F(SourceFiles, TakesTheLowerCaseNameWhenThereIsNoOther) {
  Put("dockerfile", "FROM a");
  auto source = Decide(Options("."));
  ASSERT_TRUE(source) << source.error().message();
  EXPECT_EQ(source->filename, "dockerfile");
  Put("Dockerfile", "FROM b");
  EXPECT_EQ(Decide(Options("."))->filename, "Dockerfile");
}

TEST_F(SourceFiles, FileFlagIsRelativeToTheWorkingDirectory) {
  Put("ctx/x", "");
  Put("docker/web", "FROM a");
  auto source = Decide(Options("ctx", "docker/web"));
  ASSERT_TRUE(source) << source.error().message();
  EXPECT_EQ(source->trees.at("dockerfile").directory, root_ / "docker");
  EXPECT_EQ(source->filename, "web");
}

TEST_F(SourceFiles, SymlinkWithinTheContextWorks) {
  Put("ctx/shared/Common", "FROM linked");
  Put("ctx/shared/ignored", "*.o");
  fs::create_directory(root_ / "ctx/web");
  fs::create_symlink("../shared/Common", root_ / "ctx/web/Dockerfile");
  fs::create_symlink("../shared/ignored", root_ / "ctx/web/Dockerfile.dockerignore");
  auto source = Decide(Options("ctx", "ctx/web/Dockerfile"));
  ASSERT_TRUE(source) << source.error().message();
  const SourceTree& tree = source->trees.at("dockerfile");
  EXPECT_EQ(tree.files.at("Dockerfile"), "FROM linked");
  EXPECT_EQ(tree.files.at("Dockerfile.dockerignore"), "*.o");
}

TEST_F(SourceFiles, SymlinkOutOfTheContextIsRefusedAndNamed) {
  Put("shared/Common", "FROM linked");
  fs::create_directory(root_ / "ctx");
  fs::create_symlink("/proc/self/environ", root_ / "ctx/Dockerfile");
  fs::create_symlink("../shared/Common", root_ / "ctx/Other");
  fs::create_symlink("../shared", root_ / "ctx/sub");
  for (const char* file : {"", "ctx/Dockerfile", "ctx/Other", "ctx/sub/Common"}) {
    auto source = Decide(Options("ctx", file));
    ASSERT_FALSE(source) << file;
    EXPECT_EQ(source.error().code(), ErrorCode::kDenied);
    EXPECT_NE(source.error().message().find("is a symbolic link to"), std::string::npos);
    EXPECT_NE(source.error().message().find((root_ / "ctx").string()), std::string::npos);
    EXPECT_NE(source.error().hint(), "");
  }
  // Named itself, it is the user's choice.
  EXPECT_TRUE(Decide(Options("ctx", "shared/Common")));
}

TEST_F(SourceFiles, AContextThatALinkLeadsOutOfTheSourcesIsRefused) {
  Put("elsewhere/Dockerfile", "FROM a");
  fs::create_directory(root_ / "sources");
  fs::create_symlink("../elsewhere", root_ / "sources/ctx");
  fs::current_path(root_ / "sources");
  auto source = Decide(Options("ctx"));
  ASSERT_FALSE(source);
  EXPECT_EQ(source.error().code(), ErrorCode::kDenied);
  EXPECT_TRUE(Decide(Options("../elsewhere")));
}

TEST_F(SourceFiles, IgnoreFilesThatCannotBeHadAreErrors) {
  Put("outside", "*");
  Put("ctx/Dockerfile", "FROM a");
  Put("ctx/real", "*.o");
  for (const std::string name : {".dockerignore", "Dockerfile.dockerignore"}) {
    const fs::path path = root_ / "ctx" / name;
    const auto fails = [&](const std::string& why) {
      auto source = Decide(Options("ctx"));
      ASSERT_FALSE(source) << name;
      EXPECT_NE(source.error().message().find(path.string()), std::string::npos);
      EXPECT_NE(source.error().message().find(why), std::string::npos) << source.error().message();
      EXPECT_NE(source.error().hint(), "");
      fs::remove(path);
    };
    fs::create_symlink("../outside", path);
    fails("is a symbolic link to ../outside");
    fs::create_symlink("nowhere", path);
    fails("does not exist");
    ASSERT_EQ(::mkfifo(path.c_str(), 0600), 0);
    fails("is not a regular file");
    Put("ctx/" + name, "");
    fs::resize_file(path, (std::uintmax_t{16} << 20) + 1);
    fails("is larger than 16 MiB");
    fs::create_symlink("real", path);
    EXPECT_TRUE(Decide(Options("ctx")));
    fs::remove(path);
  }
  // The builder would look for its target in the context.
  fs::create_symlink(root_ / "ctx/real", root_ / "ctx/.dockerignore");
  EXPECT_FALSE(Decide(Options("ctx")));
  Put("ctx/Dockerfile.dockerignore", "*");
  EXPECT_TRUE(Decide(Options("ctx"))) << "it is not read beside the Dockerfile's own";
}

TEST_F(SourceFiles, ADirectoryInThePlaceOfAnIgnoreFileIsSaidAndKeepsNothingAway) {
  Put("ctx/Dockerfile", "FROM a");
  for (const std::string name : {".dockerignore", "Dockerfile.dockerignore"}) {
    const fs::path path = root_ / "ctx" / name;
    fs::create_directory(path);
    const auto facts = InspectSource(Options("ctx"), -1, Cancel::Never());
    ASSERT_TRUE(facts) << facts.error().message();
    ASSERT_EQ(facts->notices.size(), 1u) << name;
    EXPECT_EQ(facts->notices[0], Cat(path.string(),
                                     " is a directory, so no ignore file: it keeps "
                                     "nothing away"));
    std::vector<std::string> notices;
    EXPECT_TRUE(CheckContextDirectory("ctx", notices));
    EXPECT_EQ(notices.size(), name == ".dockerignore" ? 1u : 0u) << "a named context";
    const auto source = Decide(Options("ctx"));
    ASSERT_TRUE(source);
    const auto trees = OpenTrees(*source);
    ASSERT_TRUE(trees);
    EXPECT_EQ(IgnoreFileInForce(*source, *trees).name, "");
    EXPECT_TRUE(IgnoreFileInForce(*source, *trees).readable);
    fs::remove(path);
  }
}

TEST_F(SourceFiles, ADirectoryNamedDockerfileNamesWhatMayBeMeant) {
  fs::create_directories(root_ / "ctx/Dockerfile");
  const auto hint = [&] {
    auto source = Decide(Options("ctx"));
    return source ? "" : source.error().hint();
  };
  EXPECT_EQ(hint(), "name the Dockerfile with -f");
  Put("ctx/app.Dockerfile", "FROM a");
  EXPECT_EQ(hint(), "did you mean -f ctx/app.Dockerfile?");
  Put("ctx/Dockerfile/Dockerfile.prod", "FROM a");
  EXPECT_EQ(hint(), "name the file in it: -f ctx/Dockerfile/Dockerfile.prod");
}

TEST_F(SourceFiles, APipeIsReadOnlyWhenItIsNamed) {
  ASSERT_EQ(::mkfifo((root_ / "Dockerfile").c_str(), 0600), 0);
  auto source = Decide(Options("."));
  ASSERT_FALSE(source);
  EXPECT_EQ(source.error().hint(), "a pipe is read when it is named: -f FILE");
}

TEST_F(SourceFiles, DanglingSymlinkIsNamed) {
  fs::create_symlink("nowhere", root_ / "Dockerfile");
  auto source = Decide(Options("."));
  ASSERT_FALSE(source);
  EXPECT_NE(source.error().message().find("is a symlink to a file that does not exist"),
            std::string::npos);
}

TEST_F(SourceFiles, FifoIsReadToItsEnd) {
  ASSERT_EQ(::mkfifo((root_ / "pipe").c_str(), 0600), 0);
  std::thread writer([&] { std::ofstream(root_ / "pipe") << "FROM fifo"; });
  auto source = Decide(Options(".", "pipe"));
  writer.join();
  ASSERT_TRUE(source) << source.error().message();
  EXPECT_EQ(source->trees.at("dockerfile").files.at("pipe"), "FROM fifo");
}

TEST_F(SourceFiles, MissingDockerfileNamesTheNearestFile) {
  Put("Dockerfile.prod", "FROM a");
  Put("unrelated", "");
  auto source = Decide(Options("."));
  ASSERT_FALSE(source);
  EXPECT_EQ(source.error().message(),
            "no Dockerfile: " + (root_ / "Dockerfile").string() + " does not exist");
  EXPECT_EQ(source.error().hint(), "did you mean -f Dockerfile.prod?");
}

TEST_F(SourceFiles, ContextThatIsAFileOrMissingIsSaid) {
  Put("hello.txt", "");
  EXPECT_NE(Decide(Options("hello.txt")).error().message().find("is a file"), std::string::npos);
  EXPECT_EQ(Decide(Options("nope")).error().code(), ErrorCode::kNotFound);
}

TEST_F(SourceFiles, WhatCannotBeLookedAtIsNotCalledMissing) {
  fs::create_symlink("loop", root_ / "loop");
  auto context = Decide(Options("loop"));
  ASSERT_FALSE(context);
  EXPECT_EQ(context.error().message(),
            "build context: " + (root_ / "loop").string() + ": too many levels of symbolic links");
  EXPECT_NE(Decide(Options(".", "loop")).error().message().find("too many levels"),
            std::string::npos);
  auto url = Decide(Options("https://h/" + std::string(5000, 'x')));
  EXPECT_TRUE(url) << url.error().message();
}

TEST_F(SourceFiles, RealTarIsAnArchiveAndOnlyItsHeadIsRead) {
  Put("d/Dockerfile", "FROM a");
  auto tar = RunSubprocess({"tar", "-C", "d", "-cf", "-", "."}, "", Cancel::Never());
  ASSERT_TRUE(tar);
  auto source = Decide(Options("-"), tar->standard_output);
  ASSERT_TRUE(source) << source.error().message();
  EXPECT_TRUE(source->upload);
  EXPECT_EQ(source->already_read, tar->standard_output.substr(0, 1024));
}

TEST_F(SourceFiles, DockerfileOnStandardInputIsReadWhole) {
  std::string text = "FROM a\n" + std::string(5000, '#');
  auto source = Decide(Options("-"), text);
  ASSERT_TRUE(source) << source.error().message();
  EXPECT_EQ(source->trees.at("dockerfile").files.at("Dockerfile"), text);
  EXPECT_FALSE(Decide(Options("-"), ""));
}

TEST_F(SourceFiles, WaitingForStandardInputCanBeCancelled) {
  std::array<int, 2> ends{};
  ASSERT_EQ(::pipe2(ends.data(), O_CLOEXEC), 0);
  Fd read_end(ends[0]);
  Fd write_end(ends[1]);
  CancelSource stop;
  std::thread later([&] { stop.Request(Error(ErrorCode::kCancelled, "stopped")); });
  auto facts = InspectSource(Options("-"), read_end.get(), stop.cancel());
  later.join();
  ASSERT_FALSE(facts);
  EXPECT_EQ(facts.error().code(), ErrorCode::kCancelled);
}

TEST_F(SourceFiles, APipeIsOneThingOnly) {
  std::array<int, 2> ends{};
  ASSERT_EQ(::pipe2(ends.data(), O_CLOEXEC), 0);
  Fd read_end(ends[0]);
  Fd write_end(ends[1]);
  const std::string name = "/dev/fd/" + std::to_string(read_end.get());
  const session::SecretSpec secret{"a", name, std::nullopt};
  const session::SecretSpec other{"b", name, std::nullopt};
  const auto check = [&](const BuildOptions& options, std::vector<session::SecretSpec> secrets) {
    auto checked = CheckPipes(options, secrets, read_end.get());
    return checked ? "" : checked.error().message();
  };
  EXPECT_EQ(check(Options("-", name), {}), "one pipe is both the build context and the Dockerfile");
  EXPECT_EQ(check(Options(".", "-"), {secret}), "one pipe is both the Dockerfile and a secret");
  EXPECT_EQ(check(Options(".", name), {secret}), "one pipe is both the Dockerfile and a secret");
  EXPECT_EQ(check(Options("."), {secret, other}), "");
  EXPECT_EQ(check(Options(".", name), {}), "");
}

TEST_F(SourceFiles, TreesOpenUnderTheirNames) {
  Put("ctx/Dockerfile", "FROM a");
  auto source = Decide(Options("ctx", "-"), "FROM b");
  ASSERT_TRUE(source) << source.error().message();
  auto trees = OpenTrees(*source);
  ASSERT_TRUE(trees) << trees.error().message();
  std::vector<std::string> seen;
  for (const auto& [name, tree] : *trees) {
    auto walked = tree->Walk(
        {},
        [&, label = name](const files::FileEntry& entry) -> Result<> {
          seen.push_back(label + "/" + entry.path);
          return {};
        },
        Cancel::Never());
    EXPECT_TRUE(walked);
  }
  EXPECT_EQ(seen, (std::vector<std::string>{"context/Dockerfile", "dockerfile/Dockerfile"}));
}

}  // namespace
}  // namespace depot::plan::source_files_test
