#include "driver/session/ssh_service.h"

#include <atomic>
#include <chrono>
#include <map>
#include <optional>
#include <utility>

#include "proto/session.pb.h"

#include "driver/base/shown.h"
#include "driver/base/text.h"
#include "driver/event/patience.h"
#include "driver/session/packets.h"
#include "driver/session/refusals.h"

namespace depot::session {
namespace {

constexpr int kMaxConversations = 32;
constexpr int kMaxSignatures = 10000;
constexpr std::chrono::seconds kCheckTime(10);
/// What BuildKit means by no id (BuildKit session/sshforward/ssh.go).
constexpr std::string_view kDefaultId = "default";

std::string SshName(std::string_view id) {
  return Cat("--ssh ", Printable(id));
}

Result<> CheckAgent(const SshOffer& offer, const Cancel& cancel) {
  TRY_ASSIGN(auto agent, DialSshAgent(offer.agent_socket, cancel));
  TRY_ASSIGN(const std::size_t count, CountIdentities(*agent, cancel));
  if (count > 0) return {};
  return Fail(Error(ErrorCode::kInvalid, "the ssh agent shows no keys: it has none, or is locked")
                  .WithHint("add one with ssh-add, or unlock it with ssh-add -X"));
}

}  // namespace

class SshAgents {
 public:
  SshAgents(std::vector<SshOffer> offers, EventSink& sink) : sink_(sink), refusals_(sink) {
    for (SshOffer& offer : offers) {
      std::string id = offer.id;
      offers_.insert_or_assign(std::move(id), std::move(offer));
    }
  }

  Result<const SshOffer*> Find(std::string_view asked) {
    const std::string id(asked.empty() ? kDefaultId : asked);
    auto found = offers_.find(id);
    if (found != offers_.end()) return &found->second;
    refusals_.Say(Cat("the builder asked for the ssh agent \"", id,
                      "\", which this build was not given (--ssh ", id, ")"));
    // BuildKit's own client says this, and people search for it.
    return Fail(ErrorCode::kNotFound, Cat("unset ssh forward key ", Printable(id)));
  }

  Result<> Converse(rpc::ServerCall& call, const Cancel& cancel) {
    const Seat seat(conversations_);
    if (!seat.taken()) {
      refusals_.Say("the builder opens too many conversations with the ssh agent");
      return Fail(ErrorCode::kDenied, "too many conversations with the ssh agent");
    }
    TRY_ASSIGN(const SshOffer* offer, Find(call.metadata().Get("buildkit.ssh.id").value_or("")));
    std::unique_ptr<SshAgent> agent = MakeSshAgent(offer->identities);
    if (!offer->agent_socket.empty()) {
      TRY_ASSIGN(agent, DialSshAgent(offer->agent_socket, cancel));
    }
    return Serve(*agent, *offer, call, cancel);
  }

 private:
  /// A place among the conversations.
  class Seat {
   public:
    explicit Seat(std::atomic<int>& count) : count_(count), taken_(++count <= kMaxConversations) {}
    ~Seat() { --count_; }
    Seat(const Seat&) = delete;
    Seat& operator=(const Seat&) = delete;
    bool taken() const { return taken_; }

   private:
    std::atomic<int>& count_;
    const bool taken_;
  };

  Result<> Serve(SshAgent& agent,
                 const SshOffer& offer,
                 rpc::ServerCall& call,
                 const Cancel& cancel) {
    SshMessages messages;
    while (true) {
      TRY_ASSIGN(std::optional<std::string> wire, call.Read(cancel));
      if (!wire) return {};
      TRY_ASSIGN(const std::string_view piece, ParseBytesMessage(*wire));
      messages.Add(piece);
      std::string request;
      while (true) {
        TRY_ASSIGN(const bool whole, messages.Take(request));
        if (!whole) break;
        TRY_ASSIGN(const std::string answer, Answer(agent, offer, request, cancel));
        rpc::Bytes frame(SshFrame(answer));
        TRY(call.WriteFramed({rpc::Bytes(BytesMessageHeader(frame.size())), frame}, cancel));
      }
    }
  }

  Result<std::string> Answer(SshAgent& agent,
                             const SshOffer& offer,
                             std::string_view request,
                             const Cancel& cancel) {
    if (IsSignRequest(request) && ++signatures_ > kMaxSignatures) {
      refusals_.Say("the builder asks for too many signatures of the ssh agent");
      return Fail(ErrorCode::kDenied, "too many signatures");
    }
    if (offer.agent_socket.empty()) return agent.Answer(request, cancel);
    // It may ask its user first.
    Patience patience(sink_, {Cat("the ssh agent at ", Printable(offer.agent_socket))}, cancel);
    return agent.Answer(request, patience.cancel());
  }

  EventSink& sink_;
  Refusals refusals_;
  std::map<std::string, SshOffer, std::less<>> offers_;
  std::atomic<int> conversations_{0};
  std::atomic<int> signatures_{0};
};

Result<> CheckSshAgents(const std::vector<SshOffer>& offers, const Cancel& cancel) {
  for (const SshOffer& offer : offers) {
    if (offer.agent_socket.empty()) continue;
    const std::string where = Printable(offer.agent_socket);
    const Cancel limited =
        cancel.WithTimeout(kCheckTime, Cat("the ssh agent at ", where, " does not answer"));
    Result<> checked = CheckAgent(offer, limited);
    if (checked) continue;
    Error error = std::move(checked).error().While(SshName(offer.id));
    if (!error.hint().empty() || cancel.cancelled()) return Fail(std::move(error));
    return Fail(std::move(error).WithHint(
        "is an ssh-agent running there? $SSH_AUTH_SOCK says where one is; a key needs none: "
        "ID=KEYFILE, or ID=env=VARIABLE"));
  }
  return {};
}

std::shared_ptr<SshAgents> MakeSshAgents(std::vector<SshOffer> offers, EventSink& sink) {
  return std::make_shared<SshAgents>(std::move(offers), sink);
}

void AddSsh(rpc::ServiceTable& table, const std::shared_ptr<SshAgents>& agents) {
  table.Add("/moby.sshforward.v1.SSH/CheckAgent",
            rpc::UnaryHandler([agents](const rpc::Metadata&, const std::string& request,
                                       std::string&, const Cancel&) -> rpc::Status {
              CheckAgentRequest asked;
              if (!asked.ParseFromString(request)) {
                return {rpc::Code::kInvalidArgument, "malformed request", ""};
              }
              auto found = agents->Find(asked.id());
              return found ? rpc::Status{} : rpc::ToStatus(found.error());
            }));
  table.Add("/moby.sshforward.v1.SSH/ForwardAgent",
            [agents](rpc::ServerCall& call, const Cancel& cancel) -> rpc::Status {
              Result<> ended = agents->Converse(call, cancel);
              return ended ? rpc::Status{} : rpc::ToStatus(ended.error());
            });
}

}  // namespace depot::session
