// A builder that misbehaves as a script says, for what no real daemon can be made to do.
//
//   hostile_builder SOCKET SCRIPT
//
// It listens on the unix socket and speaks BuildKit's control API, the gateway and the session
// tunnel well enough for a client, docker buildx too, to believe in it. Every request that it makes
// to the client is answered with one line of JSON on stdout: what was asked, the gRPC code, the
// message, and what came. SCRIPT is a JSON object, all members optional:
//
//   "frontend": [ACTION...]   done while the frontend runs
//   "export":   [ACTION...]   done while the exporters run
//   "status":   [RESPONSE...] what Control.Status tells, see Response() below; one may have a
//                             number "repeat"
//   "response": {KEY: VALUE}  the exporter's response
//   "metadata": {KEY: VALUE}  what the frontend's result says
//   "error":    TEXT          how Control.Solve fails
//   "session":  TEXT          what the tunnel carries instead of HTTP/2
//   "silent":   true          Control.Solve and the gateway never answer
//   "waits":    true          Control.Solve never answers once the exporters have run
//
// An ACTION is {"do": NAME, ...}: see hostile_actor.cc. With "layout": NAME its call is about the
// content of the build context NAME, an image layout.

#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iostream>
#include <iterator>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "proto/control.pb.h"
#include "proto/gateway.pb.h"

#include "driver/base/encode.h"
#include "driver/base/task_group.h"
#include "driver/rpc/server.h"
#include "tests/rig/hostile_script.h"

namespace depot::hostile {
namespace {

namespace control = moby::buildkit::v1;

constexpr std::chrono::milliseconds kPoll(10);

/// The session's inner connection, seen from the builder: it is the HTTP/2 client there.
class Tunnel final : public rpc::ByteStream {
 public:
  explicit Tunnel(rpc::ServerCall& call) : call_(call) {}

  Result<std::size_t> Read(char* into, std::size_t capacity, const Cancel& cancel) override {
    while (rest_.empty()) {
      TRY_ASSIGN(std::optional<std::string> message, call_.Read(cancel));
      if (!message) return std::size_t{0};
      control::BytesMessage bytes;
      if (!bytes.ParseFromString(*message)) return Fail(ErrorCode::kInvalid, "tunnel message");
      rest_ = bytes.data();
    }
    std::size_t size = std::min(capacity, rest_.size());
    std::memcpy(into, rest_.data(), size);
    rest_.erase(0, size);
    return size;
  }

  Result<> Write(const rpc::BytesList& pieces, const Cancel& cancel) override {
    control::BytesMessage bytes;
    for (const rpc::Bytes& piece : pieces)
      bytes.mutable_data()->append(piece.view());
    return call_.Write(Message(bytes.SerializeAsString()), cancel);
  }

  void Close() override {}

