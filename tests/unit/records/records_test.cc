#include "pool/records/records.h"

#include <csignal>
#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>
#include <sqlite3.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "driver/base/random.h"
#include "driver/base/task_group.h"
#include "driver/base/text.h"
#include "pool/records/database.h"

namespace depot::records {
namespace {

/// A state directory of the test's own, and records in it that can be closed and opened again.
class RecordsTest : public ::testing::Test {
 protected:
  RecordsTest()
      : directory_((std::filesystem::temp_directory_path() / Cat("depot-records-", RandomId()))) {
    Reopen();
  }
  ~RecordsTest() override { std::filesystem::remove_all(directory_); }

  void Reopen() {
    records_.reset();
    auto opened = OpenRecords(directory_);
    ASSERT_TRUE(opened) << opened.error().message();
    records_ = *std::move(opened);
  }

  std::string File() const { return directory_ + "/builds.sqlite"; }

  static BuildRecord Build(const std::string& id, const std::string& project = "p") {
    BuildRecord build;
    build.id = id;
    build.project = project;
    build.creator = "ann";
    build.created_at = 1000;
    build.ends_at = 5000;
    build.token_hash = Cat("hash of ", id);
    build.options = std::string("\x00\xff'\"", 4);
    return build;
  }

  std::vector<std::string> Listed(const std::string& project, int limit, std::int64_t before = 0) {
    std::vector<std::string> ids;
    auto builds = records_->List(project, limit, before);
    EXPECT_TRUE(builds);
    for (const BuildRecord& build : *builds)
      ids.push_back(build.id);
    return ids;
  }

