#include <atomic>
#include <csignal>
#include <filesystem>
#include <iterator>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "driver/base/task_group.h"
#include "driver/base/text.h"
#include "pool/settings/durable_file.h"
#include "pool/settings/settings.h"
#include "tests/unit/http/certificates.h"

namespace depot::settings::edit_tokens_test {
namespace {

using test::TempDir;

const std::string kTop =
    "# Our pool.\nurl: https://p\nstate: s   # here\nprojects: [{id: shop}]\n"
    "users:\n- {name: ann, projects: [shop]}\n";
const std::string kOld =
    "  - id: old\n    sha256: " + std::string(64, 'b') + "\n    project: shop\n";
const std::string kNew = "  - id: \"new\"\n    sha256: \"" + std::string(64, 'a') +
                         "\"\n    project: \"shop\"\n    created: \"2026-01-31T08:00:00Z\"\n";

TokenRecord Record() {
  TokenRecord record;
  record.id = "new";
  record.sha256 = std::string(64, 'a');
  record.project = "shop";
  record.created_at = 1769846400;
  return record;
}

/// The file after AddTokenRecord(), or the error's message.
std::string Added(const std::string& text, const TokenRecord& record = Record()) {
  TempDir dir;
  const std::string file = dir.Write("pool.yaml", text);
  const Result<> added = AddTokenRecord(file, record);
  if (!added) {
    EXPECT_EQ(dir.Read("pool.yaml"), text) << "a failure leaves the file alone";
    return Cat(added.error().message(), " / ", added.error().hint());
  }
  return dir.Read("pool.yaml");
}

std::string Revoked(const std::string& text, const std::string& id = "old") {
  TempDir dir;
  const std::string file = dir.Write("pool.yaml", text);
  const Result<> revoked = RevokeTokenRecord(file, id);
  if (!revoked) {
    EXPECT_EQ(dir.Read("pool.yaml"), text) << "a failure leaves the file alone";
    return Cat(revoked.error().message(), " / ", revoked.error().hint());
  }
  return dir.Read("pool.yaml");
}

TEST(AddTokenRecord, MakesTheListWhenThereIsNone) {
  EXPECT_EQ(Added(kTop), kTop + "tokens:\n" + kNew);
  const std::string open = kTop.substr(0, kTop.size() - 1);
  EXPECT_EQ(Added(open), kTop + "tokens:\n" + kNew) << "the last line had no line break";
}

TEST(AddTokenRecord, FillsAnEmptyList) {
  EXPECT_EQ(Added(kTop + "tokens: []\n"), kTop + "tokens:\n" + kNew);
  EXPECT_EQ(Added(kTop + "tokens: []"), kTop + "tokens:\n" + kNew);
  EXPECT_EQ(Added(kTop + "tokens: ~\n"), kTop + "tokens:\n" + kNew);
  EXPECT_EQ(Added(kTop + "tokens: # none yet []\n# end\n"),
            kTop + "tokens: # none yet []\n" + kNew + "# end\n");
  EXPECT_EQ(Added("tokens: []  # none\n\n" + kTop), "tokens:  # none\n" + kNew + "\n" + kTop);
  EXPECT_EQ(Added("tokens:\n\n" + kTop), "tokens:\n" + kNew + "\n" + kTop);
}

TEST(AddTokenRecord, AppendsAtTheEndOfTheFile) {
  EXPECT_EQ(Added(kTop + "tokens:\n" + kOld), kTop + "tokens:\n" + kOld + kNew);
  const std::string commented = kTop + "tokens:\n  # first\n" + kOld + "    # of old\n  # last\n\n";
  EXPECT_EQ(Added(commented),
            kTop + "tokens:\n  # first\n" + kOld + kNew + "    # of old\n  # last\n\n");
}

TEST(AddTokenRecord, AppendsInTheMiddleOfTheFile) {
  EXPECT_EQ(Added("tokens:\n" + kOld + "\n# the rest\n" + kTop),
            "tokens:\n" + kOld + kNew + "\n# the rest\n" + kTop);
}

TEST(AddTokenRecord, KeepsTheStyleOfTheList) {
  const std::string flush =
      "tokens:\n- id: old\n  sha256: " + std::string(64, 'b') + "\n  user: ann\n";
  const std::string added = Added(kTop + flush);
  EXPECT_TRUE(added.starts_with(kTop + flush + "- id: \"new\"\n  sha256: ")) << added;
  const std::string flow =
      "tokens:\n  - {id: old, sha256: " + std::string(64, 'b') + ", user: ann}\n";
  EXPECT_NE(Added(kTop + flow).find("/ add this"), std::string::npos);
  EXPECT_EQ(Added(kTop + "tokens:\n" + kOld + "    expires:\n"),
            kTop + "tokens:\n" + kOld + "    expires:\n" + kNew)
      << "a key without a value";
  const std::string torn = kTop + "tokens:\n" + kOld + "    # soon\n\n    expires:\n";
  EXPECT_EQ(Added(torn + "  # end\n"), torn + kNew + "  # end\n");
}

TEST(AddTokenRecord, KeepsLineBreaksOfWindows) {
  const std::string text = "url: https://p\r\nstate: s\r\nprojects: [{id: shop}]\r\ntokens: []\r\n";
  const std::string added = Added(text);
  EXPECT_EQ(std::count(added.begin(), added.end(), '\n'),
            std::count(added.begin(), added.end(), '\r'));
  EXPECT_TRUE(
      added.starts_with("url: https://p\r\nstate: s\r\nprojects: [{id: shop}]\r\ntokens:\r\n"));
}

TEST(AddTokenRecord, SaysWhatToPasteWhereItCannotEdit) {
  for (const std::string& tail :
       {"tokens: [{id: old, sha256: " + std::string(64, 'b') + ", user: ann}]\n",
        std::string("\"tokens\": []\n"), std::string("tokens: [\n]\n")}) {
    const std::string why = Added(kTop + tail);
    EXPECT_NE(why.find("add this to the list: {id: \"new\", sha256: \"aaa"), std::string::npos)
        << why;
  }
  EXPECT_NE(Added("{url: https://p, state: s, projects: [{id: shop}]}\n").find("add this"),
            std::string::npos);
  EXPECT_NE(Added(kTop + "---\nmore: 1\n").find("add this"), std::string::npos);
}

TEST(AddTokenRecord, RefusesWhatWouldNotWork) {
  TokenRecord record = Record();
  record.id = "old";
  EXPECT_NE(Added(kTop + "tokens:\n" + kOld, record).find("already"), std::string::npos);
  record = Record();
  record.project = "shopp";
  EXPECT_NE(Added(kTop, record).find("no project shopp"), std::string::npos);
  record.project = "";
  record.user = "bob";
  EXPECT_NE(Added(kTop, record).find("no user bob"), std::string::npos);
  EXPECT_NE(Added("url: 1\n").find("line 1"), std::string::npos) << "a broken file is not touched";
}

TEST(AddTokenRecord, WritesAllFields) {
  TempDir dir;
  const std::string file = dir.Write("pool.yaml", kTop);
  TokenRecord record = Record();
  record.project = "";
  record.user = "ann";
  record.expires_at = record.created_at + 1;
  record.revoked = true;
  ASSERT_TRUE(AddTokenRecord(file, record));
  const Result<Settings> settings = ReadSettings(file);
  ASSERT_TRUE(settings);
  EXPECT_EQ(settings->tokens, std::vector<TokenRecord>{record});
}

TEST(AddTokenRecord, KeepsModeAndOwnerAndFollowsLinks) {
  TempDir dir;
  const std::string file = dir.Write("real/pool.yaml", kTop);
  ASSERT_EQ(chmod(file.c_str(), 0640), 0);
  if (geteuid() == 0) {
    ASSERT_EQ(chown(file.c_str(), 1234, 4321), 0);
  }
  struct stat before {};
  ASSERT_EQ(stat(file.c_str(), &before), 0);
  const std::string link = dir.path("link.yaml");
  ASSERT_EQ(symlink("real/pool.yaml", link.c_str()), 0);
  ASSERT_TRUE(AddTokenRecord(link, Record()));
  struct stat after {};
  ASSERT_EQ(lstat(file.c_str(), &after), 0);
  EXPECT_EQ(after.st_mode, before.st_mode);
  EXPECT_EQ(after.st_uid, before.st_uid);
  EXPECT_EQ(after.st_gid, before.st_gid);
  EXPECT_NE(after.st_ino, before.st_ino) << "it is replaced, not written over";
  ASSERT_EQ(lstat(link.c_str(), &after), 0);
  EXPECT_TRUE(S_ISLNK(after.st_mode));
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(dir.path("real")), {}), 1)
      << "nothing is left behind";
}

