// The services behind the real HTTP/2 engine, with our own client in the builder's place.
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "recording_sink.h"
#include "temporary_directory.h"

#include "driver/base/task_group.h"
#include "driver/base/text.h"
#include "driver/rpc/channel.h"
#include "driver/session/packets.h"
#include "driver/session/services.h"

namespace depot::session::engine_test {
namespace {

/// Serves a table over one end of a socket pair; `channel` is the builder's end.
class SessionOverASocket : public ::testing::Test {
 protected:
  void Serve() {
    int ends[2];
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    auto ours =
        std::make_shared<std::unique_ptr<rpc::ByteStream>>(rpc::MakeSocketStream(Fd(ends[0])));
    channel_ = rpc::MakeChannel(rpc::MakeSocketStream(Fd(ends[1])), "localhost");
    server_.Start("server", [this, ours](const Cancel& cancel) {
      return rpc::Serve(std::move(*ours), table_, cancel);
    });
  }

  void Send(rpc::ClientCall& call, const std::string& framed) {
    ASSERT_TRUE(call.Write({rpc::Bytes(framed.substr(5))}, Cancel::Never()));
  }

  /// Requests every file and collects the contents by path, up to the sender's FIN.
  std::map<std::string, std::string> ReceiveAll(rpc::ClientCall& call) {
    std::map<std::string, std::string> contents;
    std::vector<std::string> paths;
    std::size_t open = 0;
    bool listed = false;
    while (true) {
      Result<std::optional<std::string>> message = call.Read(Cancel::Never());
      if (!message || !*message) return contents;
      Packet packet = *ParsePacket(**message);
      std::string answer;
      if (packet.stat) {
        files::FileEntry entry = *ParseStat(*packet.stat);
        if (S_ISREG(entry.mode)) {
          AppendRequest(answer, static_cast<std::uint32_t>(paths.size()));
          ++open;
        }
        paths.push_back(entry.path);
      } else if (packet.type == PacketType::kData) {
        contents[paths.at(packet.id)].append(packet.data);
        if (packet.data.empty()) --open;
      } else if (packet.type == PacketType::kFin) {
        return contents;
      } else {
        listed = true;
      }
      if (listed && open == 0) AppendFin(answer);
      if (!answer.empty()) Send(call, answer);
    }
  }

  TemporaryDirectory directory_;
  Faults faults_;
  RecordingSink sink_;
  rpc::ServiceTable table_;
  std::unique_ptr<rpc::Channel> channel_;
  TaskGroup server_{Cancel::Never()};
};

TEST_F(SessionOverASocket, SendsAContext) {
  std::string large(20'000'000, 'x');
  for (std::size_t i = 0; i < large.size(); i += 4096)
    large[i] = static_cast<char>(i >> 12);
  directory_.Write("large", large);
  for (int i = 0; i < 300; ++i)
    directory_.Write(Cat("dir/", i), Cat("content ", i));
  std::map<std::string, std::unique_ptr<files::FileTree>> trees;
  trees["context"] = *files::OpenDirectoryTree(directory_.path());
  AddFileSync(table_, trees, faults_, sink_);
  AddHealth(table_);
  Serve();
  std::unique_ptr<rpc::ClientCall> call =
      channel_->Start("/moby.filesync.v1.FileSync/diffcopy", {{"dir-name", "context"}});
  std::map<std::string, std::string> contents = ReceiveAll(*call);
  EXPECT_TRUE(call->Finish(Cancel::Never()).ok());
  ASSERT_EQ(contents.size(), 301U);
  EXPECT_TRUE(contents["large"] == large);
  EXPECT_EQ(contents["dir/123"], "content 123");
  std::string response;
  EXPECT_TRUE(
      channel_->Unary("/grpc.health.v1.Health/Check", {}, "", response, Cancel::Never()).ok());
  channel_->Close(Error(ErrorCode::kCancelled, "done"));
  (void)server_.Wait();
}

TEST_F(SessionOverASocket, StopsSendingWhenTheBuilderCancels) {
  directory_.Write("large", std::string(20'000'000, 'x'));
  std::map<std::string, std::unique_ptr<files::FileTree>> trees;
  trees["context"] = *files::OpenDirectoryTree(directory_.path());
  AddFileSync(table_, trees, faults_, sink_);
  Serve();
  {
    std::unique_ptr<rpc::ClientCall> call =
        channel_->Start("/moby.filesync.v1.FileSync/DiffCopy", {{"dir-name", "context"}});
    ASSERT_TRUE(call->Read(Cancel::Never()));
    std::string request;
    AppendRequest(request, 0);
    Send(*call, request);
    call->Abort();
  }
  channel_->Close(Error(ErrorCode::kCancelled, "done"));
  // Joins the handler: it hangs here when the handler does not notice.
  (void)server_.Wait();
}

TEST_F(SessionOverASocket, ReceivesATree) {
  std::map<int, ExportTarget> targets;
  targets.emplace(0, DirectoryTarget{directory_ / "out"});
  AddFileSend(table_, targets, faults_, sink_);
  Serve();
  std::unique_ptr<rpc::ClientCall> call = channel_->Start(
      "/moby.filesync.v1.FileSend/diffcopy", {{"buildkit-attachable-exporter-id", "0"}});
  std::string stat;
  files::FileEntry entry;
  entry.path = "file";
  entry.mode = S_IFREG | 0644;
  AppendStat(stat, entry);
  Send(*call, stat);
  Send(*call, std::string(5, '\0'));
  Result<std::optional<std::string>> request = call->Read(Cancel::Never());
  ASSERT_TRUE(request && *request);
  EXPECT_EQ(ParsePacket(**request)->type, PacketType::kRequest);
  char header[kMaxDataHeader];
  Send(*call, std::string(header, WriteDataHeader(header, 0, 4)) + "text");
  Send(*call, std::string(header, WriteDataHeader(header, 0, 0)));
  Result<std::optional<std::string>> fin = call->Read(Cancel::Never());
  ASSERT_TRUE(fin && *fin);
  EXPECT_EQ(ParsePacket(**fin)->type, PacketType::kFin);
  call->CloseWrites();
  EXPECT_TRUE(call->Finish(Cancel::Never()).ok());
  EXPECT_EQ(directory_.Read("out/file"), "text");
  channel_->Close(Error(ErrorCode::kCancelled, "done"));
  (void)server_.Wait();
}

}  // namespace
}  // namespace depot::session::engine_test