  std::string directory_;
  std::unique_ptr<Records> records_;
};

using Ids = std::vector<std::string>;

TEST_F(RecordsTest, BuildsSurviveARestart) {
  BuildRecord build = Build("a");
  build.saved = true;
  build.admitted_by = "t1";
  ASSERT_TRUE(records_->Create(build));
  Reopen();
  auto found = records_->FindByToken("hash of a");
  ASSERT_TRUE(found);
  EXPECT_EQ(found->id, "a");
  EXPECT_EQ(found->project, "p");
  EXPECT_EQ(found->creator, "ann");
  EXPECT_EQ(found->admitted_by, "t1");
  EXPECT_EQ(found->created_at, 1000);
  EXPECT_EQ(found->ends_at, 5000);
  EXPECT_TRUE(found->saved);
  EXPECT_EQ(found->options, build.options);
  EXPECT_EQ(found->state, State::kRunning);
  EXPECT_EQ(records_->Find("b").error().code(), ErrorCode::kNotFound);
  EXPECT_EQ(records_->FindByToken("").error().code(), ErrorCode::kNotFound);
}

TEST_F(RecordsTest, TheFirstOutcomeStaysUnlessTheBuildWasOnlyLost) {
  ASSERT_TRUE(records_->Create(Build("a")));
  EXPECT_TRUE(*records_->Finish("a", State::kLost, "", 2000));
  EXPECT_TRUE(*records_->Finish("a", State::kFailed, "exit code 1", 3000));
  EXPECT_FALSE(*records_->Finish("a", State::kSucceeded, "", 4000));
  EXPECT_FALSE(*records_->Finish("nobody", State::kSucceeded, "", 4000));
  auto found = records_->Find("a");
  EXPECT_EQ(found->state, State::kFailed);
  EXPECT_EQ(found->error, "exit code 1");
  EXPECT_EQ(found->finished_at, 3000);
}

TEST_F(RecordsTest, OnlyRunningBuildsCanBeCancelledAndTheFirstTimeCounts) {
  ASSERT_TRUE(records_->Create(Build("a")));
  EXPECT_TRUE(*records_->RequestCancel("a", 2000));
  EXPECT_TRUE(*records_->RequestCancel("a", 3000));
  EXPECT_EQ(records_->Find("a")->cancel_at, 2000);
  ASSERT_TRUE(records_->Finish("a", State::kCanceled, "", 4000));
  EXPECT_FALSE(*records_->RequestCancel("a", 5000));
  EXPECT_FALSE(*records_->RequestCancel("b", 5000));
}

TEST_F(RecordsTest, ListsPagesNewestFirst) {
  for (const char* id : {"a", "b", "c", "d"})
    ASSERT_TRUE(records_->Create(Build(id, std::string(id) == "c" ? "q" : "p")));
  EXPECT_EQ(Listed("p", 2), (Ids{"d", "b"}));
  EXPECT_EQ(Listed("p", 2, records_->Find("b")->number), (Ids{"a"}));
  EXPECT_EQ(Listed("", 10), (Ids{"d", "c", "b", "a"}));
  EXPECT_EQ(Listed("' OR 1=1 --", 10), Ids{});
}

TEST_F(RecordsTest, ClaimsOfRunningBuildsComeBackInOrder) {
  for (const char* id : {"a", "b", "c"})
    ASSERT_TRUE(records_->Create(Build(id)));
  ASSERT_TRUE(records_->StoreClaim({"b", "linux/amd64", "p", 7, ""}));
  ASSERT_TRUE(records_->StoreClaim({"a", "linux/amd64", "p", 9, ""}));
  ASSERT_TRUE(records_->StoreClaim({"a", "linux/amd64", "p", 9, "one"}));
  ASSERT_TRUE(records_->StoreClaim({"a", "linux/arm64", "p", 8, ""}));
  ASSERT_TRUE(records_->StoreClaim({"c", "linux/amd64", "p", 1, "one"}));
  ASSERT_TRUE(records_->RemoveClaim({"a", "linux/arm64", "p", 8, ""}));
  ASSERT_TRUE(records_->Finish("c", State::kSucceeded, "", 2000));
  Reopen();
  auto claims = records_->OpenClaims();
  ASSERT_TRUE(claims);
  ASSERT_EQ(claims->size(), 2u);
  EXPECT_EQ((*claims)[0].build, "b");
  EXPECT_EQ((*claims)[1].build, "a");
  EXPECT_EQ((*claims)[1].builder, "one");
  EXPECT_EQ((*claims)[1].ticket, 9);
  EXPECT_EQ(records_->Running()->size(), 2u);
  EXPECT_EQ((*records_->Count())[State::kSucceeded], 1);
}

TEST_F(RecordsTest, TurnsAreKept) {
  ASSERT_TRUE(records_->Create(Build("a")));
  ASSERT_TRUE(records_->Create(Build("b")));
  ASSERT_TRUE(records_->StoreClaim({"a", "linux/amd64", "p", 1, "", 500}));
  ASSERT_TRUE(records_->StoreClaim({"b", "linux/amd64", "p", 2, "", 400}));
  Reopen();
  EXPECT_EQ((*records_->OpenClaims())[0].build, "b");
  EXPECT_EQ((*records_->OpenClaims())[1].turn, 500);
}

TEST_F(RecordsTest, AServerDoesNotWaitForAnotherProcess) {
  ASSERT_TRUE(records_->Create(Build("a")));
  auto opened = OpenRecords(directory_, std::chrono::milliseconds(0));
  ASSERT_TRUE(opened);
  Records& server = **opened;
  Database other(File());
  ASSERT_TRUE(other.Change([&](sqlite3*) -> Result<> {
    const auto begin = std::chrono::steady_clock::now();
    EXPECT_EQ(server.Create(Build("b")).error().code(), ErrorCode::kTimeout);
    EXPECT_EQ(server.Finish("a", State::kSucceeded, "", 2000).error().code(), ErrorCode::kTimeout);
    EXPECT_EQ(server.Check().error().code(), ErrorCode::kTimeout);
    EXPECT_TRUE(server.Find("a")) << "reading goes on";
    EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(4));
    return {};
  }));
  EXPECT_TRUE(server.Create(Build("b")));
}

TEST_F(RecordsTest, KeepsTenThousandEndedBuildsOfAProject) {
  ASSERT_TRUE(records_->Create(Build("running")));
  ASSERT_TRUE(records_->Create(Build("other", "q")));
  ASSERT_TRUE(records_->Finish("other", State::kSucceeded, "", 2000));
  for (int i = 0; i < 10010; ++i) {
    std::string id = Cat("b", i);
    ASSERT_TRUE(records_->Create(Build(id)));
    ASSERT_TRUE(records_->Finish(id, State::kSucceeded, "", 2000));
  }
  EXPECT_FALSE(records_->Find("b0"));
  EXPECT_TRUE(records_->Find("b20"));
  EXPECT_TRUE(records_->Find("running"));
  EXPECT_TRUE(records_->Find("other"));
  EXPECT_LE((*records_->Count())[State::kSucceeded], 10002);
}

TEST_F(RecordsTest, LoginsAreFoundUntilTheyExpire) {
  ASSERT_TRUE(records_->StoreLogin({"ABCD-EFGH", "h", 1600, ""}, 1000));
  EXPECT_TRUE(records_->FindLogin("ABCD-EFGH", 1600));
  EXPECT_EQ(records_->FindLogin("ABCD-EFGH", 1601).error().code(), ErrorCode::kNotFound);
  ASSERT_TRUE(records_->ApproveLogin("ABCD-EFGH", "ann"));
  EXPECT_EQ(records_->FindLogin("ABCD-EFGH", 1200)->user, "ann");
  ASSERT_TRUE(records_->RemoveLogin("ABCD-EFGH"));
  EXPECT_FALSE(records_->FindLogin("ABCD-EFGH", 1200));
}

TEST_F(RecordsTest, TheFileIsForItsOwnerAlone) {
  ASSERT_TRUE(records_->Create(Build("a")));
  for (const auto& entry : std::filesystem::directory_iterator(directory_)) {
    struct stat file {};
    ASSERT_EQ(::stat(entry.path().c_str(), &file), 0);
    EXPECT_EQ(file.st_mode & 0777, 0600u) << entry.path();
  }
}

TEST_F(RecordsTest, ADamagedFileSaysWhatToDo) {
  records_.reset();
  std::filesystem::remove(File() + "-wal");
  std::ofstream(File(), std::ios::binary) << std::string(8192, 'x');
  auto opened = OpenRecords(directory_);
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code(), ErrorCode::kInvalid);
  EXPECT_NE(opened.error().message().find("builds.sqlite"), std::string::npos);
  EXPECT_NE(opened.error().hint().find("backup"), std::string::npos);
}