TEST(AddTokenRecord, TwoAtATimeLoseNothing) {
  TempDir dir;
  const std::string file = dir.Write("pool.yaml", kTop);
  TaskGroup group(Cancel::Never());
  for (int task = 0; task < 4; ++task) {
    group.Start("add", [&file, task](const Cancel& /*cancel*/) -> Result<> {
      for (int i = 0; i < 5; ++i) {
        TokenRecord record = Record();
        record.id = Cat("t", task, "-", i);
        record.sha256 = Cat(std::string(62, 'c'), task, i);
        TRY(AddTokenRecord(file, record));
      }
      return {};
    });
  }
  const Result<> done = group.Wait();
  ASSERT_TRUE(done) << done.error().message();
  EXPECT_EQ(ReadSettings(file)->tokens.size(), 20U);
}

TEST(RevokeTokenRecord, AddsTheMark) {
  const std::string tail =
      "  - id: other\n    sha256: " + std::string(64, 'd') + "\n    user: ann\n";
  EXPECT_EQ(Revoked(kTop + "tokens:\n" + kOld + tail),
            kTop + "tokens:\n" + kOld + "    revoked: true\n" + tail);
  EXPECT_EQ(Revoked(kTop + "tokens:\n" + kOld + tail, "other"),
            kTop + "tokens:\n" + kOld + tail + "    revoked: true\n");
  EXPECT_EQ(Revoked("tokens:\n" + kOld + "# rest\n" + kTop),
            "tokens:\n" + kOld + "    revoked: true\n# rest\n" + kTop);
}

