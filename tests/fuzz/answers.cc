// What builders, registries, Engines and files say in JSON, and what becomes of it on a screen. The
// first byte says who speaks: c a frontend that was called, e a builder whose solve failed, t a
// token server, m an Engine, p the file of a source policy. Parts are divided by zero bytes.

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "proto/control.pb.h"
#include "proto/gateway.pb.h"

#include "driver/base/text.h"
#include "driver/docker/message_stream.h"
#include "driver/event/sink.h"
#include "driver/http/client.h"
#include "driver/http/url.h"
#include "driver/registry/token.h"
#include "driver/rpc/status.h"
#include "driver/solve/solve_error.h"
#include "driver/solve/source_policy.h"
#include "plugin/deliver/call_answer.h"
#include "tests/fuzz/pieces.h"

namespace {

using depot::fuzz::Expect;
using Parts = std::vector<std::string_view>;

constexpr std::string_view kSecret = "hunter2-s3cr3t";

bool IsPrintable(std::string_view text) {
  for (const char c : text)
    if (static_cast<unsigned char>(c) < 0x20 && c != '\t') return false;
  return true;
}

bool AreLines(std::string_view text) {
  for (const std::string_view line : depot::Split(text, '\n'))
    if (!IsPrintable(line)) return false;
  return text.empty() || text.ends_with('\n');
}

void CheckError(const depot::Error& error) {
  Expect(IsPrintable(error.message()) && IsPrintable(error.hint()));
  Expect(IsPrintable(error.original()) && AreLines(error.excerpt()));
}

std::string PartOf(const Parts& parts, std::size_t index) {
  return std::string(index < parts.size() ? parts[index] : "");
}

/// METHOD, JSON, TEXT, STATUS.
void Call(const Parts& parts) {
  const std::map<std::string, std::string> metadata = {{"result.json", PartOf(parts, 1)},
                                                       {"result.txt", PartOf(parts, 2)},
                                                       {"result.statuscode", PartOf(parts, 3)}};
  const std::string method = PartOf(parts, 0);
  for (const bool json : {false, true}) {
    const depot::options::FrontendCall call{method, json, false};
    const auto answer = depot::deliver::ShowAnswer(call, metadata, "sub/Dockerfile");
    if (!answer) {
      CheckError(answer.error());
      continue;
    }
    Expect(AreLines(answer->text));
    if (answer->failure) CheckError(*answer->failure);
    Expect(!answer->broken || answer->failure);
  }
}

class NoSink final : public depot::EventSink {
 public:
  void Emit(depot::Event /*event*/) override {}
};

/// CODE MESSAGE, then details: s, v or x and the JSON of a source, a step, an exit; or bytes of
/// all.
void Solve(const Parts& parts) {
  constexpr std::string_view kTypes[] = {"errdefs.Source+json", "errdefs.Vertex+json",
                                         "gatewayapi.ExitMessage+json"};
  const std::string message = PartOf(parts, 0);
  moby::buildkit::v1::frontend::Status details;
  for (std::size_t i = 1; i < parts.size(); ++i) {
    const std::size_t kind = std::string_view("svx").find(parts[i].substr(0, 1));
    if (parts[i].empty() || kind == std::string_view::npos) continue;
    auto& detail = *details.add_details();
    detail.set_type_url(depot::Cat("github.com/moby/buildkit/", kTypes[kind]));
    detail.set_value(std::string(parts[i].substr(1)));
  }
  NoSink sink;
  const depot::solve::StepNames names(sink);
  for (const std::string& bytes : {details.SerializeAsString(), PartOf(parts, 1)}) {
    const int code = message.empty() ? 2 : 1 + (message.front() & 15);
    const depot::rpc::Status status{static_cast<depot::rpc::Code>(code), message, bytes, true};
    const depot::Error error = depot::solve::SolveError(status, names);
    CheckError(error);
    Expect(error.code() != depot::ErrorCode::kUnavailable);
    Expect(error.step_exit() >= 0 && error.step_exit() <= 255);
  }
}

/// Answers with the parts, one after the other: STATUS BODY.
class Answers final : public depot::http::HttpClient {
 public:
  explicit Answers(const Parts& parts) : parts_(parts) {}

