#include <random>

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fake_sender.h"
#include "proto/control.pb.h"
#include "recording_sink.h"
#include "temporary_directory.h"

#include "driver/base/text.h"
#include "driver/session/diffcopy_receive.h"
#include "driver/session/services.h"

namespace depot::session::file_send_service_test {
namespace {

using Packet = FakeSender::Packet;

const std::string kDiffCopy = "/moby.filesync.v1.FileSend/DiffCopy";
constexpr std::uint32_t kDirectory = 1U << 31 | 0755;
constexpr std::uint32_t kSymlink = 1U << 27 | 0777;

/// Collects what it gets, and fails on demand.
class MemoryTarget final : public StreamTarget {
 public:
  MemoryTarget(std::string& content, bool& ended, bool fails)
      : content_(content), ended_(ended), fails_(fails) {}

  Result<> Write(std::string_view data, const Cancel&) override {
    if (fails_) return Fail(ErrorCode::kExists, "write out.tar: no space left on device");
    content_.append(data);
    return {};
  }
  Result<> End(const Cancel&) override {
    ended_ = true;
    return {};
  }
  Result<> StartOver() override {
    content_.clear();
    return {};
  }

 private:
  std::string& content_;
  bool& ended_;
  bool fails_;
};

class FileSendService : public ::testing::Test {
 protected:
  void OfferDirectory() {
    targets_.emplace(0, DirectoryTarget{directory_ / "out"});
    log_ = AddFileSend(table_, targets_, faults_, sink_);
  }

  void OfferStream(bool fails) {
    targets_.emplace(3, std::make_unique<MemoryTarget>(content_, ended_, fails));
    log_ = AddFileSend(table_, targets_, faults_, sink_);
  }

  /// Sends the STAT packets that `stats` sends, and expects the transfer to be refused.
  void ExpectRefusal(const std::function<void(FakeSender&)>& stats) {
    OfferDirectory();
    RunningCall running(table_, kDiffCopy, {});
    FakeSender sender(running.call());
    stats(sender);
    Packet packet;
    do {
      packet = sender.Receive();
    } while (packet.type() == Packet::PACKET_REQ);
    EXPECT_EQ(packet.type(), Packet::PACKET_ERR);
    EXPECT_FALSE(running.Finish().ok());
    EXPECT_EQ(sink_.notices().size(), 1U);
    EXPECT_TRUE(faults_.first());
  }

  static std::string BytesOf(const std::string& data) {
    moby::buildkit::v1::BytesMessage message;
    message.set_data(data);
    return message.SerializeAsString();
  }