 private:
  rpc::ServerCall& call_;
  std::string rest_;
};

/// A time of `from`: seconds, or [seconds, nanoseconds].
control::Timestamp Time(const Script& from, const char* key, std::int64_t otherwise) {
  const Script value = from.value(key, Script(otherwise));
  control::Timestamp time;
  time.set_seconds((value.is_array() ? value.at(0) : value).get<std::int64_t>());
  if (value.is_array()) time.set_nanos(value.at(1).get<std::int32_t>());
  return time;
}

constexpr std::int64_t kBegin = 1700000000;
constexpr std::int64_t kEnd = 1700000001;

/// {"digest", "name", "error", "done", "started", "completed", "cached", "inputs", "group"}
void AddVertex(const Script& from, std::size_t pad, control::StatusResponse& response) {
  control::Vertex& vertex = *response.add_vertexes();
  vertex.set_digest(Text(from, "digest"));
  vertex.set_name(Text(from, "name") + std::string(pad, 'x'));
  vertex.set_error(Text(from, "error"));
  vertex.set_cached(from.value("cached", false));
  *vertex.mutable_started() = Time(from, "started", kBegin);
  if (from.value("done", true)) *vertex.mutable_completed() = Time(from, "completed", kEnd);
  for (const Script& input : List(from, "inputs"))
    vertex.add_inputs(input.get<std::string>());
  const Script group = Members(from, "group");
  if (group.empty()) return;
  vertex.mutable_progress_group()->set_id(Text(group, "id"));
  vertex.mutable_progress_group()->set_name(Text(group, "name"));
  vertex.mutable_progress_group()->set_weak(group.value("weak", false));
}

/// {"vertex", "id", "name", "total", "current", "started", "completed", "timestamp"}
void AddStatus(const Script& from, control::StatusResponse& response) {
  control::VertexStatus& status = *response.add_statuses();
  status.set_vertex(Text(from, "vertex"));
  status.set_id(Text(from, "id"));
  status.set_name(Text(from, "name"));
  status.set_total(from.value("total", std::int64_t{0}));
  status.set_current(from.value("current", std::int64_t{0}));
  *status.mutable_completed() = Time(from, "completed", kEnd);
  if (from.contains("started")) *status.mutable_started() = Time(from, "started", kBegin);
  if (from.contains("timestamp")) *status.mutable_timestamp() = Time(from, "timestamp", kBegin);
}

/// {"vertex", "text", "base64", "stream", "timestamp"}
void AddLog(const Script& from, control::StatusResponse& response) {
  control::VertexLog& log = *response.add_logs();
  log.set_vertex(Text(from, "vertex"));
  log.set_stream(from.value("stream", std::int64_t{1}));
  log.set_msg(Text(from, "text") + FromBase64(Text(from, "base64")).value_or(""));
  *log.mutable_timestamp() = Time(from, "timestamp", kBegin);
}

/// {"vertex", "text", "url", "level", "filename", "source", "language",
/// "range": [LINE, CHARACTER, LINE, CHARACTER]}
void AddWarning(const Script& from, control::StatusResponse& response) {
  control::VertexWarning& warning = *response.add_warnings();
  warning.set_vertex(Text(from, "vertex"));
  warning.set_level(from.value("level", std::int64_t{0}));
  warning.set_short_text(Text(from, "text"));
  warning.add_detail(Text(from, "text"));
  warning.set_url(Text(from, "url"));
  if (from.contains("filename")) {
    warning.mutable_info()->set_filename(Text(from, "filename"));
    warning.mutable_info()->set_data(Text(from, "source"));
    warning.mutable_info()->set_language(Text(from, "language"));
  }
  const Script range = List(from, "range");
  if (range.empty()) return;
  control::Range& place = *warning.add_ranges();
  place.mutable_start()->set_line(range.at(0).get<std::int32_t>());
  place.mutable_start()->set_character(range.at(1).get<std::int32_t>());
  place.mutable_end()->set_line(range.at(2).get<std::int32_t>());
  place.mutable_end()->set_character(range.at(3).get<std::int32_t>());
}

/// {"from", "count", "done"}: that many steps without words, numbered.
void AddSteps(const Script& from, control::StatusResponse& response) {
  const int first = from.value("from", 0);
  const int end = first + from.value("count", 0);
  const bool done = from.value("done", true);
  for (int number = first; number < end; ++number) {
    control::Vertex& vertex = *response.add_vertexes();
    vertex.set_digest("sha256:" + std::to_string(number));
    vertex.set_name("RUN step " + std::to_string(number));
    vertex.mutable_started()->set_seconds(kBegin);
    if (done) vertex.mutable_completed()->set_seconds(kEnd);
  }
}

/// {"vertexes": [...], "statuses": [...], "logs": [...], "warnings": [...], "steps": {...}}; "pad"
/// lengthens the vertices' names.
std::string Response(const Script& script) {
  control::StatusResponse response;
  for (const Script& from : List(script, "vertexes"))
    AddVertex(from, script.value("pad", std::size_t{0}), response);
  AddSteps(Members(script, "steps"), response);
  for (const Script& from : List(script, "statuses"))
    AddStatus(from, response);
  for (const Script& from : List(script, "logs"))
    AddLog(from, response);
  for (const Script& from : List(script, "warnings"))
    AddWarning(from, response);
  return response.SerializeAsString();
}

/// What the gateway can do (BuildKit frontend/gateway/pb/caps.go), as docker buildx wants to know:
/// field 1 of PongResponse, which is not in our own messages.
std::string Pong() {
  constexpr char kFirstField = 0x0a;
  std::string pong;
  for (const char* id :
       {"solve.base", "return", "returnmap", "proto.refarray", "gateway.solve.evaluate"}) {
    control::frontend::ApiCap capability;
    capability.set_id(id);
    capability.set_enabled(true);
    const std::string bytes = capability.SerializeAsString();
    pong += kFirstField;
    pong += static_cast<char>(bytes.size());
    pong += bytes;
  }
  return pong;
}

/// One solve of a client: docker buildx makes one that builds nothing before the real one.
struct Solving {
  CancelSource returned;  ///< the frontend has
  CancelSource begun;     ///< Control.Solve was called
  CancelSource ended;
  std::atomic<bool> internal{false};  ///< builds nothing
};

/// One client's connection, from ListWorkers to the end of the build.
class Build {
 public:
  explicit Build(const Script& script) : script_(script) {
    AddUnary("Control/ListWorkers", [](const Call&) { return Workers(); });
    AddUnary("Control/Solve", [this](const Call& call) { return Solve(call); });
    AddUnary("frontend.LLBBridge/Ping", [](const Call&) { return Reply({}, Pong()); });
    AddUnary("frontend.LLBBridge/Solve", [this](const Call& call) {
      (void)asked_.ParseFromString(call.request);
      return Frontend(call.cancel);
    });
    AddUnary("frontend.LLBBridge/Return", [this](const Call& call) {
      const std::string ref = call.metadata.Get("buildkit-controlapi-buildid").value_or("");
      Of(ref).returned.Request(Error(ErrorCode::kCancelled, "the frontend has returned"));
      return Reply();
    });
    table_.Add(
        "/moby.buildkit.v1.Control/Status",
        [this](rpc::ServerCall& call, const Cancel& cancel) { return Status(call, cancel); });
    table_.Add(
        "/moby.buildkit.v1.Control/Session",
        [this](rpc::ServerCall& call, const Cancel& cancel) { return Session(call, cancel); });
  }

