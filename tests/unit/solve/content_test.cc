#include "driver/solve/content.h"

#include <atomic>
#include <functional>

#include <gtest/gtest.h>
#include <sys/socket.h>

#include "proto/content.pb.h"
#include "proto/control.pb.h"
#include "proto/gateway.pb.h"

#include "driver/base/task_group.h"
#include "driver/oci/digest.h"
#include "driver/rpc/server.h"
#include "driver/solve/blob_reader.h"

namespace depot::solve::content_test {
namespace {

namespace content = containerd::services::content::v1;
namespace control = moby::buildkit::v1;

/// A builder with a content store and a history that are what a test makes of them.
class ContentTest : public ::testing::Test, public builder::Builder {
 protected:
  ContentTest() {
    table_.Add("/containerd.services.content.v1.Content/Read",
               [this](rpc::ServerCall& call, const Cancel& cancel) {
                 content::ReadContentRequest request;
                 (void)request.ParseFromString(Request(call, cancel));
                 offset_ = request.offset();
                 return read_(call, request.digest(), cancel);
               });
    table_.Add("/moby.buildkit.v1.Control/ListenBuildHistory",
               [this](rpc::ServerCall& call, const Cancel& cancel) {
                 control::BuildHistoryRequest request;
                 (void)request.ParseFromString(Request(call, cancel));
                 if (!request.early_exit()) return rpc::Status{rpc::Code::kInternal, "hangs", ""};
                 return listen_(call, request.ref(), cancel);
               });
    Connect();
  }

  ~ContentTest() override {
    for (auto& channel : channels_)
      channel->Close(Error(ErrorCode::kCancelled, "test"));
  }

  void Connect() {
    int fds[2];
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    channels_.push_back(rpc::MakeChannel(rpc::MakeSocketStream(Fd(fds[0])), "localhost"));
    server_.Start("server", [this, socket = fds[1]](const Cancel& cancel) {
      (void)rpc::Serve(rpc::MakeSocketStream(Fd(socket)), table_, cancel);
      return Result<>();
    });
  }

  rpc::Channel& channel() override { return *channels_.back(); }
  Result<> Reconnect(const Cancel& /*cancel*/) override {
    if (channel().Alive()) return {};
    if (gone_) return Fail(ErrorCode::kUnavailable, "connection refused");
    Connect();
    return {};
  }
  const builder::Features& features() const override { return features_; }
  const std::string& endpoint() const override { return endpoint_; }

  void Cut() { channel().Close(Error(ErrorCode::kUnavailable, "cut")); }

  static std::string Request(rpc::ServerCall& call, const Cancel& cancel) {
    auto message = call.Read(cancel);
    return message && *message ? **message : "";
  }

  static void Send(rpc::ServerCall& call, const std::string& data, const Cancel& cancel) {
    content::ReadContentResponse response;
    response.set_data(data);
    (void)call.Write({rpc::Bytes(response.SerializeAsString())}, cancel);
  }

  static void Send(rpc::ServerCall& call,
                   const control::BuildHistoryRecord& record,
                   const Cancel& cancel) {
    control::BuildHistoryEvent event;
    *event.mutable_record() = record;
    (void)call.Write({rpc::Bytes(event.SerializeAsString())}, cancel);
  }

  static void Attest(control::BuildResultInfo& info,
                     const std::string& media_type,
                     const std::string& digest) {
    control::Descriptor& one = *info.add_attestations();
    one.set_media_type(media_type);
    one.set_digest(digest);
    (*one.mutable_annotations())["in-toto.io/predicate-type"] = "https://slsa.dev/provenance/v0.2";
  }

  Result<std::string> Read(const std::string& digest, std::size_t max_size = 100) {
    return ReadBlob(*this, digest, max_size, Cancel::Never());
  }

  /// What a BlobReader gives of a blob; and its error.
  std::string ReadPieces(const std::string& digest, std::int64_t size) {
    BlobReader reader(*this, digest, size);
    std::string all;
    failure_.reset();
    while (true) {
      Result<std::string> piece = reader.Next(Cancel::Never());
      if (!piece) failure_ = piece.error();
      if (!piece || piece->empty()) return all;
      all += *piece;
    }
  }

