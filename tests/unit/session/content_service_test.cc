#include "driver/session/content_service.h"

#include <filesystem>

#include <gtest/gtest.h>

#include "memory_call.h"
#include "proto/content.pb.h"
#include "recording_sink.h"
#include "temporary_directory.h"

#include "driver/oci/digest.h"
#include "driver/session/layout_store.h"

namespace depot::session::content_service_test {
namespace {

namespace fs = std::filesystem;
namespace content = containerd::services::content::v1;

constexpr char kPackage[] = "/containerd.services.content.v1.Content/";

/// A disk that is full.
class FullStore final : public ContentStore {
 public:
  Result<std::int64_t> Size(const std::string&) override {
    return Fail(ErrorCode::kNotFound, "nothing is here");
  }
  Result<std::unique_ptr<Blob>> Open(const std::string&) override {
    return Fail(ErrorCode::kFailed, "cannot read: input/output error");
  }
  Result<std::unique_ptr<BlobWriter>> Begin(const BlobInfo&) override {
    return Fail(ErrorCode::kExists, "cannot write: file exists");
  }
  Result<std::vector<BlobInfo>> List() override { return std::vector<BlobInfo>(); }
};

class ContentServiceTest : public ::testing::Test {
 protected:
  ContentServiceTest() {
    auto store = *LayoutStore::OpenToWrite(folder_.path());
    OfferedStores stores{{"local:cache", {store}},
                         {"export", {std::make_shared<FullStore>(), true}},
                         {"optional", {std::make_shared<FullStore>(), false}}};
    stores["spare"] = {store, false};
    AddContent(table_, stores, faults_, sink_);
  }

  std::unique_ptr<RunningCall> Start(const std::string& method,
                                     const std::string& store = "local:cache") {
    rpc::Metadata metadata;
    if (!store.empty()) metadata.Add("buildkit-attachable-store-id", store);
    return std::make_unique<RunningCall>(table_, kPackage + method, metadata);
  }

  rpc::Status Ask(const std::string& method,
                  const google::protobuf::MessageLite& request,
                  const std::string& store = "local:cache",
                  std::string* response = nullptr) {
    auto running = Start(method, store);
    running->call().Send(request.SerializeAsString());
    running->call().HalfClose();
    rpc::Status status = running->Finish();
    auto message = running->call().Receive();
    if (message && response != nullptr) *response = *message;
    return status;
  }

  static content::WriteContentRequest Request(content::WriteAction action,
                                              std::int64_t offset,
                                              const std::string& data) {
    content::WriteContentRequest request;
    request.set_action(action);
    request.set_ref("layer");
    request.set_offset(offset);
    request.set_data(data);
    return request;
  }

  static content::WriteContentResponse Tell(RunningCall& running,
                                            const content::WriteContentRequest& request) {
    running.call().Send(request.SerializeAsString());
    content::WriteContentResponse response;
    auto message = running.call().Receive();
    EXPECT_TRUE(message && response.ParseFromString(*message));
    return response;
  }

  /// The status of a write whose last request is `request`.
  static rpc::Status End(RunningCall& running, const content::WriteContentRequest& request) {
    running.call().Send(request.SerializeAsString());
    running.call().HalfClose();
    return running.Finish();
  }

  void Put(const std::string& data) {
    auto running = Start("Write");
    EXPECT_TRUE(End(*running, Request(content::COMMIT, 0, data)).ok());
  }

  std::string Read(const std::string& data,
                   std::int64_t offset,
                   std::int64_t size,
                   const std::string& store = "local:cache") {
    content::ReadContentRequest request;
    request.set_digest(DigestOf(data));
    request.set_offset(offset);
    request.set_size(size);
    auto running = Start("Read", store);
    running->call().Send(request.SerializeAsString());
    running->call().HalfClose();
    std::string read;
    while (auto message = running->call().Receive()) {
      content::ReadContentResponse response;
      EXPECT_TRUE(response.ParseFromString(*message));
      EXPECT_EQ(response.offset(), static_cast<std::int64_t>(read.size()));
      read += response.data();
    }
    rpc::Status status = running->Finish();
    return status.ok() ? read : "status " + std::to_string(static_cast<int>(status.code));
  }