  TemporaryDirectory directory_;
  std::string content_;
  bool ended_ = false;
  std::map<int, ExportTarget> targets_;
  rpc::ServiceTable table_;
  RecordingSink sink_;
  Faults faults_;
  std::shared_ptr<ExportLog> log_;
};

TEST_F(FileSendService, WritesATree) {
  OfferDirectory();
  RunningCall running(table_, kDiffCopy, {{"buildkit-attachable-exporter-id", "0"}});
  FakeSender sender(running.call());
  sender.Stat("bin", kDirectory);
  sender.Stat("bin/empty", 0600);
  sender.Stat("bin/tool", 0755);
  sender.Stat("bin/tool2", 0755, "bin/tool");
  sender.Stat("link", kSymlink, "bin/tool");
  sender.EndOfStats();
  for (std::uint32_t id : {1U, 2U}) {
    Packet request = sender.Receive();
    EXPECT_EQ(request.type(), Packet::PACKET_REQ);
    EXPECT_EQ(request.id(), id);
  }
  sender.Send(Packet::PACKET_DATA, 2, "first ");
  sender.File(1, "");
  sender.File(2, "second");
  EXPECT_EQ(sender.Receive().type(), Packet::PACKET_FIN);
  sender.Send(Packet::PACKET_FIN);
  EXPECT_TRUE(running.Finish().ok());
  EXPECT_EQ(directory_.Read("out/bin/tool"), "first second");
  EXPECT_EQ(std::filesystem::file_size(directory_ / "out/bin/empty"), 0U);
  EXPECT_EQ(std::filesystem::read_symlink(directory_ / "out/link"), "bin/tool");
  EXPECT_EQ(std::filesystem::hard_link_count(directory_ / "out/bin/tool2"), 2U);
  struct stat info {};
  ASSERT_EQ(::stat((directory_ / "out/bin/tool").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777U, 0755U);
  EXPECT_EQ(info.st_mtim.tv_sec, 1'600'000'000);
  EXPECT_EQ(info.st_mtim.tv_nsec, 123'456'789);
  EXPECT_FALSE(faults_.first());
}

/// Wants the file "b" alone.
class OneFile final : public files::TreeWriter {
 public:
  explicit OneFile(std::string& content) : content_(content) {}
  bool Wants(const files::FileEntry& entry) const override { return entry.path == "b"; }
  Result<> Make(const files::FileEntry&) override { return {}; }
  Result<std::unique_ptr<File>> Create(const files::FileEntry&) override {
    return std::make_unique<Content>(content_);
  }
  Result<> Finish() override { return {}; }

 private:
  class Content final : public File {
   public:
    explicit Content(std::string& content) : content_(content) {}
    Result<> Write(std::string_view data) override {
      content_.append(data);
      return {};
    }
    Result<> Commit() override { return {}; }

   private:
    std::string& content_;
  };
  std::string& content_;
};

TEST_F(FileSendService, AsksForTheFilesThatTheWriterWantsAndNoOthers) {
  targets_.emplace(0, TreeTarget([this] { return std::make_unique<OneFile>(content_); }));
  log_ = AddFileSend(table_, targets_, faults_, sink_);
  RunningCall running(table_, kDiffCopy, {});
  FakeSender sender(running.call());
  sender.Stat("a", 0644);
  sender.Stat("a2", 0644, "a");
  sender.Stat("b", 0644);
  sender.Stat("c", 0644);
  sender.EndOfStats();
  Packet request = sender.Receive();
  EXPECT_EQ(request.type(), Packet::PACKET_REQ);
  EXPECT_EQ(request.id(), 2U);
  sender.File(2, "wanted");
  EXPECT_EQ(sender.Receive().type(), Packet::PACKET_FIN);
  sender.Send(Packet::PACKET_FIN);
  EXPECT_TRUE(running.Finish().ok());
  EXPECT_EQ(content_, "wanted");
  EXPECT_TRUE(log_->CheckComplete(targets_));
}

TEST_F(FileSendService, ATreeIsCompleteWhenTheSessionEndsBeforeTheSendersFin) {
  OfferDirectory();
  RunningCall running(table_, kDiffCopy, {});
  FakeSender sender(running.call());
  sender.EndOfStats();
  EXPECT_EQ(sender.Receive().type(), Packet::PACKET_FIN);
  running.source().Request(Error(ErrorCode::kCancelled, "the build has ended"));
  EXPECT_TRUE(running.Finish().ok());
  EXPECT_TRUE(log_->CheckComplete(targets_));
}

TEST_F(FileSendService, ATreeThatBrokeOffIsNotComplete) {
  OfferDirectory();
  RunningCall running(table_, kDiffCopy, {});
  FakeSender sender(running.call());
  sender.Stat("file", 0644);
  sender.EndOfStats();
  EXPECT_EQ(sender.Receive().type(), Packet::PACKET_REQ);
  running.source().Request(Error(ErrorCode::kCancelled, "the build has ended"));
  EXPECT_FALSE(running.Finish().ok());
  EXPECT_FALSE(log_->CheckComplete(targets_));
}

TEST_F(FileSendService, EndsAnEmptyTreeWithFin) {
  OfferDirectory();
  RunningCall running(table_, kDiffCopy, {});
  FakeSender sender(running.call());
  sender.EndOfStats();
  EXPECT_EQ(sender.Receive().type(), Packet::PACKET_FIN);
  running.call().HalfClose();
  EXPECT_TRUE(running.Finish().ok());
  EXPECT_TRUE(std::filesystem::is_directory(directory_ / "out"));
}

TEST_F(FileSendService, ReceivesMoreFilesThanItAsksForAtOnce) {
  constexpr std::uint32_t kFiles = 2500;
  OfferDirectory();
  RunningCall running(table_, kDiffCopy, {});
  FakeSender sender(running.call());
  for (std::uint32_t i = 0; i < kFiles; ++i)
    sender.Stat(Cat("f", 10'000 + i), 0644);
  sender.EndOfStats();
  std::uint32_t answered = 0;
  Packet packet = sender.Receive();
  for (; packet.type() == Packet::PACKET_REQ; packet = sender.Receive()) {
    sender.File(packet.id(), Cat("content ", packet.id()));
    ++answered;
  }
  EXPECT_EQ(packet.type(), Packet::PACKET_FIN);
  EXPECT_EQ(answered, kFiles);
  sender.Send(Packet::PACKET_FIN);
  EXPECT_TRUE(running.Finish().ok());
  EXPECT_EQ(directory_.Read("out/f12499"), "content 2499");
}

TEST_F(FileSendService, MergesSeveralStreamsIntoOneDirectory) {
  OfferDirectory();
  RunningCall one(table_, kDiffCopy, {});
  RunningCall two(table_, kDiffCopy, {});
  FakeSender amd(one.call());
  FakeSender arm(two.call());
  amd.Stat("linux_amd64", kDirectory);
  arm.Stat("linux_arm64", kDirectory);
  amd.Stat("linux_amd64/app", 0755);
  arm.Stat("linux_arm64/app", 0755);
  for (FakeSender* sender : {&amd, &arm}) {
    sender->EndOfStats();
    EXPECT_EQ(sender->Receive().type(), Packet::PACKET_REQ);
    sender->File(1, sender == &amd ? "amd" : "arm");
    EXPECT_EQ(sender->Receive().type(), Packet::PACKET_FIN);
    sender->Send(Packet::PACKET_FIN);
  }
  EXPECT_TRUE(one.Finish().ok());
  EXPECT_TRUE(two.Finish().ok());
  EXPECT_EQ(directory_.Read("out/linux_amd64/app"), "amd");
  EXPECT_EQ(directory_.Read("out/linux_arm64/app"), "arm");
}

TEST_F(FileSendService, RefusesPathsThatLeadOut) {
  ExpectRefusal([](FakeSender& sender) { sender.Stat("../escaped", 0644); });
  EXPECT_FALSE(std::filesystem::exists(directory_ / "escaped"));
}

TEST_F(FileSendService, RefusesAbsolutePaths) {
  ExpectRefusal([](FakeSender& sender) { sender.Stat("/tmp/escaped", 0644); });
}

TEST_F(FileSendService, RefusesFilesBelowASymlink) {
  ExpectRefusal([this](FakeSender& sender) {
    sender.Stat("link", kSymlink, directory_.path());
    sender.Stat("link/escaped", 0644);
  });
  EXPECT_FALSE(std::filesystem::exists(directory_ / "escaped"));
}

TEST_F(FileSendService, RefusesEntriesOutOfOrder) {
  ExpectRefusal([](FakeSender& sender) {
    sender.Stat("b", 0644);
    sender.Stat("a", 0644);
  });
}

TEST_F(FileSendService, RefusesTheSameEntryTwice) {
  ExpectRefusal([](FakeSender& sender) {
    sender.Stat("a", kDirectory);
    sender.Stat("a", kDirectory);
  });
}

TEST_F(FileSendService, RefusesAFileWhoseDirectoryWasNotSent) {
  ExpectRefusal([](FakeSender& sender) { sender.Stat("a/b", 0644); });
}

TEST_F(FileSendService, RefusesHardLinksToWhatIsNoEarlierFile) {
  ExpectRefusal([](FakeSender& sender) {
    sender.Stat("a", kSymlink, "/etc/passwd");
    sender.Stat("b", 0644, "a");
  });
  EXPECT_FALSE(std::filesystem::exists(directory_ / "out/b"));
}

TEST_F(FileSendService, ReplacesASymlinkInTheDestinationInsteadOfFollowingIt) {
  directory_.Write("victim/file", "untouched");
  std::filesystem::create_directory(directory_ / "out");
  ASSERT_EQ(::symlink((directory_ / "victim").c_str(), (directory_ / "out/dir").c_str()), 0);
  OfferDirectory();
  RunningCall running(table_, kDiffCopy, {});
  FakeSender sender(running.call());
  sender.Stat("dir", kDirectory);
  sender.Stat("dir/file", 0644);
  sender.EndOfStats();
  if (sender.Receive().type() == Packet::PACKET_REQ) {
    sender.File(1, "new");
    EXPECT_EQ(sender.Receive().type(), Packet::PACKET_FIN);
    sender.Send(Packet::PACKET_FIN);
  }
  (void)running.Finish();
  EXPECT_EQ(directory_.Read("victim/file"), "untouched");
}

TEST_F(FileSendService, RefusesDataThatWasNotAskedFor) {
  OfferDirectory();
  RunningCall running(table_, kDiffCopy, {});
  FakeSender sender(running.call());
  sender.Stat("a", 0644);
  sender.File(0, "early");
  EXPECT_EQ(sender.Receive().type(), Packet::PACKET_ERR);
  EXPECT_EQ(running.Finish().code, rpc::Code::kInvalidArgument);
}

TEST_F(FileSendService, RefusesTooManyFilesAtOnce) {
  OfferDirectory();
  RunningCall running(table_, kDiffCopy, {});
  FakeSender sender(running.call());
  for (int i = 100; i < 200; ++i)
    sender.Stat(Cat(i), 0644);
  sender.EndOfStats();
  for (int i = 0; i < 100; ++i)
    ASSERT_EQ(sender.Receive().type(), Packet::PACKET_REQ);
  for (std::uint32_t i = 0; i < 100; ++i)
    sender.Send(Packet::PACKET_DATA, i, "x");
  EXPECT_EQ(sender.Receive().type(), Packet::PACKET_ERR);
  EXPECT_FALSE(running.Finish().ok());
  EXPECT_TRUE(std::filesystem::is_empty(directory_ / "out"));
}

TEST_F(FileSendService, KeepsTheLocalReasonForTheUser) {
  directory_.Write("file", "");
  targets_.emplace(0, DirectoryTarget{directory_ / "file"});
  log_ = AddFileSend(table_, targets_, faults_, sink_);
  RunningCall running(table_, kDiffCopy, {});
  EXPECT_FALSE(running.Finish().ok());
  ASSERT_TRUE(faults_.first());
  EXPECT_NE(faults_.first()->message().find(directory_ / "file"), std::string::npos);
}

TEST_F(FileSendService, PassesTheSendersErrorOn) {
  OfferDirectory();
  RunningCall running(table_, kDiffCopy, {});
  FakeSender(running.call()).Send(Packet::PACKET_ERR, 0, "layer is gone");
  EXPECT_EQ(running.Finish().message, "error from sender: layer is gone");
  EXPECT_FALSE(faults_.first()) << "it is the builder's own failure";
}

TEST_F(FileSendService, WritesAStream) {
  OfferStream(false);
  RunningCall running(table_, kDiffCopy, {{"buildkit-attachable-exporter-id", "3"}});
  running.call().Send(BytesOf("part one, "));
  running.call().Send(BytesOf(""));
  running.call().Send(BytesOf("part two"));
  running.call().HalfClose();
  EXPECT_TRUE(running.Finish().ok());
  EXPECT_EQ(content_, "part one, part two");
  EXPECT_TRUE(ended_);
  EXPECT_TRUE(log_->CheckComplete(targets_));
}

TEST_F(FileSendService, DoesNotEndAStreamThatBrokeOff) {
  OfferStream(false);
  RunningCall running(table_, kDiffCopy, {{"buildkit-attachable-exporter-id", "3"}});
  running.call().Send(BytesOf("part one"));
  running.source().Request(Error(ErrorCode::kUnavailable, "connection lost"));
  EXPECT_FALSE(running.Finish().ok());
  EXPECT_FALSE(ended_);
  EXPECT_FALSE(faults_.first());
  EXPECT_FALSE(log_->CheckComplete(targets_)) << "a builder that says OK is not believed";
}

TEST_F(FileSendService, AResultThatNeverCameIsNotComplete) {
  OfferStream(false);
  Result<> complete = log_->CheckComplete(targets_);
  ASSERT_FALSE(complete);
  EXPECT_NE(complete.error().message().find("output 3"), std::string::npos);
}

TEST_F(FileSendService, TakesAStreamOnce) {
  OfferStream(false);
  for (bool first : {true, false}) {
    RunningCall running(table_, kDiffCopy, {{"buildkit-attachable-exporter-id", "3"}});
    running.call().Send(BytesOf("x"));
    running.call().HalfClose();
    rpc::Status status = running.Finish();
    EXPECT_EQ(status.ok(), first);
    EXPECT_NE(status.code, rpc::Code::kAlreadyExists);
  }
  EXPECT_EQ(content_, "x");
}

TEST_F(FileSendService, NeverTellsTheBuilderThatAFailedResultExists) {
  OfferStream(true);
  RunningCall running(table_, kDiffCopy, {{"buildkit-attachable-exporter-id", "3"}});
  running.call().Send(BytesOf("x"));
  rpc::Status status = running.Finish();
  EXPECT_FALSE(status.ok());
  EXPECT_NE(status.code, rpc::Code::kAlreadyExists);
  ASSERT_TRUE(faults_.first());
  EXPECT_EQ(faults_.first()->message(), "write out.tar: no space left on device");
}

TEST_F(FileSendService, RefusesAnUnknownExporter) {
  OfferStream(false);
  for (const char* id : {"7", "nonsense", "99999999999"}) {
    RunningCall running(table_, kDiffCopy, {{"buildkit-attachable-exporter-id", id}});
    EXPECT_EQ(running.Finish().code, rpc::Code::kNotFound) << id;
  }
  EXPECT_EQ(sink_.notices().size(), 3U);
}

TEST_F(FileSendService, SurvivesRandomPackets) {
  OfferDirectory();
  std::mt19937 random(11);
  const char* names[] = {"a", "a/b", "a/c", "b", "b/x", "c", "../c", "", "/d", "a/../b"};
  const std::uint32_t modes[] = {0644, kDirectory, kSymlink, 0644, 1U << 25 | 0600, 1U << 19};
  for (int round = 0; round < 500; ++round) {
    RunningCall running(table_, kDiffCopy, {});
    FakeSender sender(running.call());
    for (int i = static_cast<int>(random() % 8); i > 0; --i) {
      sender.Stat(names[random() % (random() % 3 == 0 ? 10 : 6)], modes[random() % 6],
                  random() % 4 == 0 ? names[random() % 10] : "");
    }
    if (random() % 3 != 0) sender.EndOfStats();
    for (int i = static_cast<int>(random() % 8); i > 0; --i) {
      auto type = static_cast<Packet::PacketType>(random() % 10 < 8 ? 2 : random() % 6);
      sender.Send(type, random() % 6, std::string(random() % 2 * 10, 'x'));
    }
    running.call().HalfClose();
    (void)running.Finish();
  }
  EXPECT_FALSE(std::filesystem::exists(directory_ / "c"));
}

TEST_F(FileSendService, WhatIsAnnouncedHasABudget) {
  class Nothing final : public files::TreeWriter {
   public:
    Result<> Make(const files::FileEntry&) override { return {}; }
    Result<std::unique_ptr<File>> Create(const files::FileEntry&) override {
      return Fail(ErrorCode::kInternal, "not asked for");
    }
    Result<> Finish() override { return {}; }
  };
  std::atomic<std::size_t> held = (512U << 20) - 600;  // by the session's other transfers
  Nothing writer;
  Refusals refusals(sink_);
  table_.Add("/x/Receive", [&](rpc::ServerCall& call, const Cancel& cancel) {
    Result<> received = ReceiveTree(call, writer, faults_, refusals, held, cancel);
    return received ? rpc::Status{} : rpc::ToStatus(received.error());
  });
  RunningCall running(table_, "/x/Receive", {});
  FakeSender sender(running.call());
  for (char name = 'a'; name < 'z'; ++name)
    sender.Stat(std::string(1, name), kDirectory);
  EXPECT_EQ(sender.Receive().type(), Packet::PACKET_ERR);
  EXPECT_NE(running.Finish().message.find("512 MiB"), std::string::npos);
  EXPECT_EQ(held, (512U << 20) - 600) << "it gives back its own share";
  ASSERT_TRUE(faults_.first());
  EXPECT_NE(faults_.first()->hint().find("type=tar"), std::string::npos);
}

TEST_F(FileSendService, AnEngineThatIsGoneIsOurFaultNotTheBuilders) {
  class Gone final : public StreamTarget {
   public:
    Result<> Write(std::string_view, const Cancel&) override {
      return Fail(Error(ErrorCode::kUnavailable, "the Docker Engine is gone").WithHint("start it"));
    }
    Result<> End(const Cancel&) override { return {}; }
    Result<> StartOver() override { return {}; }
  };
  targets_.emplace(3, std::make_unique<Gone>());
  log_ = AddFileSend(table_, targets_, faults_, sink_);
  RunningCall running(table_, kDiffCopy, {{"buildkit-attachable-exporter-id", "3"}});
  running.call().Send(BytesOf("x"));
  EXPECT_FALSE(running.Finish().ok());
  ASSERT_TRUE(faults_.first());
  EXPECT_EQ(faults_.first()->message(), "the Docker Engine is gone");
  EXPECT_EQ(faults_.first()->hint(), "start it");
}

}  // namespace
}  // namespace depot::session::file_send_service_test
