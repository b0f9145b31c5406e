#include "driver/session/diffcopy_send.h"

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>

#include <fcntl.h>
#include <gtest/gtest.h>

#include "fake_receiver.h"
#include "temporary_directory.h"

namespace depot::session::diffcopy_send_test {
namespace {

/// A builder that asks for both of two files before the first of them is sent, and says FIN when it
/// has them. `before_write` runs on the sender's thread, in front of whatever it writes.
class PacedCall final : public rpc::ServerCall {
 public:
  explicit PacedCall(std::function<void()> before_write) : before_write_(std::move(before_write)) {}

  const rpc::Metadata& metadata() const override { return metadata_; }

  Result<std::optional<std::string>> Read(const Cancel& cancel) override {
    std::unique_lock lock(mutex_);
    ++reads_;
    changed_.notify_all();
    if (!cancel.Wait(lock, changed_, [&] { return !to_handler_.empty(); })) {
      return Fail(cancel.error());
    }
    std::string message = to_handler_.front().SerializeAsString();
    to_handler_.pop_front();
    return message;
  }

  Result<> Write(rpc::BytesList /*message*/, const Cancel& /*cancel*/) override {
    return Fail(ErrorCode::kInternal, "a transfer is written in frames");
  }

  Result<> WriteFramed(rpc::BytesList frames, const Cancel& cancel) override {
    before_write_();
    std::unique_lock lock(mutex_);
    for (const rpc::Bytes& bytes : frames)
      written_.append(bytes.view());
    constexpr std::size_t kPrefix = 5;
    while (written_.size() >= kPrefix) {
      std::size_t size = 0;
      for (const char byte : written_.substr(1, kPrefix - 1))
        size = size << 8 | static_cast<unsigned char>(byte);
      if (written_.size() < kPrefix + size) break;
      WirePacket packet;
      EXPECT_TRUE(packet.ParseFromString(written_.substr(kPrefix, size)));
      written_.erase(0, kPrefix + size);
      TRY(Take(packet, lock, cancel));
    }
    return {};
  }

  std::string contents[2];

 private:
  Result<> Take(const WirePacket& packet,
                std::unique_lock<std::mutex>& lock,
                const Cancel& cancel) {
    if (packet.type() == WirePacket::PACKET_STAT && !packet.has_stat()) {
      Send(WirePacket::PACKET_REQ, 0);
      Send(WirePacket::PACKET_REQ, 1);
      // Whoever reads for a third time has dealt with both.
      if (!cancel.Wait(lock, changed_, [&] { return reads_ == 3; })) return Fail(cancel.error());
    }
    if (packet.type() != WirePacket::PACKET_DATA) return {};
    contents[packet.id()] += packet.data();
    if (packet.data().empty() && ++ends_ == 2) Send(WirePacket::PACKET_FIN, 0);
    return {};
  }

  void Send(WirePacket::PacketType type, std::uint32_t id) {
    to_handler_.emplace_back();
    to_handler_.back().set_type(type);
    to_handler_.back().set_id(id);
    changed_.notify_all();
  }

  rpc::Metadata metadata_;
  std::function<void()> before_write_;
  std::mutex mutex_;
  std::condition_variable_any changed_;
  std::deque<WirePacket> to_handler_;
  std::string written_;
  int reads_ = 0;
  int ends_ = 0;
};

/// A directory's tree that counts what is opened, and what is not trusted any more.
class WatchedTree final : public files::FileTree {
 public:
  WatchedTree(std::unique_ptr<files::FileTree> tree, bool bound)
      : tree_(std::move(tree)), bound_(bound) {}

  Result<> Walk(const files::TreeFilter& filter,
                const Visitor& visit,
                const Cancel& cancel) const override {
    auto bind = [&](files::FileEntry entry) {
      entry.bound = bound_;
      return visit(std::move(entry));
    };
    return tree_->Walk(filter, bind, cancel);
  }
  Result<Fd> Open(const std::string& path) const override {
    ++opened;
    return tree_->Open(path);
  }
  void Distrust(const std::string& path) const override { distrusted.push_back(path); }

  mutable int opened = 0;
  mutable std::vector<std::string> distrusted;

 private:
  std::unique_ptr<files::FileTree> tree_;
  bool bound_;
};

/// A transfer of a file that leaves no room in the sender's block, and of one that is empty when it
/// is opened and grows before each write from then on: first between its opening and its first
/// byte, since the block has to go before.
class GrowingFile : public ::testing::Test {
 protected:
  static constexpr std::size_t kGrowth = 700'000;
  static constexpr std::size_t kMostGrowths = 50;

  Result<SentTree> Send(bool bound) {
    directory_.Write("a-first", std::string(510'000, 'x'));
    directory_.Write("b-grows", "");
    auto opened = files::OpenDirectoryTree(directory_.path());
    if (!opened) return Fail(opened.error());
    tree_ = std::make_unique<WatchedTree>(*std::move(opened), bound);
    return SendTree(call_, *tree_, {}, faults_, Cancel::Never());
  }

  void Grow() {
    if (tree_->opened < 2 || growths_ == kMostGrowths) return;
    ++growths_;
    const Fd file(open((directory_ / "b-grows").c_str(), O_WRONLY | O_APPEND | O_CLOEXEC));
    const std::string more(kGrowth, 'y');
    ASSERT_EQ(write(file.get(), more.data(), more.size()), static_cast<ssize_t>(more.size()));
  }

  TemporaryDirectory directory_;
  Faults faults_;
  std::unique_ptr<WatchedTree> tree_;
  PacedCall call_{[this] { Grow(); }};
  std::size_t growths_ = 0;
};

TEST_F(GrowingFile, ThatWasEmptyIsSentAsLargeAsItIsAtItsFirstByte) {
  const auto sent = Send(false);
  ASSERT_TRUE(sent) << sent.error().message();
  EXPECT_EQ(call_.contents[0].size(), 510'000u);
  EXPECT_EQ(call_.contents[1].size(), kGrowth);
  EXPECT_LT(growths_, kMostGrowths);
}

TEST_F(GrowingFile, ThatIsBoundToItsContentEndsTheTransferAndIsDistrusted) {
  const auto sent = Send(true);
  ASSERT_FALSE(sent);
  EXPECT_NE(sent.error().message().find("b-grows changed"), std::string::npos)
      << sent.error().message();
  EXPECT_EQ(tree_->distrusted, std::vector<std::string>{"b-grows"});
  EXPECT_LT(growths_, kMostGrowths);
}

}  // namespace
}  // namespace depot::session::diffcopy_send_test