  std::function<rpc::Status(rpc::ServerCall&, const std::string&, const Cancel&)> read_;
  std::function<rpc::Status(rpc::ServerCall&, const std::string&, const Cancel&)> listen_;
  rpc::ServiceTable table_;
  builder::Features features_;
  std::string endpoint_ = "tcp://builder:1";
  bool gone_ = false;
  std::int64_t offset_ = 0;  ///< that was asked for last
  std::optional<Error> failure_;
  std::vector<std::unique_ptr<rpc::Channel>> channels_;
  TaskGroup server_{Cancel::Never()};
};

TEST_F(ContentTest, JoinsThePiecesOfABlob) {
  std::string asked;
  read_ = [&](rpc::ServerCall& call, const std::string& digest, const Cancel& cancel) {
    asked = digest;
    Send(call, "one ", cancel);
    Send(call, "two", cancel);
    return rpc::Status{};
  };
  auto blob = Read(DigestOf("one two"));
  ASSERT_TRUE(blob) << blob.error().message();
  EXPECT_EQ(*blob, "one two");
  EXPECT_EQ(asked, DigestOf("one two"));
}

TEST_F(ContentTest, AConnectionThatIsLostMeanwhileIsMadeAgainOnce) {
  int asked = 0;
  read_ = [&](rpc::ServerCall& call, const std::string&, const Cancel& cancel) {
    Send(call, "one ", cancel);
    if (++asked == 1) {
      Cut();
      return rpc::Status{};
    }
    Send(call, "two", cancel);
    return rpc::Status{};
  };
  Cut();  // since the solve, for a start
  auto blob = Read(DigestOf("one two"));
  ASSERT_TRUE(blob) << blob.error().message();
  EXPECT_EQ(*blob, "one two");
  EXPECT_EQ(channels_.size(), 3U);
}

TEST_F(ContentTest, ABuilderThatIsGoneIsTheError) {
  gone_ = true;
  Cut();
  auto blob = Read(DigestOf("one two"));
  ASSERT_FALSE(blob);
  EXPECT_NE(blob.error().message().find("connection refused"), std::string::npos);
}

TEST_F(ContentTest, RefusesAnotherContent) {
  read_ = [](rpc::ServerCall& call, const std::string&, const Cancel& cancel) {
    Send(call, "something else", cancel);
    return rpc::Status{};
  };
  auto blob = Read(DigestOf("one two"));
  ASSERT_FALSE(blob);
  EXPECT_EQ(blob.error().code(), ErrorCode::kInvalid);
}

TEST_F(ContentTest, RefusesMoreThanTheLimitWithoutReadingItAll) {
  read_ = [](rpc::ServerCall& call, const std::string&, const Cancel& cancel) {
    while (!cancel.cancelled()) {
      content::ReadContentResponse response;
      response.set_data(std::string(60, 'x'));
      if (!call.Write({rpc::Bytes(response.SerializeAsString())}, cancel)) break;
    }
    return rpc::Status{};
  };
  auto blob = Read(DigestOf(std::string(120, 'x')));
  ASSERT_FALSE(blob);
  EXPECT_EQ(blob.error().code(), ErrorCode::kInvalid);
  EXPECT_NE(blob.error().message().find("larger than 100 bytes"), std::string::npos);
}

TEST_F(ContentTest, WhatTheStoreHasNotIsNotFound) {
  read_ = [](rpc::ServerCall&, const std::string& digest, const Cancel&) {
    return rpc::Status{rpc::Code::kNotFound, "content " + digest + ": not found", ""};
  };
  auto blob = Read(DigestOf("gone"));
  ASSERT_FALSE(blob);
  EXPECT_EQ(blob.error().code(), ErrorCode::kNotFound);
}

TEST_F(ContentTest, AsksForNothingButDigests) {
  bool asked = false;
  read_ = [&](rpc::ServerCall&, const std::string&, const Cancel&) {
    asked = true;
    return rpc::Status{};
  };
  for (const char* wrong : {"", "latest", "sha256:ab", "../x"}) {
    auto blob = Read(wrong);
    ASSERT_FALSE(blob);
    EXPECT_EQ(blob.error().code(), ErrorCode::kInvalid);
  }
  EXPECT_FALSE(asked);
}

TEST_F(ContentTest, ABuilderThatCancelsIsNoCancelOfTheUsers) {
  read_ = [](rpc::ServerCall&, const std::string&, const Cancel&) {
    return rpc::Status{rpc::Code::kCancelled, "context canceled", ""};
  };
  auto blob = Read(DigestOf("x"));
  ASSERT_FALSE(blob);
  EXPECT_EQ(blob.error().code(), ErrorCode::kFailed);
}

TEST_F(ContentTest, ABlobIsReadInPieces) {
  read_ = [](rpc::ServerCall& call, const std::string&, const Cancel& cancel) {
    for (const char* piece : {"one ", "", "two"})
      Send(call, piece, cancel);
    return rpc::Status{};
  };
  EXPECT_EQ(ReadPieces(DigestOf("one two"), 7), "one two");
  EXPECT_FALSE(failure_);
  read_ = [](rpc::ServerCall&, const std::string&, const Cancel&) { return rpc::Status{}; };
  EXPECT_EQ(ReadPieces(DigestOf(""), 0), "");
  EXPECT_FALSE(failure_);
}

TEST_F(ContentTest, ABlobGoesOnWhereItsConnectionWasLost) {
  const std::string whole = "one two";
  read_ = [&](rpc::ServerCall& call, const std::string&, const Cancel& cancel) {
    if (offset_ > 0) {
      Send(call, whole.substr(static_cast<std::size_t>(offset_)), cancel);
      return rpc::Status{};
    }
    Send(call, "one ", cancel);
    Send(call, "t", cancel);
    while (cancel.SleepFor(std::chrono::milliseconds(5))) {
    }
    return rpc::Status{};
  };
  BlobReader reader(*this, DigestOf(whole), 7);
  // One piece is always held back, so the second is there too.
  EXPECT_EQ(*reader.Next(Cancel::Never()), "one ");
  Cut();
  EXPECT_EQ(*reader.Next(Cancel::Never()), "t");
  EXPECT_EQ(*reader.Next(Cancel::Never()), "wo");
  EXPECT_EQ(*reader.Next(Cancel::Never()), "");
  EXPECT_EQ(offset_, 5);
  EXPECT_EQ(channels_.size(), 2U);
}

TEST_F(ContentTest, ABlobThatWasAskedForGoesOnWhenAnotherHasConnectedAgain) {
  std::atomic<int> calls{0};
  read_ = [&](rpc::ServerCall& call, const std::string&, const Cancel& cancel) {
    // `calls` is gone once the content has come: nothing here looks at it afterwards.
    if (calls++ > 0) {
      Send(call, "content", cancel);
      return rpc::Status{};
    }
    // The first says nothing until its connection is gone.
    while (cancel.SleepFor(std::chrono::milliseconds(1))) {
    }
    return rpc::Status{};
  };
  BlobReader reader(*this, DigestOf("content"), 7);
  reader.Ask(Cancel::Never());
  while (calls == 0)
    Cancel::Never().SleepFor(std::chrono::milliseconds(1));
  Cut();
  ASSERT_TRUE(Reconnect(Cancel::Never()));
  Result<std::string> piece = reader.Next(Cancel::Never());
  ASSERT_TRUE(piece) << piece.error().message();
  EXPECT_EQ(*piece, "content");
}

TEST_F(ContentTest, TellsHowABuildEnded) {
  control::BuildHistoryRecord record;
  record.set_ref("ref");
  listen_ = [&](rpc::ServerCall& call, const std::string&, const Cancel& cancel) {
    Send(call, record, cancel);
    return rpc::Status{};
  };
  auto end = ReadRecordedEnd(*this, "ref", Cancel::Never());
  ASSERT_TRUE(end) << end.error().message();
  EXPECT_FALSE(*end) << "it still runs";
  record.mutable_completed_at()->set_seconds(1);
  (*record.mutable_exporter_response())["image.name"] = "a";
  end = ReadRecordedEnd(*this, "ref", Cancel::Never());
  ASSERT_TRUE(end && *end);
  EXPECT_TRUE((*end)->status.ok());
  EXPECT_EQ((*end)->exporter_response.at("image.name"), "a");
  control::frontend::Status failure;
  failure.set_code(static_cast<int>(rpc::Code::kCancelled));
  failure.set_message("context canceled");
  record.set_error(failure.SerializeAsString());
  end = ReadRecordedEnd(*this, "ref", Cancel::Never());
  ASSERT_TRUE(end && *end);
  EXPECT_EQ((*end)->status.code, rpc::Code::kCancelled);
  record.set_error("\xff");
  EXPECT_FALSE(ReadRecordedEnd(*this, "ref", Cancel::Never()));
  EXPECT_FALSE(*ReadRecordedEnd(*this, "another", Cancel::Never())) << "a record of another build";
}

TEST_F(ContentTest, ABlobOfAnotherContentOrLengthNeverComesToItsEnd) {
  for (const char* sent : {"one ten", "one"}) {
    read_ = [&](rpc::ServerCall& call, const std::string&, const Cancel& cancel) {
      for (const char* byte = sent; *byte != '\0'; ++byte)
        Send(call, std::string(1, *byte), cancel);
      return rpc::Status{};
    };
    EXPECT_LT(ReadPieces(DigestOf("one two"), 7).size(), 7U) << sent;
    ASSERT_TRUE(failure_) << sent;
    EXPECT_EQ(failure_->code(), ErrorCode::kInvalid);
  }
}

TEST_F(ContentTest, ABlobWithoutEndIsReadUpToItsSize) {
  read_ = [](rpc::ServerCall& call, const std::string&, const Cancel& cancel) {
    content::ReadContentResponse response;
    response.set_data(std::string(1000, 'x'));
    while (call.Write({rpc::Bytes(response.SerializeAsString())}, cancel)) {
    }
    return rpc::Status{};
  };
  EXPECT_LE(ReadPieces(DigestOf("x"), 5500).size(), 5500U);
  ASSERT_TRUE(failure_);
  EXPECT_NE(failure_->message().find("more than the 5500 bytes"), std::string::npos);
}

TEST_F(ContentTest, TellsTheAttestationsOfEveryPlatform) {
  listen_ = [](rpc::ServerCall& call, const std::string& ref, const Cancel& cancel) {
    control::BuildHistoryRecord record;
    record.set_ref(ref);
    Send(call, record, cancel);  // an earlier event, of the build while it ran
    Attest((*record.mutable_results())["linux/amd64"], "application/vnd.in-toto+json", "sha256:1");
    Attest((*record.mutable_results())["linux/amd64"], "text/plain", "sha256:2");
    Attest((*record.mutable_results())["linux/arm64"], "application/vnd.in-toto+json", "sha256:3");
    Send(call, record, cancel);
    record.set_ref("another build");
    Send(call, record, cancel);
    return rpc::Status{};
  };
  auto recorded = ReadBuildRecord(*this, "ref1", Cancel::Never());
  ASSERT_TRUE(recorded) << recorded.error().message();
  ASSERT_EQ(recorded->size(), 2U);
  std::map<std::string, std::string> digests;
  for (const RecordedAttestation& one : *recorded) {
    digests[one.platform] = one.digest;
    EXPECT_EQ(one.predicate_type, "https://slsa.dev/provenance/v0.2");
  }
  EXPECT_EQ(digests["linux/amd64"], "sha256:1");
  EXPECT_EQ(digests["linux/arm64"], "sha256:3");
}

TEST_F(ContentTest, ABuildOfOnePlatformHasAttestationsWithoutAPlatform) {
  listen_ = [](rpc::ServerCall& call, const std::string& ref, const Cancel& cancel) {
    control::BuildHistoryRecord record;
    record.set_ref(ref);
    Attest(*record.mutable_result(), "application/vnd.in-toto+json", "sha256:1");
    Send(call, record, cancel);
    return rpc::Status{};
  };
  auto recorded = ReadBuildRecord(*this, "ref1", Cancel::Never());
  ASSERT_TRUE(recorded);
  ASSERT_EQ(recorded->size(), 1U);
  EXPECT_EQ(recorded->front().platform, "");
}

TEST_F(ContentTest, ABuilderWithoutHistoryIsUnsupported) {
  listen_ = [](rpc::ServerCall&, const std::string&, const Cancel&) {
    return rpc::Status{rpc::Code::kUnimplemented, "unknown method", ""};
  };
  auto recorded = ReadBuildRecord(*this, "ref1", Cancel::Never());
  ASSERT_FALSE(recorded);
  EXPECT_EQ(recorded.error().code(), ErrorCode::kUnsupported);
}

TEST_F(ContentTest, WhatEachExporterMadeIsRecorded) {
  std::string digest = DigestOf("x");
  listen_ = [&](rpc::ServerCall& call, const std::string& ref, const Cancel& cancel) {
    control::BuildHistoryRecord record;
    record.set_ref("another");
    (*record.mutable_result()->mutable_results())[0].set_digest("of another");
    Send(call, record, cancel);
    record.Clear();
    record.set_ref(ref);
    control::Descriptor& made = (*record.mutable_result()->mutable_results())[2];
    made.set_media_type("application/vnd.oci.image.index.v1+json");
    made.set_digest(digest);
    made.set_size(7);
    Send(call, record, cancel);
    return rpc::Status{};
  };
  auto results = ReadRecordedResults(*this, "r", Cancel::Never());
  ASSERT_TRUE(results) << results.error().message();
  ASSERT_EQ(results->size(), 1u);
  EXPECT_EQ(results->at(2).digest, digest);
  EXPECT_EQ(results->at(2).size, 7);
  EXPECT_EQ(results->at(2).media_type, "application/vnd.oci.image.index.v1+json");
  digest = "no digest";
  EXPECT_FALSE(ReadRecordedResults(*this, "r", Cancel::Never()));
}

}  // namespace
}  // namespace depot::solve::content_test