TEST(RevokeTokenRecord, ChangesTheMarkThatIsThere) {
  EXPECT_EQ(Revoked(kTop + "tokens:\n" + kOld + "    revoked: false  # for now\n"),
            kTop + "tokens:\n" + kOld + "    revoked: true  # for now\n");
  EXPECT_EQ(Revoked(kTop + "tokens:\n" + kOld + "    revoked:\n"),
            kTop + "tokens:\n" + kOld + "    revoked: true\n");
  EXPECT_EQ(Revoked(kTop + "tokens:\n" + kOld + "    revoked: false"),
            kTop + "tokens:\n" + kOld + "    revoked: true");
  const std::string first =
      kTop + "tokens:\n  - revoked: false\n    id: old\n    user: ann\n    sha256: " +
      std::string(64, 'b') + "\n";
  std::string wanted = first;
  wanted.replace(wanted.find("false"), 5, "true");
  EXPECT_EQ(Revoked(first), wanted);
}

TEST(RevokeTokenRecord, TwiceIsNoError) {
  const std::string text = kTop + "tokens:\n" + kOld + "    revoked: true\n";
  EXPECT_EQ(Revoked(text), text);
}

TEST(RevokeTokenRecord, FindsADashOnALineOfItsOwn) {
  const std::string item =
      "  -\n    id: old\n    user: ann\n    sha256: " + std::string(64, 'b') + "\n";
  EXPECT_EQ(Revoked(kTop + "tokens:\n" + item), kTop + "tokens:\n" + item + "    revoked: true\n");
}

TEST(RevokeTokenRecord, SaysWhatIsWrong) {
  EXPECT_NE(Revoked(kTop, "old").find("no token old"), std::string::npos);
  const std::string flow =
      kTop + "tokens:\n  - {id: old, sha256: " + std::string(64, 'b') + ", user: ann}\n";
  EXPECT_NE(Revoked(flow).find("write `revoked: true`"), std::string::npos);
}

TEST(AddTokenRecord, WhoIsKilledWhileWritingLeavesNothingBesideTheFile) {
  TempDir dir;
  const Fd probe(open(dir.path().c_str(), O_TMPFILE | O_WRONLY, 0600));
  if (!probe.valid()) GTEST_SKIP() << "the file system has no files without names";
  const std::string text = Cat("# ", std::string(100'000, 'x'), '\n', kTop);
  const std::string file = dir.Write("pool.yaml", text);
  const pid_t child = fork();
  if (child == 0) {
    // The kernel kills who writes more than this, in the middle of it.
    const rlimit most{50'000, 50'000};
    const rlimit none{0, 0};
    const bool limited = setrlimit(RLIMIT_FSIZE, &most) == 0 && setrlimit(RLIMIT_CORE, &none) == 0;
    _exit(limited && AddTokenRecord(file, Record()) ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFSIGNALED(status)) << status;
  EXPECT_EQ(WTERMSIG(status), SIGXFSZ);
  EXPECT_EQ(dir.Read("pool.yaml"), text);
  const std::filesystem::directory_iterator entries(dir.path());
  EXPECT_EQ(std::distance(begin(entries), end(entries)), 1);
}

TEST(LockDirectory, OneAtATime) {
  TempDir dir;
  Result<Fd> first = LockDirectory(dir.path(), Cancel::Never());
  ASSERT_TRUE(first);
  const Cancel wait = Cancel::Never().WithTimeout(std::chrono::milliseconds(50), "locked");
  const Result<Fd> second = LockDirectory(dir.path(), wait);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code(), ErrorCode::kTimeout);
  first->Reset();
  EXPECT_TRUE(LockDirectory(dir.path(), Cancel::Never()));
}

}  // namespace
}  // namespace depot::settings::edit_tokens_test