TEST_F(RecordsTest, AFullDiskIsAnErrorAndNotTheEnd) {
  ASSERT_TRUE(records_->Create(Build("a")));
  std::signal(SIGXFSZ, SIG_IGN);
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  rlimit small{4096, before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  Result<> created = records_->Create(Build("b"));
  Result<> checked = records_->Check();
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &before), 0);
  ASSERT_FALSE(created);
  EXPECT_EQ(created.error().code(), ErrorCode::kUnavailable) << created.error().message();
  EXPECT_NE(created.error().hint().find("disk"), std::string::npos);
  EXPECT_FALSE(checked);
  EXPECT_TRUE(records_->Check());
  EXPECT_TRUE(records_->Find("a"));
  EXPECT_TRUE(records_->Create(Build("b")));
}

TEST_F(RecordsTest, AnOlderPoolsFileIsTakenOver) {
  ASSERT_TRUE(records_->Create(Build("a")));
  ASSERT_TRUE(records_->StoreClaim({"a", "linux/amd64", "p", 1, "", 500}));
  records_.reset();
  sqlite3* database = nullptr;
  ASSERT_EQ(sqlite3_open(File().c_str(), &database), SQLITE_OK);
  EXPECT_EQ(sqlite3_exec(database,
                         "ALTER TABLE builds DROP COLUMN admitted_by;"
                         "ALTER TABLE claims DROP COLUMN turn; DROP TRIGGER claims_end;"
                         "ALTER TABLE claims DROP COLUMN grounds;"
                         "ALTER TABLE claims DROP COLUMN asked_at;"
                         "ALTER TABLE claims DROP COLUMN granted_at; PRAGMA user_version = 1",
                         nullptr, nullptr, nullptr),
            SQLITE_OK);
  sqlite3_close(database);
  Reopen();
  auto found = records_->Find("a");
  ASSERT_TRUE(found);
  EXPECT_EQ(found->admitted_by, "");
  EXPECT_EQ((*records_->OpenClaims())[0].turn, 0);
  BuildRecord fresh = Build("b");
  fresh.admitted_by = "t1";
  ASSERT_TRUE(records_->Create(fresh));
  EXPECT_EQ(records_->Find("b")->admitted_by, "t1");
}