  bool NothingIsKept() {
    return !fs::exists(folder_ / "blobs/sha256") || fs::is_empty(folder_ / "blobs/sha256");
  }

  TemporaryDirectory folder_;
  RecordingSink sink_;
  Faults faults_;
  rpc::ServiceTable table_;
};

TEST_F(ContentServiceTest, ABlobIsWrittenAsContainerdDoes) {
  const std::string data = "a layer of some size";
  auto running = Start("Write");
  auto request = Request(content::STAT, 0, "");
  request.set_total(static_cast<std::int64_t>(data.size()));
  request.set_expected(DigestOf(data));
  EXPECT_EQ(Tell(*running, request).offset(), 0);
  EXPECT_EQ(Tell(*running, Request(content::WRITE, 0, data.substr(0, 7))).offset(), 7);
  EXPECT_EQ(Tell(*running, Request(content::WRITE, 7, data.substr(7))).offset(), 20);
  auto commit = Request(content::COMMIT, 20, "");
  commit.set_expected(DigestOf(data));
  auto response = Tell(*running, commit);
  EXPECT_EQ(response.digest(), DigestOf(data));
  EXPECT_EQ(response.offset(), 20);
  EXPECT_TRUE(running->Finish().ok());
  EXPECT_EQ(folder_.Read("blobs/sha256/" + Sha256Hex(data)), data);
}

TEST_F(ContentServiceTest, WhatIsThereNeedNotBeSent) {
  Put("known");
  auto running = Start("Write");
  auto request = Request(content::STAT, 0, "");
  request.set_expected(DigestOf("known"));
  EXPECT_EQ(End(*running, request).code, rpc::Code::kAlreadyExists);
  EXPECT_FALSE(faults_.first());
}

TEST_F(ContentServiceTest, ReadsAnySlice) {
  std::string data(3 << 20, 'x');
  data[5] = 'y';
  Put(data);
  EXPECT_EQ(Read(data, 0, 0), data);
  EXPECT_EQ(Read(data, 4, 3), "xyx");
  EXPECT_EQ(Read(data, (3 << 20) - 2, 100), "xx");
  EXPECT_EQ(Read(data, 3 << 20, 1), "");
  EXPECT_EQ(Read(data, (3 << 20) + 1, 1), "status 11");
  EXPECT_EQ(Read(data, -1, 1), "status 3");
  EXPECT_EQ(Read(data, 0, -1), "status 3");
  EXPECT_EQ(Read("unknown", 0, 0), "status 5");
}

TEST_F(ContentServiceTest, ADamagedBlobIsAFaultOnceItIsReadInWhole) {
  Put("sound");
  folder_.Write("blobs/sha256/" + Sha256Hex("sound"), "bound");
  EXPECT_EQ(Read("sound", 1, 4), "ound") << "it was not read in whole";
  EXPECT_EQ(Read("sound", 0, 0, "spare"), "status 2");
  ASSERT_EQ(sink_.notices().size(), 1U);
  EXPECT_FALSE(faults_.first()) << "a build can do without it";
  EXPECT_EQ(Read("sound", 0, 2), "bo");
  EXPECT_EQ(Read("sound", 0, 2), "bo") << "the reader starts over";
  EXPECT_FALSE(faults_.first());
  EXPECT_EQ(Read("sound", 2, 3), "status 2");
  ASSERT_TRUE(faults_.first());
  EXPECT_EQ(faults_.first()->message(), folder_ / "blobs/sha256/" + Sha256Hex("sound") +
                                            " is damaged: its content is not what its name says");
}

TEST_F(ContentServiceTest, SoundBlobsAreReadInAnyPieces) {
  Put("sound");
  for (int i = 0; i < 2; ++i) {
    for (std::int64_t at = 0; at < 5; ++at)
      EXPECT_EQ(Read("sound", at, 1), std::string("sound").substr(static_cast<std::size_t>(at), 1));
  }
  EXPECT_FALSE(faults_.first());
}

TEST_F(ContentServiceTest, InfoAndListTellWhatIsThere) {
  Put("known");
  content::InfoRequest request;
  request.set_digest(DigestOf("known"));
  std::string wire;
  EXPECT_TRUE(Ask("Info", request, "local:cache", &wire).ok());
  content::InfoResponse info;
  ASSERT_TRUE(info.ParseFromString(wire));
  EXPECT_EQ(info.info().size(), 5);
  EXPECT_TRUE(Ask("List", content::ListContentResponse(), "local:cache", &wire).ok());
  content::ListContentResponse list;
  ASSERT_TRUE(list.ParseFromString(wire));
  ASSERT_EQ(list.info_size(), 1);
  EXPECT_EQ(list.info(0).digest(), DigestOf("known"));
}

TEST_F(ContentServiceTest, OnlyWhatWasOfferedIsServed) {
  content::InfoRequest request;
  request.set_digest(DigestOf("x"));
  EXPECT_EQ(Ask("Info", request, "local:/etc").code, rpc::Code::kNotFound);
  EXPECT_EQ(Ask("Info", request, "").code, rpc::Code::kInvalidArgument);
  ASSERT_EQ(sink_.notices().size(), 1U);
  EXPECT_NE(sink_.notices()[0].find("local:/etc"), std::string::npos);
}

TEST_F(ContentServiceTest, ADigestIsNoPath) {
  for (const char* digest : {"", "sha256:", "sha256:../../../../etc/passwd", "../x", "md5:00"}) {
    content::InfoRequest info;
    info.set_digest(digest);
    EXPECT_EQ(Ask("Info", info).code, rpc::Code::kInvalidArgument) << digest;
    content::ReadContentRequest read;
    read.set_digest(digest);
    EXPECT_EQ(Ask("Read", read).code, rpc::Code::kInvalidArgument) << digest;
    if (*digest == '\0') continue;
    auto running = Start("Write");
    auto write = Request(content::COMMIT, 0, "data");
    write.set_expected(digest);
    EXPECT_EQ(End(*running, write).code, rpc::Code::kInvalidArgument) << digest;
  }
  EXPECT_TRUE(NothingIsKept());
}

TEST_F(ContentServiceTest, OffsetsFollowEachOther) {
  for (std::int64_t offset : {2, 5, -1}) {
    auto running = Start("Write");
    EXPECT_EQ(Tell(*running, Request(content::WRITE, 0, "abc")).offset(), 3);
    EXPECT_EQ(End(*running, Request(content::WRITE, offset, "d")).code, rpc::Code::kOutOfRange);
  }
  EXPECT_TRUE(NothingIsKept());
}

TEST_F(ContentServiceTest, ABuilderMayStartOver) {
  auto running = Start("Write");
  EXPECT_EQ(Tell(*running, Request(content::WRITE, 0, "wrong")).offset(), 5);
  EXPECT_EQ(Tell(*running, Request(content::WRITE, 0, "ri")).offset(), 2);
  EXPECT_TRUE(End(*running, Request(content::COMMIT, 2, "ght")).ok());
  EXPECT_EQ(folder_.Read("blobs/sha256/" + Sha256Hex("right")), "right");
}

TEST_F(ContentServiceTest, AWrongSizeOrDigestIsNotKept) {
  struct Lie {
    std::int64_t total;
    std::string digest;
    rpc::Code code;
  };
  for (const Lie& lie :
       {Lie{5, "", rpc::Code::kFailedPrecondition}, Lie{3, "", rpc::Code::kFailedPrecondition},
        Lie{-1, "", rpc::Code::kInvalidArgument},
        Lie{4, DigestOf("other"), rpc::Code::kFailedPrecondition}}) {
    auto running = Start("Write");
    auto request = Request(content::COMMIT, 0, "data");
    request.set_total(lie.total);
    request.set_expected(lie.digest);
    EXPECT_EQ(End(*running, request).code, lie.code) << lie.total;
  }
  EXPECT_TRUE(NothingIsKept());
  EXPECT_FALSE(faults_.first());
}

TEST_F(ContentServiceTest, WhatWasAnnouncedStays) {
  auto running = Start("Write");
  auto first = Request(content::STAT, 0, "");
  first.set_total(4);
  Tell(*running, first);
  auto second = Request(content::COMMIT, 0, "other");
  second.set_total(5);
  EXPECT_EQ(End(*running, second).code, rpc::Code::kInvalidArgument);
  EXPECT_TRUE(NothingIsKept());
}

TEST_F(ContentServiceTest, AWriteWithoutCommitLeavesNothing) {
  auto running = Start("Write");
  Tell(*running, Request(content::WRITE, 0, "half of it"));
  running->call().HalfClose();
  running->Finish();
  EXPECT_TRUE(NothingIsKept());
  EXPECT_EQ(Ask("Write", Request(content::COMMIT, 0, "again")).code, rpc::Code::kOk);
}

TEST_F(ContentServiceTest, AWriteNeedsAName) {
  auto nameless = Request(content::COMMIT, 0, "data");
  nameless.set_ref("");
  EXPECT_EQ(Ask("Write", nameless).code, rpc::Code::kInvalidArgument);
  nameless.set_ref(std::string(100000, 'r'));
  EXPECT_EQ(Ask("Write", nameless).code, rpc::Code::kInvalidArgument);
}

TEST_F(ContentServiceTest, OneRefIsWrittenByOneCall) {
  auto running = Start("Write");
  Tell(*running, Request(content::WRITE, 0, "abc"));
  EXPECT_EQ(Ask("Write", Request(content::STAT, 0, "")).code, rpc::Code::kUnavailable);
  content::StatusRequest request;
  request.set_ref("layer");
  std::string wire;
  EXPECT_TRUE(Ask("Status", request, "local:cache", &wire).ok());
  content::StatusResponse status;
  ASSERT_TRUE(status.ParseFromString(wire));
  EXPECT_EQ(status.status().offset(), 3);
  EXPECT_TRUE(Ask("ListStatuses", content::AbortRequest(), "local:cache", &wire).ok());
  content::ListStatusesResponse statuses;
  ASSERT_TRUE(statuses.ParseFromString(wire));
  EXPECT_EQ(statuses.statuses_size(), 1);
  content::AbortRequest abort;
  abort.set_ref("layer");
  EXPECT_EQ(Ask("Abort", abort).code, rpc::Code::kUnavailable);
  running->call().HalfClose();
  running->Finish();
  EXPECT_EQ(Ask("Abort", abort).code, rpc::Code::kNotFound);
  EXPECT_EQ(Ask("Status", request).code, rpc::Code::kNotFound);
}

TEST_F(ContentServiceTest, NothingIsChangedOrDeleted) {
  Put("known");
  content::InfoRequest request;  // a DeleteContentRequest has the same field
  request.set_digest(DigestOf("known"));
  EXPECT_EQ(Ask("Delete", request).code, rpc::Code::kPermissionDenied);
  EXPECT_EQ(Ask("Update", request).code, rpc::Code::kPermissionDenied);
  EXPECT_EQ(Read("known", 0, 0), "known");
}

TEST_F(ContentServiceTest, AFaultOfOursEndsTheBuildAndNeverLooksLikeSuccess) {
  rpc::Status status = Ask("Write", Request(content::COMMIT, 0, "data"), "export");
  EXPECT_EQ(status.code, rpc::Code::kUnknown);
  ASSERT_TRUE(faults_.first());
  EXPECT_EQ(faults_.first()->message(), "cannot write: file exists");
}

TEST_F(ContentServiceTest, AFaultOfAnOptionalStoreIsOnlySaid) {
  rpc::Status status = Ask("Write", Request(content::COMMIT, 0, "data"), "optional");
  EXPECT_EQ(status.code, rpc::Code::kUnknown);
  content::ReadContentRequest read;
  read.set_digest(DigestOf("x"));
  EXPECT_EQ(Ask("Read", read, "optional").code, rpc::Code::kUnknown);
  EXPECT_FALSE(faults_.first());
  EXPECT_EQ(sink_.notices().size(), 2U);
}

TEST_F(ContentServiceTest, GarbageIsRefused) {
  auto running = Start("Write");
  running->call().Send("\xff\xff\xff");
  running->call().HalfClose();
  EXPECT_EQ(running->Finish().code, rpc::Code::kInvalidArgument);
  auto read = Start("Read");
  read->call().HalfClose();
  EXPECT_EQ(read->Finish().code, rpc::Code::kInvalidArgument);
}

}  // namespace
}  // namespace depot::session::content_service_test
