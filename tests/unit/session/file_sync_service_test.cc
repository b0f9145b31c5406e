#include <random>

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "fake_receiver.h"
#include "recording_sink.h"
#include "temporary_directory.h"

#include "driver/base/text.h"
#include "driver/files/content_times.h"
#include "driver/session/diffcopy_send.h"
#include "driver/session/services.h"

namespace depot::session::file_sync_service_test {
namespace {

const std::string kDiffCopy = "/moby.filesync.v1.FileSync/DiffCopy";

/// A directory offered as "context".
class FileSyncService : public ::testing::Test {
 protected:
  void Offer() {
    Result<std::unique_ptr<files::FileTree>> tree = files::OpenDirectoryTree(directory_.path());
    ASSERT_TRUE(tree) << tree.error().message();
    trees_["context"] = *std::move(tree);
    AddFileSync(table_, trees_, faults_, sink_);
  }

  std::vector<std::string> PathsOf(const FakeReceiver& receiver) {
    std::vector<std::string> paths;
    for (const auto& entry : receiver.entries)
      paths.push_back(entry.path());
    return paths;
  }

  TemporaryDirectory directory_;
  std::map<std::string, std::unique_ptr<files::FileTree>> trees_;
  Faults faults_;
  rpc::ServiceTable table_;
  RecordingSink sink_;
};

TEST_F(FileSyncService, SendsEveryFileWithItsContent) {
  directory_.Write("a/small", "some text");
  directory_.Write("a/empty", "");
  std::string large(3'000'000, '\0');
  std::mt19937 random(1);
  for (char& byte : large)
    byte = static_cast<char>(random());
  directory_.Write("large", large);
  ASSERT_EQ(::symlink("a/small", (directory_ / "link").c_str()), 0);
  ASSERT_EQ(::link((directory_ / "a/small").c_str(), (directory_ / "z-hard").c_str()), 0);
  Offer();
  RunningCall running(table_, kDiffCopy, {{"dir-name", "context"}});
  FakeReceiver receiver(running.call());
  receiver.Run();
  EXPECT_TRUE(running.Finish().ok());
  EXPECT_TRUE(receiver.finished);
  EXPECT_EQ(PathsOf(receiver),
            (std::vector<std::string>{"a", "a/empty", "a/small", "large", "link", "z-hard"}));
  EXPECT_EQ(receiver.contents.at("a/small"), "some text");
  EXPECT_EQ(receiver.contents.at("a/empty"), "");
  EXPECT_TRUE(receiver.contents.at("large") == large);
  EXPECT_EQ(receiver.entries[4].linkname(), "a/small");
  EXPECT_EQ(receiver.entries[5].linkname(), "a/small");
}

TEST_F(FileSyncService, PacksManySmallFilesIntoFewWrites) {
  for (int i = 0; i < 600; ++i)
    directory_.Write(Cat("d", i % 10, "/f", i), Cat("content ", i));
  Offer();
  RunningCall running(table_, kDiffCopy, {{"dir-name", "context"}});
  FakeReceiver receiver(running.call());
  receiver.Run();
  EXPECT_TRUE(running.Finish().ok());
  ASSERT_EQ(receiver.contents.size(), 600U);
  EXPECT_EQ(receiver.contents.at("d7/f237"), "content 237");
  // Stat packets alone are 600; how well data packs depends on how fast the requests come.
  EXPECT_LT(running.call().writes(), 600);
}

TEST_F(FileSyncService, AppliesTheBuildersPatterns) {
  directory_.Write("keep/a", "1");
  directory_.Write("keep/b.log", "2");
  directory_.Write("other", "3");
  Offer();
  RunningCall running(
      table_, kDiffCopy,
      {{"dir-name", "context"}, {"followpaths", "keep"}, {"exclude-patterns", "**/*.log"}});
  FakeReceiver receiver(running.call());
  receiver.Run();
  EXPECT_TRUE(running.Finish().ok());
  EXPECT_EQ(PathsOf(receiver), (std::vector<std::string>{"keep", "keep/a"}));
}

/// A tree all of whose files are bound to the state that they had when they were announced.
class BoundTree final : public files::FileTree {
 public:
  BoundTree(std::unique_ptr<files::FileTree> tree, std::vector<std::string>& distrusted)
      : tree_(std::move(tree)), distrusted_(distrusted) {}