TEST_F(RecordsTest, WhichBuilderABuildHadAndWhyIsKeptAsLongAsTheBuild) {
  ASSERT_TRUE(records_->Create(Build("a")));
  Claim claim{"a", "linux/amd64", "p", 1, "", 500};
  claim.asked_at = 1000;
  ASSERT_TRUE(records_->StoreClaim(claim));
  claim.builder = "one";
  claim.grounds = Grounds::kWaited;
  claim.asked_at = claim.granted_at = 1030;
  ASSERT_TRUE(records_->StoreClaim(claim));
  ASSERT_TRUE(records_->Finish("a", State::kSucceeded, "", 2000));
  Reopen();
  EXPECT_TRUE(records_->OpenClaims()->empty());
  auto kept = records_->ClaimsOf("a");
  ASSERT_EQ(kept->size(), 1U);
  EXPECT_EQ(kept->front().builder, "one");
  EXPECT_EQ(kept->front().grounds, Grounds::kWaited);
  EXPECT_EQ(kept->front().asked_at, 1000);
  EXPECT_EQ(kept->front().granted_at, 1030);
  sqlite3* database = nullptr;
  ASSERT_EQ(sqlite3_open(File().c_str(), &database), SQLITE_OK);
  EXPECT_EQ(sqlite3_exec(database, "DELETE FROM builds", nullptr, nullptr, nullptr), SQLITE_OK);
  sqlite3_close(database);
  EXPECT_TRUE(records_->ClaimsOf("a")->empty());
}

TEST_F(RecordsTest, ANewerPoolsFileIsLeftAlone) {
  records_.reset();
  // user_version is the big-endian number at byte 60 of the header (sqlite.org/fileformat2.html).
  std::fstream file(File(), std::ios::binary | std::ios::in | std::ios::out);
  file.seekp(60);
  file.write("\0\0\0\x63", 4);
  file.close();
  auto opened = OpenRecords(directory_);
  ASSERT_FALSE(opened);
  EXPECT_NE(opened.error().message().find("newer"), std::string::npos);
}

TEST_F(RecordsTest, ManyThreadsAndASecondProcessWriteAtOnce) {
  auto second = OpenRecords(directory_);
  ASSERT_TRUE(second);
  TaskGroup group(Cancel::Never());
  for (int thread = 0; thread < 8; ++thread) {
    Records& target = thread % 2 == 0 ? *records_ : **second;
    group.Start("writer", [thread, &target](const Cancel&) -> Result<> {
      for (int i = 0; i < 20; ++i) {
        std::string id = Cat(thread, "-", i);
        TRY(target.Create(Build(id)));
        TRY(target.StoreClaim({id, "linux/amd64", "p", i, ""}));
        TRY(target.Finish(id, State::kSucceeded, "", 2000));
      }
      return {};
    });
  }
  Result<> all = group.Wait();
  EXPECT_TRUE(all) << all.error().message();
  EXPECT_EQ((*records_->Count())[State::kSucceeded], 160);
}

}  // namespace
}  // namespace depot::records
