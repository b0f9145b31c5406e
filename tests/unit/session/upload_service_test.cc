#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "memory_call.h"
#include "proto/control.pb.h"

#include "driver/base/fd.h"
#include "driver/session/services.h"

namespace depot::session::upload_service_test {
namespace {

const std::string kPull = "/moby.upload.v1.Upload/Pull";

class UploadService : public ::testing::Test {
 protected:
  UploadService() {
    int ends[2];
    EXPECT_EQ(::pipe(ends), 0);
    reader_ = Fd(ends[0]);
    writer_ = Fd(ends[1]);
  }

  rpc::Metadata PathOf(const std::string& url) {
    return {{"urlpath", url.substr(url.rfind('/'))}, {"urlhost", "buildkit-session"}};
  }

  /// What the builder gets until the call ends.
  static std::string Drain(MemoryCall& call) {
    std::string all;
    while (std::optional<std::string> wire = call.Receive()) {
      EXPECT_LE(wire->size(), 3U << 20);
      moby::buildkit::v1::BytesMessage message;
      EXPECT_TRUE(message.ParseFromString(*wire));
      all += message.data();
    }
    return all;
  }

  Fd reader_;
  Fd writer_;
  Faults faults_;
  rpc::ServiceTable table_;
};

TEST_F(UploadService, SendsWhatWasReadAndTheRest) {
  std::string first(600'000, 'a');
  std::string rest(2'000'000, 'b');
  std::string url = AddUpload(table_, first, reader_.get(), faults_);
  EXPECT_TRUE(url.starts_with("http://buildkit-session/"));
  std::thread feeder([&] {
    std::size_t done = 0;
    while (done < rest.size()) {
      ssize_t count = ::write(writer_.get(), rest.data() + done, rest.size() - done);
      ASSERT_GT(count, 0);
      done += static_cast<std::size_t>(count);
    }
    writer_.Reset();
  });
  RunningCall running(table_, kPull, PathOf(url));
  EXPECT_TRUE(Drain(running.call()) == first + rest);
  EXPECT_TRUE(running.Finish().ok());
  feeder.join();
}

TEST_F(UploadService, ServesOnce) {
  std::string url = AddUpload(table_, "tar", reader_.get(), faults_);
  writer_.Reset();
  {
    RunningCall running(table_, kPull, PathOf(url));
    EXPECT_EQ(Drain(running.call()), "tar");
    EXPECT_TRUE(running.Finish().ok());
  }
  RunningCall again(table_, kPull, PathOf(url));
  EXPECT_FALSE(again.Finish().ok());
}

TEST_F(UploadService, RefusesAnotherId) {
  AddUpload(table_, "tar", reader_.get(), faults_);
  RunningCall running(table_, kPull, {{"urlpath", "/something"}});
  EXPECT_EQ(running.Finish().code, rpc::Code::kNotFound);
}

TEST_F(UploadService, StopsWaitingForInputWhenCancelled) {
  std::string url = AddUpload(table_, "", reader_.get(), faults_);
  RunningCall running(table_, kPull, PathOf(url));
  running.source().Request(Error(ErrorCode::kCancelled, "stop"));
  EXPECT_FALSE(running.Finish().ok());
}

TEST_F(UploadService, AStoredArchiveIsServedToEveryBuilderFromItsBeginning) {
  std::string first(300'000, 'a');
  std::string rest(40'000, 'b');
  ASSERT_EQ(::write(writer_.get(), rest.data(), rest.size()), static_cast<ssize_t>(rest.size()));
  writer_.Reset();
  auto file = StoreUpload(first, reader_.get(), ::testing::TempDir(), Cancel::Never());
  ASSERT_TRUE(file) << file.error().message();
  rpc::ServiceTable other;
  std::string url = AddStoredUpload(table_, file->get(), faults_);
  std::string other_url = AddStoredUpload(other, file->get(), faults_);
  EXPECT_NE(url, other_url);
  RunningCall running(table_, kPull, PathOf(url));
  RunningCall beside(other, kPull, PathOf(other_url));
  EXPECT_TRUE(Drain(running.call()) == first + rest);
  EXPECT_TRUE(Drain(beside.call()) == first + rest);
  EXPECT_TRUE(running.Finish().ok());
  EXPECT_TRUE(beside.Finish().ok());
  RunningCall wrong(table_, kPull, PathOf(other_url));
  EXPECT_EQ(wrong.Finish().code, rpc::Code::kNotFound);
}

TEST_F(UploadService, WhereTheArchiveCannotBeKeptIsSaid) {
  auto file = StoreUpload("tar", reader_.get(), "/no/such/directory", Cancel::Never());
  ASSERT_FALSE(file);
  EXPECT_NE(file.error().message().find("/no/such/directory"), std::string::npos);
  EXPECT_NE(file.error().hint().find("TMPDIR"), std::string::npos);
}

TEST_F(UploadService, StoringStopsWhenCancelled) {
  CancelSource source;
  source.Request(Error(ErrorCode::kCancelled, "stop"));
  auto file = StoreUpload("", reader_.get(), ::testing::TempDir(), source.cancel());
  ASSERT_FALSE(file);
  EXPECT_EQ(file.error().code(), ErrorCode::kCancelled);
}

TEST_F(UploadService, InputThatCannotBeReadIsOurFault) {
  Fd directory(::open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  std::string url = AddUpload(table_, "", directory.get(), faults_);
  RunningCall running(table_, kPull, PathOf(url));
  EXPECT_FALSE(running.Finish().ok());
  ASSERT_TRUE(faults_.first());
  EXPECT_NE(faults_.first()->message().find("standard input"), std::string::npos);
}

}  // namespace
}  // namespace depot::session::upload_service_test