  const rpc::ServiceTable& table() const { return table_; }

 private:
  using Reply = std::pair<rpc::Status, std::string>;

  struct Call {
    const rpc::Metadata& metadata;
    const std::string& request;
    const Cancel& cancel;
  };

  void AddUnary(const std::string& name, std::function<Reply(const Call&)> function) {
    table_.Add("/moby.buildkit.v1." + name,
               rpc::UnaryHandler([function = std::move(function)](
                                     const rpc::Metadata& metadata, const std::string& request,
                                     std::string& response, const Cancel& cancel) {
                 Reply reply = function({metadata, request, cancel});
                 response = std::move(reply.second);
                 return reply.first;
               }));
  }

  /// The solve of this ref, from the first word about it on.
  Solving& Of(const std::string& ref) {
    std::lock_guard lock(mutex_);
    std::unique_ptr<Solving>& solving = solvings_[ref];
    if (!solving) solving = std::make_unique<Solving>();
    return *solving;
  }

  static Reply Workers() {
    control::ListWorkersResponse workers;
    control::WorkerRecord& worker = *workers.add_record();
    worker.set_id("hostile");
    worker.add_platforms()->set_architecture("amd64");
    worker.mutable_platforms(0)->set_os("linux");
    return {{}, workers.SerializeAsString()};
  }

  Reply Solve(const Call& call) {
    const Cancel& cancel = call.cancel;
    control::SolveRequest request;
    request.ParseFromString(call.request);
    Solving& solving = Of(request.ref());
    solving.internal = request.internal();
    solving.begun.Request(Error(ErrorCode::kCancelled, "the build has begun"));
    while (!solving.returned.cancel().cancelled() && cancel.SleepFor(kPoll)) {
    }
    if (!solving.internal) Act("export", cancel);
    while (script_.value("waits", false) && cancel.SleepFor(kPoll)) {
    }
    solving.ended.Request(Error(ErrorCode::kCancelled, "the build has ended"));
    if (solving.internal) return {};
    if (script_.contains("error")) return {{rpc::Code::kUnknown, Text(script_, "error"), ""}, ""};
    control::SolveResponse response;
    const Script values = Members(script_, "response");
    for (const auto& [key, value] : values.items()) {
      (*response.mutable_exporter_response())[key] = value;
    }
    return {{}, response.SerializeAsString()};
  }

  Reply Frontend(const Cancel& cancel) {
    while (script_.value("silent", false) && cancel.SleepFor(kPoll)) {
    }
    Act("frontend", cancel);
    control::frontend::GatewayResult result;
    const Script values = Members(script_, "metadata");
    for (const auto& [key, value] : values.items())
      (*result.mutable_metadata())[key] = value.get<std::string>();
    control::frontend::SolveResponse response;
    response.set_result(result.SerializeAsString());
    return {{}, response.SerializeAsString()};
  }