  Result<> Walk(const files::TreeFilter& filter,
                const Visitor& visit,
                const Cancel& cancel) const override {
    auto bind = [&](files::FileEntry entry) {
      entry.bound = S_ISREG(entry.mode);
      return visit(std::move(entry));
    };
    return tree_->Walk(filter, bind, cancel);
  }
  Result<Fd> Open(const std::string& path) const override { return tree_->Open(path); }
  void Distrust(const std::string& path) const override { distrusted_.push_back(path); }

 private:
  const std::unique_ptr<files::FileTree> tree_;
  std::vector<std::string>& distrusted_;
};

TEST_F(FileSyncService, ABoundFileThatChangedFailsTheTransferAndIsNoFault) {
  directory_.Write("a", "before");
  directory_.Write("b", "stays");
  std::vector<std::string> distrusted;
  Offer();
  trees_["context"] = std::make_unique<BoundTree>(std::move(trees_["context"]), distrusted);
  RunningCall running(table_, kDiffCopy, {{"dir-name", "context"}});
  FakeReceiver receiver(running.call());
  WirePacket packet;
  while (receiver.Receive(packet) && packet.has_stat()) {
  }
  directory_.Write("a", "after!");
  receiver.Send(WirePacket::PACKET_REQ, 1);
  receiver.Send(WirePacket::PACKET_REQ, 0);
  std::string content, error;
  while (receiver.Receive(packet)) {
    if (packet.type() == WirePacket::PACKET_DATA) content += packet.data();
    if (packet.type() == WirePacket::PACKET_ERR) error = packet.data();
  }
  EXPECT_FALSE(running.Finish().ok());
  EXPECT_NE(error.find("context file a changed while it was being sent"), std::string::npos);
  EXPECT_EQ(content.find("after!"), std::string::npos);
  EXPECT_EQ(distrusted, std::vector<std::string>{"a"});
  EXPECT_FALSE(faults_.first());
}

TEST_F(FileSyncService, DecodesEscapedPatterns) {
  directory_.Write("\xC3\xA4", "1");
  directory_.Write("b", "2");
  Offer();
  RunningCall running(
      table_, kDiffCopy,
      {{"dir-name", "context"}, {"exclude-patterns", "%C3%A4"}, {"exclude-patterns-encoded", "1"}});
  FakeReceiver receiver(running.call());
  receiver.Run();
  EXPECT_TRUE(running.Finish().ok());
  EXPECT_EQ(PathsOf(receiver), (std::vector<std::string>{"b"}));
}

TEST_F(FileSyncService, RefusesADirectoryThatWasNotOffered) {
  Offer();
  for (int i = 0; i < 2; ++i) {
    RunningCall running(table_, kDiffCopy, {{"dir-name", "/etc"}});
    rpc::Status status = running.Finish();
    EXPECT_EQ(status.code, rpc::Code::kNotFound);
    EXPECT_EQ(status.message, "no access allowed to dir \"/etc\"");
  }
  ASSERT_EQ(sink_.notices().size(), 1U);
  EXPECT_NE(sink_.notices()[0].find("/etc"), std::string::npos);
}

TEST_F(FileSyncService, RefusesACallWithoutDirectoryName) {
  Offer();
  RunningCall running(table_, kDiffCopy, {});
  EXPECT_EQ(running.Finish().code, rpc::Code::kInvalidArgument);
}

TEST_F(FileSyncService, ServesNothingAboveTheRootWhateverTheBuilderFollows) {
  directory_.Write("a", "1");
  ASSERT_EQ(::symlink("../../../../../../etc/passwd", (directory_ / "out").c_str()), 0);
  ASSERT_EQ(::symlink("/etc", (directory_ / "etc").c_str()), 0);
  Offer();
  RunningCall running(table_, kDiffCopy,
                      {{"dir-name", "context"},
                       {"followpaths", "../../../etc/passwd"},
                       {"followpaths", "out"},
                       {"followpaths", "etc/passwd"},
                       {"include-patterns", "../**"}});
  FakeReceiver receiver(running.call());
  receiver.Run();
  EXPECT_TRUE(running.Finish().ok());
  for (const auto& entry : receiver.entries) {
    EXPECT_EQ(entry.path().find(".."), std::string::npos) << entry.path();
  }
  EXPECT_TRUE(receiver.contents.empty());
}

TEST_F(FileSyncService, SendsASocketAsAnEmptyFile) {
  sockaddr_un address{AF_UNIX, {}};
  std::string path = directory_ / "socket";
  ASSERT_LT(path.size(), sizeof address.sun_path);
  path.copy(address.sun_path, path.size());
  int fd = ::socket(AF_UNIX, SOCK_STREAM, 0);
  ASSERT_EQ(::bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  ::close(fd);
  Offer();
  RunningCall running(table_, kDiffCopy, {{"dir-name", "context"}});
  FakeReceiver receiver(running.call());
  receiver.Run();
  EXPECT_TRUE(running.Finish().ok());
  ASSERT_EQ(receiver.contents.size(), 1U);
  EXPECT_EQ(receiver.contents.at("socket"), "");
}

TEST_F(FileSyncService, FailsWhenAFileVanishesAfterItWasAnnounced) {
  directory_.Write("here", "1");
  directory_.Write("there", "2");
  Offer();
  RunningCall running(table_, kDiffCopy, {{"dir-name", "context"}});
  FakeReceiver receiver(running.call());
  WirePacket packet;
  do {
    ASSERT_TRUE(receiver.Receive(packet));
  } while (packet.has_stat());
  std::filesystem::remove(directory_ / "there");
  receiver.Send(WirePacket::PACKET_REQ, 1);
  receiver.Run();
  rpc::Status status = running.Finish();
  EXPECT_FALSE(status.ok());
  EXPECT_EQ(receiver.error, "context file there vanished while it was being sent");
  EXPECT_TRUE(faults_.first());
  EXPECT_EQ(status.message, receiver.error);
}

TEST_F(FileSyncService, FailsWhenAFileBecomesALinkOutOfTheContext) {
  directory_.Write("file", "1");
  Offer();
  RunningCall running(table_, kDiffCopy, {{"dir-name", "context"}});
  FakeReceiver receiver(running.call());
  WirePacket packet;
  do {
    ASSERT_TRUE(receiver.Receive(packet));
  } while (packet.has_stat());
  std::filesystem::remove(directory_ / "file");
  ASSERT_EQ(::symlink("/etc/passwd", (directory_ / "file").c_str()), 0);
  receiver.Send(WirePacket::PACKET_REQ, 0);
  receiver.Run();
  EXPECT_FALSE(running.Finish().ok());
  EXPECT_FALSE(receiver.error.empty());
  EXPECT_TRUE(receiver.contents.empty());
}

TEST_F(FileSyncService, SendsAFileThatShrankOrGrewAsItIsNow) {
  directory_.Write("shrinks", std::string(100'000, 'x'));
  directory_.Write("grows", "x");
  Offer();
  RunningCall running(
      table_, kDiffCopy,
      {{"dir-name", "context"}, {"exclude-patterns", std::string(files::kContentTimesMark)}});
  FakeReceiver receiver(running.call());
  std::vector<fsutil::types::Stat> stats;
  WirePacket packet;
  while (receiver.Receive(packet) && packet.has_stat())
    stats.push_back(packet.stat());
  directory_.Write("shrinks", "short");
  directory_.Write("grows", std::string(2'000'000, 'y'));
  receiver.entries = stats;
  receiver.Send(WirePacket::PACKET_REQ, 0);
  receiver.Send(WirePacket::PACKET_REQ, 1);
  int ends = 0;
  while (ends < 2 && receiver.Receive(packet)) {
    ASSERT_EQ(packet.type(), WirePacket::PACKET_DATA);
    receiver.contents[stats[packet.id()].path()] += packet.data();
    if (packet.data().empty()) ++ends;
  }
  receiver.Send(WirePacket::PACKET_FIN);
  EXPECT_TRUE(running.Finish().ok());
  EXPECT_EQ(receiver.contents["shrinks"], "short");
  EXPECT_EQ(receiver.contents["grows"].size(), 2'000'000U);
  EXPECT_EQ(sink_.notices(), std::vector<std::string>{"context: 2.00MB of 2.00MB sent"});
}

TEST_F(FileSyncService, SaysHowMuchOfTheWholeWasSent) {
  // What is around the contents is more than they are.
  for (int i = 0; i < 300; ++i)
    directory_.Write(Cat("f", i), "1");
  Offer();
  const rpc::Metadata asked = {{"dir-name", "context"},
                               {"exclude-patterns", std::string(files::kContentTimesMark)}};
  RunningCall running(table_, kDiffCopy, asked);
  FakeReceiver receiver(running.call());
  receiver.Run();
  EXPECT_TRUE(running.Finish().ok());
  const std::vector<std::string> said = sink_.notices();
  ASSERT_EQ(said.size(), 1u);
  const std::vector<std::string_view> words = Split(said[0], ' ');
  ASSERT_EQ(words.size(), 5u) << said[0];
  EXPECT_EQ(words[1], words[3]);
}

TEST_F(FileSyncService, RefusesUnknownRepeatedAndDirectoryIds) {
  directory_.Write("dir/file", "1");
  Offer();
  for (std::vector<std::uint32_t> ids : {std::vector<std::uint32_t>{7}, {0}, {1, 1}}) {
    RunningCall running(table_, kDiffCopy, {{"dir-name", "context"}});
    FakeReceiver receiver(running.call());
    WirePacket packet;
    do {
      ASSERT_TRUE(receiver.Receive(packet));
    } while (packet.has_stat());
    for (std::uint32_t id : ids)
      receiver.Send(WirePacket::PACKET_REQ, id);
    receiver.entries.resize(2);
    receiver.Run();
    EXPECT_EQ(running.Finish().code, rpc::Code::kInvalidArgument);
    EXPECT_NE(receiver.error.find("invalid file id"), std::string::npos) << receiver.error;
  }
}

TEST_F(FileSyncService, TellsTheBuilderWhyTheWalkFailed) {
  Offer();
  RunningCall running(table_, kDiffCopy, {{"dir-name", "context"}, {"exclude-patterns", "a[bad"}});
  FakeReceiver receiver(running.call());
  receiver.Run();
  rpc::Status status = running.Finish();
  EXPECT_FALSE(status.ok());
  EXPECT_NE(receiver.error.find("a[bad"), std::string::npos) << receiver.error;
}

TEST_F(FileSyncService, ReturnsAfterFinThoughTheBuilderDoesNotHalfClose) {
  Offer();
  RunningCall running(table_, kDiffCopy, {{"dir-name", "context"}});
  FakeReceiver receiver(running.call());
  receiver.Run();
  EXPECT_TRUE(receiver.finished);
  EXPECT_TRUE(running.Finish().ok());
}

TEST_F(FileSyncService, FailsWhenTheReceiverReportsAnError) {
  Offer();
  RunningCall running(table_, kDiffCopy, {{"dir-name", "context"}});
  FakeReceiver(running.call()).Send(WirePacket::PACKET_ERR, 0, "disk full");
  EXPECT_EQ(running.Finish().message, "error from receiver: disk full");
}

TEST_F(FileSyncService, FailsWhenTheBuilderHalfClosesWithoutFin) {
  Offer();
  RunningCall running(table_, kDiffCopy, {{"dir-name", "context"}});
  running.call().HalfClose();
  EXPECT_FALSE(running.Finish().ok());
}

TEST_F(FileSyncService, StopsWhenCancelledWhileTheBuilderReadsNothing) {
  directory_.Write("large", std::string(8 << 20, 'x'));
  Offer();
  RunningCall running(table_, kDiffCopy, {{"dir-name", "context"}});
  FakeReceiver receiver(running.call());
  WirePacket packet;
  do {
    ASSERT_TRUE(receiver.Receive(packet));
  } while (packet.has_stat());
  receiver.Send(WirePacket::PACKET_REQ, 0);
  running.source().Request(Error(ErrorCode::kCancelled, "stop"));
  EXPECT_FALSE(running.Finish().ok());
}

TEST_F(FileSyncService, SurvivesRandomPackets) {
  for (int i = 0; i < 20; ++i)
    directory_.Write(Cat("d", i % 3, "/f", i), std::string(i * 1000, 'x'));
  Offer();
  std::mt19937 random(42);
  for (int round = 0; round < 300; ++round) {
    RunningCall running(table_, kDiffCopy, {{"dir-name", "context"}});
    FakeReceiver builder(running.call());
    for (int i = static_cast<int>(random() % 12); i > 0; --i) {
      auto type = static_cast<WirePacket::PacketType>(random() % 10 < 8 ? 1 : random() % 6);
      builder.Send(type, random() % 26, std::string(random() % 3, 'x'));
    }
    if (random() % 2 == 0) running.call().HalfClose();
    builder.Send(WirePacket::PACKET_FIN);
    (void)running.Finish();
    WirePacket packet;
    while (builder.Receive(packet)) {
    }
  }
}

}  // namespace
}  // namespace depot::session::file_sync_service_test
