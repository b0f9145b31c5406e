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
#include "pool/records/shared_slots.h"
#include "pool/records/store.h"
#include "tests/unit/records/test_postgres.h"

namespace depot::records::records_test {
namespace {

/// Where the records of a test are.
enum class Place { kFile, kDatabase };

/// Records of the test's own that can be closed and opened again: in a state directory, or in a
/// database.
class RecordsTest : public ::testing::TestWithParam<Place> {
 protected:
  explicit RecordsTest(Place place = Place::kFile)
      : directory_((std::filesystem::temp_directory_path() / Cat("depot-records-", RandomId()))) {
    if (place == Place::kDatabase) settings_.store = TestPostgres::Get().Empty().url;
    settings_.state = directory_;
    Reopen();
  }
  ~RecordsTest() override { std::filesystem::remove_all(directory_); }

  void Reopen() {
    records_.reset();
    store_ = {};
    auto opened = OpenStore(settings_);
    ASSERT_TRUE(opened) << opened.error().message();
    store_ = *std::move(opened);
    records_ = std::move(store_.records);
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
  settings::Settings settings_;
  Store store_;
  std::unique_ptr<Records> records_;
};

/// What holds wherever they are.
class AnyRecordsTest : public RecordsTest {
 protected:
  AnyRecordsTest() : RecordsTest(GetParam()) {}
};

INSTANTIATE_TEST_SUITE_P(Stores,
                         AnyRecordsTest,
                         ::testing::Values(Place::kFile, Place::kDatabase),
                         [](const auto& place) {
                           return place.param == Place::kFile ? "File" : "Database";
                         });

using Ids = std::vector<std::string>;

TEST_P(AnyRecordsTest, BuildsSurviveARestart) {
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

TEST_P(AnyRecordsTest, TheFirstOutcomeStaysUnlessTheBuildWasOnlyLost) {
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

TEST_P(AnyRecordsTest, OnlyRunningBuildsCanBeCancelledAndTheFirstTimeCounts) {
  ASSERT_TRUE(records_->Create(Build("a")));
  EXPECT_TRUE(*records_->RequestCancel("a", 2000));
  EXPECT_TRUE(*records_->RequestCancel("a", 3000));
  EXPECT_EQ(records_->Find("a")->cancel_at, 2000);
  ASSERT_TRUE(records_->Finish("a", State::kCanceled, "", 4000));
  EXPECT_FALSE(*records_->RequestCancel("a", 5000));
  EXPECT_FALSE(*records_->RequestCancel("b", 5000));
}

TEST_P(AnyRecordsTest, ListsPagesNewestFirst) {
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

TEST_P(AnyRecordsTest, LoginsAreFoundUntilTheyExpire) {
  ASSERT_TRUE(records_->StoreLogin({"ABCD-EFGH", "h", 1600, ""}, 1000));
  EXPECT_TRUE(records_->FindLogin("ABCD-EFGH", 1600));
  EXPECT_EQ(records_->FindLogin("ABCD-EFGH", 1601).error().code(), ErrorCode::kNotFound);
  ASSERT_TRUE(records_->ApproveLogin("ABCD-EFGH", "ann"));
  EXPECT_EQ(records_->FindLogin("ABCD-EFGH", 1200)->user, "ann");
  ASSERT_TRUE(records_->RemoveLogin("ABCD-EFGH"));
  EXPECT_FALSE(records_->FindLogin("ABCD-EFGH", 1200));
}

TEST_P(AnyRecordsTest, ALoginIsFoundByWhatItsClientAsksWith) {
  ASSERT_TRUE(records_->StoreLogin({"ABCD-EFGH", "h", 1600, "", "id", "10.0.0.1"}, 1000));
  EXPECT_EQ(records_->FindLoginById("id", 1200)->code, "ABCD-EFGH");
  EXPECT_EQ(records_->FindLoginById("other", 1200).error().code(), ErrorCode::kNotFound);
  Secret secret = *records_->LoginSecret();
  Reopen();
  EXPECT_EQ(*records_->LoginSecret(), secret);
  EXPECT_GE(secret.size(), 32U);
}

TEST_P(AnyRecordsTest, ANetworkHasTenLoginsAtATime) {
  for (int i = 0; i < 10; ++i)
    ASSERT_TRUE(records_->StoreLogin({Cat("A", i), "h", 1600, "", Cat(i), "10.0.0.1"}, 1000));
  auto more = records_->StoreLogin({"B", "h", 1600, "", "b", "10.0.0.1"}, 1000);
  EXPECT_EQ(more.error().code(), ErrorCode::kUnavailable);
  EXPECT_TRUE(records_->StoreLogin({"C", "h", 1600, "", "c", "10.0.0.2"}, 1000));
  EXPECT_TRUE(records_->StoreLogin({"D", "h", 2600, "", "d", "10.0.0.1"}, 1601));
}

TEST_P(AnyRecordsTest, TokensAreKeptAndReplaced) {
  settings::TokenRecord token;
  token.id = "t1";
  token.sha256 = std::string(64, 'a');
  token.user = "ann";
  token.created_at = 1000;
  token.expires_at = 2000;
  ASSERT_TRUE(records_->StoreToken(token));
  EXPECT_EQ(*records_->Tokens(), std::vector<settings::TokenRecord>{token});
  token.revoked = true;
  ASSERT_TRUE(records_->StoreToken(token));
  Reopen();
  EXPECT_EQ(*records_->Tokens(), std::vector<settings::TokenRecord>{token});
}

TEST_P(AnyRecordsTest, OneOfSeveralEmptiesACache) {
  using Kind = ResetNews::Kind;
  EXPECT_EQ(records_->AskReset("p", "me", 1000)->kind, Kind::kBegin);
  EXPECT_EQ(records_->AskReset("p", "you", 1001)->kind, Kind::kUnderWay);
  EXPECT_EQ(records_->AskReset("q", "you", 1001)->kind, Kind::kBegin);
  EXPECT_EQ(records_->AskReset("p", "me", 1002)->kind, Kind::kBegin) << "it does not know of it";
  ASSERT_TRUE(records_->ReportReset("p", "me", std::nullopt, 1015));
  EXPECT_EQ(records_->AskReset("p", "you", 1030)->kind, Kind::kUnderWay);
  EXPECT_EQ(records_->AskReset("p", "you", 1031)->kind, Kind::kBegin) << "me has ended";
  ASSERT_TRUE(records_->ReportReset("p", "me", Result<>(), 1032));
  EXPECT_EQ(records_->AskReset("p", "me", 1032)->kind, Kind::kUnderWay) << "by the other one";
  Error failure = Error(ErrorCode::kDenied, "no").WithHint("ask");
  ASSERT_TRUE(records_->ReportReset("p", "you", Result<>(Fail(failure)), 1040));
  auto news = records_->AskReset("p", "me", 1041);
  EXPECT_EQ(news->kind, Kind::kEnded);
  ASSERT_TRUE(news->failure);
  EXPECT_EQ(news->failure->code(), ErrorCode::kDenied);
  EXPECT_EQ(news->failure->hint(), "ask");
  EXPECT_EQ(records_->AskReset("p", "you", 1042)->kind, Kind::kBegin) << "it is given once";
  ASSERT_TRUE(records_->ReportReset("p", "you", Result<>(), 1043));
  EXPECT_EQ(records_->AskReset("p", "me", 1080)->kind, Kind::kBegin) << "nobody asked in time";
}

TEST_P(AnyRecordsTest, TextOfStrangersIsNoStatement) {
  for (const std::string& id : {std::string("'; DROP TABLE builds; --"), std::string("a\0b", 3),
                                std::string("\xff\xfe"), std::string(100000, 'x')}) {
    EXPECT_EQ(records_->Find(id).error().code(), ErrorCode::kNotFound);
    EXPECT_EQ(records_->FindLogin(id, 1).error().code(), ErrorCode::kNotFound);
  }
  BuildRecord build = Build("a");
  build.creator = "M\xc3\xbcller \\ \"x\"";
  ASSERT_TRUE(records_->Create(build));
  EXPECT_EQ(records_->Find("a")->creator, build.creator);
}

TEST_F(RecordsTest, AreCopiedToAnEmptyDatabase) {
  BuildRecord build = Build("a");
  build.admitted_by = "t1";
  ASSERT_TRUE(records_->Create(build));
  ASSERT_TRUE(records_->Create(Build("b")));
  ASSERT_TRUE(records_->Create(Build("ended")));
  ASSERT_TRUE(records_->Finish("ended", State::kFailed, "exit code 1", 2000));
  ASSERT_TRUE(records_->StoreClaim({"a", "linux/amd64", "p", 7, "one", 500}));
  ASSERT_TRUE(records_->StoreClaim({"b", "linux/amd64", "p", 9, "", 600}));
  ASSERT_TRUE(records_->StoreLogin({"ABCD-EFGH", "h", 1600, "", "id", "10.0.0.1"}, 1000));
  Secret secret = *records_->LoginSecret();
  settings_.store = TestPostgres::Get().Empty().url;
  EXPECT_EQ(CopyFileToDatabase(settings_).error().code(), ErrorCode::kExists)
      << "a pool has it open";
  settings::Settings new_pool = settings_;
  new_pool.state += "/new";
  EXPECT_NE(CopyFileToDatabase(new_pool).error().hint().find("needs no `migrate`"),
            std::string::npos);
  records_.reset();
  auto copied = CopyFileToDatabase(settings_);
  ASSERT_TRUE(copied) << copied.error().message();
  EXPECT_EQ(*copied, 3);
  EXPECT_EQ(CopyFileToDatabase(settings_).error().code(), ErrorCode::kExists);
  Reopen();
  EXPECT_EQ(records_->FindByToken("hash of a")->options, build.options);
  EXPECT_EQ(records_->Find("a")->admitted_by, "t1");
  EXPECT_EQ(records_->Find("ended")->error, "exit code 1");
  EXPECT_EQ(records_->FindLogin("ABCD-EFGH", 1200)->id_hash, "id");
  EXPECT_EQ(*records_->LoginSecret(), secret);
  ASSERT_TRUE(records_->Create(Build("c")));
  EXPECT_EQ(Listed("p", 10), (Ids{"c", "ended", "b", "a"}));
  auto slots = MakeSharedSlots(*store_.database, [](const std::string&) {});
  slots->Configure({{"one", "linux/amd64", 1, {}}});
  ASSERT_TRUE(slots->Refresh());
  EXPECT_TRUE(slots->Holds("a", "one"));
  auto place = slots->Ask("c", "linux/amd64", "p", std::chrono::seconds(0));
  EXPECT_EQ(std::get<Waiting>(place).position, 2);
  EXPECT_GT(std::get<Waiting>(place).claim.ticket, 9);
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
}  // namespace depot::records::records_test