  void Act(const char* when, const Cancel& cancel) {
    if (List(script_, when).empty()) return;
    std::shared_ptr<rpc::Channel> client;
    while (!client && cancel.SleepFor(kPoll)) {
      std::lock_guard lock(mutex_);
      if (session_over_) return;
      client = client_;
    }
    for (Script action : List(script_, when)) {
      const std::string layout = Text(action, "layout");
      if (!layout.empty()) action["metadata"]["buildkit-attachable-store-id"] = StoreOf(layout);
      if (!cancel.cancelled()) hostile::Act(*client, action, cancel);
    }
  }

  /// The name of the store of a build context that is an image layout: oci-layout://ID:TAG@DIGEST.
  std::string StoreOf(const std::string& context) const {
    constexpr std::size_t kScheme = sizeof "oci-layout://" - 1;
    const auto found = asked_.frontend_opt().find("context:" + context);
    if (found == asked_.frontend_opt().end() || found->second.size() < kScheme) return "";
    const std::string rest = found->second.substr(kScheme);
    return "oci:" + rest.substr(0, rest.find(':'));
  }

  rpc::Status Status(rpc::ServerCall& call, const Cancel& cancel) {
    Result<std::optional<std::string>> message = call.Read(cancel);
    control::StatusRequest request;
    if (!message || !*message || !request.ParseFromString(**message)) return {};
    Solving& solving = Of(request.ref());
    while (!solving.begun.cancel().cancelled() && cancel.SleepFor(kPoll)) {
    }
    for (const Script& response : solving.internal ? Script() : List(script_, "status")) {
      for (int left = response.value("repeat", 1); left > 0; --left) {
        if (!call.Write(Message(Response(response)), cancel)) return {};
      }
    }
    while (!solving.ended.cancel().cancelled() && cancel.SleepFor(kPoll)) {
    }
    return {};
  }

  rpc::Status Session(rpc::ServerCall& call, const Cancel& cancel) {
    if (script_.contains("session")) {
      control::BytesMessage bytes;
      bytes.set_data(Text(script_, "session"));
      (void)call.Write(Message(bytes.SerializeAsString()), cancel);
    } else {
      std::lock_guard lock(mutex_);
      client_ = rpc::MakeChannel(std::make_unique<Tunnel>(call), "localhost");
      session_over_ = false;
    }
    while ((!client_ || client_->Alive()) && cancel.SleepFor(kPoll)) {
    }
    EndClient();
    return {};
  }

  /// The client's threads work on the call of the session, so they end before it does.
  void EndClient() {
    std::shared_ptr<rpc::Channel> last;
    while (!last) {
      std::unique_lock lock(mutex_);
      session_over_ = true;
      if (!client_) return;
      client_->Close(Error(ErrorCode::kCancelled, "the session has ended"));
      if (client_.use_count() == 1) last = std::move(client_);
      lock.unlock();
      // Whoever still makes a call on it hears of the end now.
      if (!last) (void)Cancel::Never().SleepFor(kPoll);
    }
  }

  const Script& script_;
  rpc::ServiceTable table_;
  control::frontend::SolveRequest asked_;  // of the frontend; written before its actions
  std::mutex mutex_;
  std::map<std::string, std::unique_ptr<Solving>> solvings_;  // by ref; guarded by mutex_
  std::shared_ptr<rpc::Channel> client_;                      // guarded by mutex_ but in Session()
  bool session_over_ = false;                                 // guarded by mutex_
};

}  // namespace

/// Serves until it is killed; returns only when it cannot listen.
int Main(const char* path, const char* script_path) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  std::signal(SIGPIPE, SIG_IGN);
  std::ifstream file(script_path);
  Script script = Script::parse(std::string(std::istreambuf_iterator<char>(file), {}));
  int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, path, sizeof address.sun_path - 1);
  if (bind(listener, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 ||
      listen(listener, 16) != 0) {
    std::cerr << path << ": " << std::strerror(errno) << std::endl;
    return 1;
  }
  std::cout << path << std::endl;
  TaskGroup tasks(Cancel::Never());
  while (true) {
    Fd socket(accept4(listener, nullptr, nullptr, SOCK_CLOEXEC));
    if (!socket.valid()) continue;
    tasks.Start("client", [&script, fd = socket.Release()](const Cancel& cancel) -> Result<> {
      Build build(script);
      (void)rpc::Serve(rpc::MakeSocketStream(Fd(fd)), build.table(), cancel);
      return {};
    });
  }
}

}  // namespace depot::hostile

int main(int argc, char** argv) {
  if (argc == 3) return depot::hostile::Main(argv[1], argv[2]);
  std::cerr << "usage: hostile_builder SOCKET SCRIPT" << std::endl;
  return 1;
}
