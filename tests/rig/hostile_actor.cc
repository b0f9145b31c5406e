#include <iostream>
#include <map>
#include <mutex>

#include "proto/control.pb.h"
#include "proto/fsutil.pb.h"
#include "proto/session.pb.h"

#include "driver/rpc/server.h"
#include "tests/rig/hostile_script.h"

namespace depot::hostile {
namespace {

namespace control = moby::buildkit::v1;
using fsutil::types::Packet;

/// The bits of Go's os.FileMode that tell what is not a regular file.
constexpr std::uint32_t kGoTypeBits = 0x8F280000;
constexpr std::size_t kPiece = 1 << 20;

void Print(const Script& line) {
  static std::mutex mutex;
  std::lock_guard lock(mutex);
  std::cout << line.dump(-1, ' ', true, Script::error_handler_t::replace) << std::endl;
}

/// Makes the requests of the script to one client. Each function is named after its "do".
class Actor {
 public:
  Actor(rpc::Channel& client, const Cancel& cancel) : client_(client), cancel_(cancel) {}

  void Do(const Script& action) {
    using Function = void (Actor::*)(const Script&, Script&);
    static const std::map<std::string, Function> kFunctions = {
        {"sync", &Actor::Sync},
        {"secret", &Actor::GetSecret},
        {"credentials", &Actor::Credentials},
        {"token", &Actor::Token},
        {"call", &Actor::Call},
        {"export", &Actor::Export},
        {"stream", &Actor::Stream},
        {"garbage", &Actor::Garbage},
    };
    Script answer = {{"do", action.at("do")}};
    (this->*kFunctions.at(Text(action, "do")))(action, answer);
    Print(answer);
  }

 private:
  /// {"dir", "follow", "include", "exclude", "ids"}: fetches all files, or those with these ids.
  void Sync(const Script& action, Script& answer) {
    rpc::Metadata metadata = {{"dir-name", Text(action, "dir")}};
    for (const auto& [key, name] : {std::pair{"follow", "followpaths"},
                                    {"include", "include-patterns"},
                                    {"exclude", "exclude-patterns"}}) {
      for (const Script& value : List(action, key))
        metadata.Add(name, value);
    }
    auto call = client_.Start("/moby.filesync.v1.FileSync/diffcopy", metadata);
    std::map<std::uint32_t, std::string> wanted;
    answer["entries"] = Script::object();
    std::uint32_t next = 0;
    Packet packet;
    while (Receive(*call, packet, answer)) {
      if (packet.type() == Packet::PACKET_FIN) break;
      if (packet.type() == Packet::PACKET_DATA) {
        TakeData(*call, packet, wanted, answer);
      } else if (packet.has_stat()) {
        answer["entries"][packet.stat().path()] = packet.stat().linkname();
        if ((packet.stat().mode() & kGoTypeBits) == 0 && packet.stat().linkname().empty()) {
          wanted[next] = packet.stat().path();
        }
        ++next;
      } else {
        if (action.contains("ids")) wanted.clear();
        for (const Script& id : List(action, "ids"))
          wanted[id] = "id";
        for (const auto& [id, path] : wanted)
          SendPacket(*call, Packet::PACKET_REQ, id, "");
        if (wanted.empty()) SendPacket(*call, Packet::PACKET_FIN, 0, "");
      }
    }
    End(*call, answer);
  }

  void TakeData(rpc::ClientCall& call,
                const Packet& packet,
                std::map<std::uint32_t, std::string>& wanted,
                Script& answer) {
    Script& content = answer["entries"][wanted[packet.id()]];
    content = content.get<std::string>() + packet.data();
    if (!packet.data().empty()) return;
    wanted.erase(packet.id());
    if (wanted.empty()) SendPacket(call, Packet::PACKET_FIN, 0, "");
  }

  void GetSecret(const Script& action, Script& answer) {
    depot::session::GetSecretRequest request;
    depot::session::GetSecretResponse response;
    request.set_id(Text(action, "id"));
    Unary("/moby.buildkit.secrets.v1.Secrets/getsecret", request, response, answer);
    answer["data"] = response.data();
  }

  void Credentials(const Script& action, Script& answer) {
    depot::session::CredentialsRequest request;
    depot::session::CredentialsResponse response;
    request.set_host(Text(action, "host"));
    Unary("/moby.filesync.v1.Auth/credentials", request, response, answer);
    answer["username"] = response.username();
    answer["secret"] = response.secret();
  }

  /// {"host", "realm", "service", "scopes"}
  void Token(const Script& action, Script& answer) {
    depot::session::FetchTokenRequest request;
    depot::session::FetchTokenResponse response;
    request.set_client_id("buildkit-client");
    request.set_host(Text(action, "host"));
    request.set_realm(Text(action, "realm"));
    request.set_service(Text(action, "service"));
    for (const Script& scope : List(action, "scopes"))
      request.add_scopes(scope);
    Unary("/moby.filesync.v1.Auth/fetchtoken", request, response, answer);
    answer["token"] = response.token();
  }

  /// {"method", "bytes"}: a request of that many zero bytes.
  void Call(const Script& action, Script& answer) {
    std::string response;
    rpc::Status status = client_.Unary(
        Text(action, "method"), {}, std::string(action.value("bytes", 0), '\0'), response, cancel_);
    Tell(status, answer);
  }