  depot::Result<depot::http::Response> Send(const depot::http::Request& request,
                                            const depot::Cancel& /*cancel*/) override {
    const auto url = depot::http::ParseUrl(request.url);
    const bool safe =
        url && (url->encrypted || depot::http::IsLoopback(depot::http::HostName(url->authority)));
    if (request.basic_auth || !request.body.empty()) Expect(safe);
    const std::string text = PartOf(parts_, next_++);
    depot::http::Response response;
    response.status =
        static_cast<int>(depot::ParseDecimal(std::string_view(text).substr(0, 3)).value_or(200));
    response.headers = {{"content-type", "application/json"}};
    response.body = text.substr(std::min<std::size_t>(4, text.size()));
    return response;
  }

 private:
  const Parts& parts_;
  std::size_t next_ = 1;
};

/// REALM, then answers.
void TokenServer(const Parts& parts) {
  const depot::registry::TokenRequest request{
      PartOf(parts, 0), "registry.test", {"repository:a/b:pull"}, "client"};
  const depot::registry::Credential password{
      "user", depot::Secret(std::string(kSecret)), {}, {}, "test"};
  for (const bool known : {false, true}) {
    Answers answers(parts);
    std::optional<depot::registry::Credential> credential;
    if (known) credential = password;
    const auto token =
        depot::registry::FetchToken(answers, request, credential, depot::Cancel::Never());
    if (token) {
      Expect(!token->token.empty() && token->expires_in > 0);
      // Whoever keeps it adds its life to a clock of nanoseconds.
      Expect(token->expires_in < INT64_MAX / 2'000'000'000);
      continue;
    }
    CheckError(token.error());
    Expect(token.error().message().find(kSecret) == std::string::npos);
  }
}

void Engine(const Parts& parts) {
  const std::string text = PartOf(parts, 0);
  std::vector<std::string> seen[2];
  for (const std::size_t step : {std::size_t{1}, std::max<std::size_t>(text.size(), 1)}) {
    std::vector<std::string>& into = seen[step == 1 ? 0 : 1];
    depot::docker::EngineMessageStream stream([&](const depot::docker::EngineMessage& message) {
      Expect(IsPrintable(message.id) && IsPrintable(message.status) && IsPrintable(message.digest));
      into.push_back(depot::Cat(message.id, '\n', message.status, '\n', message.current));
    });
    for (std::size_t at = 0; at < text.size(); at += step)
      Expect(stream.Feed(std::string_view(text).substr(at, step)).has_value());
    into.push_back(stream.error().value_or("good"));
    Expect(IsPrintable(into.back()));
  }
  Expect(text.size() <= 1 || seen[0] == seen[1]);
}

void Policy(const Parts& parts) {
  const auto bytes = depot::solve::ParseSourcePolicy(PartOf(parts, 0));
  if (!bytes) {
    CheckError(bytes.error());
    return;
  }
  moby::buildkit::v1::SourcePolicy policy;
  Expect(policy.ParseFromString(*bytes) && policy.rules_size() > 0);
  for (const auto& rule : policy.rules())
    Expect(!rule.selector().identifier().empty());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  // The fuzzer learns it from the comparison above; what the other side says by itself is no leak.
  if (text.empty() || text.find(kSecret) != text.npos) return 0;
  const Parts parts = depot::Split(text.substr(1), '\0');
  switch (text.front()) {
    case 'c':
      Call(parts);
      break;
    case 'e':
      Solve(parts);
      break;
    case 't':
      TokenServer(parts);
      break;
    case 'm':
      Engine(parts);
      break;
    case 'p':
      Policy(parts);
      break;
    default:
      break;
  }
  return 0;
}