  /// {"method", "metadata", "text"}: a stream of one message.
  void Garbage(const Script& action, Script& answer) {
    rpc::Metadata metadata;
    const Script values = Members(action, "metadata");
    for (const auto& [key, value] : values.items()) {
      metadata.Add(key, value);
    }
    auto call = client_.Start(Text(action, "method"), metadata);
    (void)call->Write(Message(Text(action, "text")), cancel_);
    call->CloseWrites();
    while (auto message = call->Read(cancel_)) {
      if (!*message) break;
    }
    End(*call, answer);
  }

  /// {"id", "entries": [{"path", "mode", "link", "content", "size"}], "unasked": [ID...]}: sends a
  /// directory. Contents follow when the client asks, those of "unasked" anyway.
  void Export(const Script& action, Script& answer) {
    auto call = client_.Start("/moby.filesync.v1.FileSend/diffcopy",
                              {{"buildkit-attachable-exporter-id", Text(action, "id")}});
    for (const Script& entry : List(action, "entries")) {
      Packet packet;
      packet.set_type(Packet::PACKET_STAT);
      auto* stat = packet.mutable_stat();
      stat->set_path(Text(entry, "path"));
      stat->set_mode(entry.value("mode", std::uint32_t{0644}));
      stat->set_linkname(Text(entry, "link"));
      stat->set_size(entry.value("size", std::int64_t(Text(entry, "content").size())));
      const Script xattrs = Members(entry, "xattrs");
      for (const auto& [key, value] : xattrs.items()) {
        (*stat->mutable_xattrs())[key] = value;
      }
      if (!call->Write(Message(packet.SerializeAsString()), cancel_)) break;
    }
    SendPacket(*call, Packet::PACKET_STAT, 0, "");
    for (const Script& id : List(action, "unasked"))
      SendPacket(*call, Packet::PACKET_DATA, id, "x");
    Packet packet;
    while (Receive(*call, packet, answer)) {
      if (packet.type() == Packet::PACKET_FIN) break;
      if (packet.type() != Packet::PACKET_REQ) continue;
      SendFile(*call, packet.id(), List(action, "entries").at(packet.id()));
    }
    SendPacket(*call, Packet::PACKET_FIN, 0, "");
    End(*call, answer);
  }

  void SendFile(rpc::ClientCall& call, std::uint32_t id, const Script& entry) {
    std::string content = Text(entry, "content");
    if (!content.empty()) SendPacket(call, Packet::PACKET_DATA, id, content);
    for (std::size_t sent = 0; sent < entry.value("zeros", std::size_t{0}); sent += kPiece) {
      SendPacket(call, Packet::PACKET_DATA, id, std::string(kPiece, '\0'));
    }
    if (!entry.value("cut", false)) SendPacket(call, Packet::PACKET_DATA, id, "");
  }

  /// {"id", "text", "zeros", "cut"}: sends an archive; "cut" breaks it off instead of ending it.
  void Stream(const Script& action, Script& answer) {
    auto call = client_.Start("/moby.filesync.v1.FileSend/diffcopy",
                              {{"buildkit-attachable-exporter-id", Text(action, "id")}});
    control::BytesMessage bytes;
    bytes.set_data(Text(action, "text"));
    (void)call->Write(Message(bytes.SerializeAsString()), cancel_);
    bytes.set_data(std::string(kPiece, '\0'));
    for (std::size_t sent = 0; sent < action.value("zeros", std::size_t{0}); sent += kPiece) {
      if (!call->Write(Message(bytes.SerializeAsString()), cancel_)) break;
    }
    if (action.value("cut", false)) {
      call->Abort();
    } else {
      call->CloseWrites();
    }
    End(*call, answer);
  }

  bool Receive(rpc::ClientCall& call, Packet& packet, Script& answer) {
    auto message = call.Read(cancel_);
    if (!message || !*message || !packet.ParseFromString(**message)) return false;
    if (packet.type() == Packet::PACKET_ERR) answer["told"] = packet.data();
    return true;
  }

  void SendPacket(rpc::ClientCall& call,
                  Packet::PacketType type,
                  std::uint32_t id,
                  std::string data) {
    Packet packet;
    packet.set_type(type);
    packet.set_id(id);
    packet.set_data(std::move(data));
    (void)call.Write(Message(packet.SerializeAsString()), cancel_);
  }

  void End(rpc::ClientCall& call, Script& answer) {
    call.CloseWrites();
    Tell(call.Finish(cancel_.WithTimeout(std::chrono::seconds(20), "the client's answer")), answer);
  }

  static void Tell(const rpc::Status& status, Script& answer) {
    answer["code"] = static_cast<int>(status.code);
    answer["message"] = status.message;
  }

  template <typename Request, typename Response>
  void Unary(const std::string& method,
             const Request& request,
             Response& response,
             Script& answer) {
    std::string bytes;
    Tell(client_.Unary(method, {}, request.SerializeAsString(), bytes, cancel_), answer);
    response.ParseFromString(bytes);
  }

  rpc::Channel& client_;
  const Cancel& cancel_;
};

}  // namespace

void Act(rpc::Channel& client, const Script& action, const Cancel& cancel) {
  Actor(client, cancel).Do(action);
}

}  // namespace depot::hostile
