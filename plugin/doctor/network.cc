#include "plugin/doctor/network.h"

#include <algorithm>
#include <cmath>
#include <ctime>

#include "driver/base/shown.h"
#include "driver/base/text.h"
#include "driver/builder/builder.h"
#include "driver/depot/api.h"
#include "driver/docker/engine.h"
#include "driver/event/sink.h"
#include "driver/http/client.h"
#include "driver/oci/platform_list.h"
#include "driver/registry/repository.h"
#include "driver/rpc/channel.h"
#include "plugin/choice/choose.h"
#include "plugin/job/registry_access.h"
#include "plugin/options/build_options.h"

namespace depot::doctor {
namespace {

using namespace std::chrono_literals;

constexpr auto kEnginePatience = 5s;
constexpr auto kRegistryPatience = 15s;
constexpr auto kClockPatience = 5s;
constexpr auto kBuilderPatience = 25s;
constexpr auto kSpeedPatience = 20s;
/// A token is not yet, or no longer, valid for who is that far away.
constexpr std::int64_t kClockTolerance = 60;
constexpr std::size_t kSample = 2 << 20;

/// The seconds by which this machine's clock is ahead of the server's; nullopt = it does not say.
std::optional<std::int64_t> ClockAhead(const http::Response& answer) {
  std::tm time{};
  const std::string date = answer.Header("date");
  if (::strptime(date.c_str(), "%a, %d %b %Y %H:%M:%S GMT", &time) == nullptr) return std::nullopt;
  return ::time(nullptr) - ::timegm(&time);
}

std::optional<Finding> CheckClock(const Reference& name,
                                  job::Workshop& workshop,
                                  const Cancel& cancel) {
  const Cancel patience = cancel.WithTimeout(kClockPatience, "the registry's clock");
  for (const char* scheme : {"https://", "http://"}) {
    http::Request request;
    request.url =
        Cat(scheme, name.domain == "docker.io" ? "registry-1.docker.io" : name.domain, "/v2/");
    auto answer = workshop.http().Send(request, patience);
    if (!answer) continue;
    std::optional<std::int64_t> ahead = ClockAhead(*answer);
    if (!ahead) return std::nullopt;
    const std::int64_t off = std::abs(*ahead);
    const std::string text =
        Cat("this machine is ", off, " s ", *ahead < 0 ? "behind" : "ahead of", " the registry");
    if (off <= kClockTolerance) return Finding{"clock", Health::kGood, text, ""};
    return Finding{"clock", Health::kBad, text,
                   "set the clock (NTP): tokens and certificates have times"};
  }
  return std::nullopt;
}

/// Times of one kind of call.
std::optional<std::chrono::milliseconds> TimeOf(rpc::Channel& channel,
                                                const std::string& request,
                                                const Cancel& cancel) {
  const auto begin = Cancel::Clock::now();
  std::string response;
  if (!channel.Unary("/moby.buildkit.v1.Control/ListWorkers", {}, request, response, cancel).ok()) {
    return std::nullopt;
  }
  return std::chrono::duration_cast<std::chrono::milliseconds>(Cancel::Clock::now() - begin);
}

/// A request with a field that no server knows, and that each reads to its end.
std::string LargeRequest() {
  constexpr char kTag = 0x7a;  // field 15, bytes (protobuf encoding)
  std::string request(1, kTag);
  for (std::size_t rest = kSample; rest > 0; rest >>= 7) {
    const bool more = rest >> 7 != 0;
    request.push_back(static_cast<char>((rest & 0x7f) | (more ? 0x80 : 0)));
  }
  return request + std::string(kSample, '\0');
}

/// How long a question takes, and how fast bytes go there.
std::string Speed(builder::Builder& builder, const Cancel& cancel) {
  const Cancel patience = cancel.WithTimeout(kSpeedPatience, "the builder's speed");
  std::optional<std::chrono::milliseconds> best;
  for (int i = 0; i < 3; ++i) {
    auto time = TimeOf(builder.channel(), "", patience);
    if (time && (!best || *time < *best)) best = time;
  }
  if (!best) return "";
  std::string text = Cat("; a question takes ", best->count(), " ms");
  if (auto time = TimeOf(builder.channel(), LargeRequest(), patience)) {
    const auto net = std::max(*time - *best, 1ms);
    text += Cat(", ", kSample * 1000 / static_cast<std::size_t>(net.count()) / 1'000'000,
                " MB/s go there");
  }
  return text;
}

Finding CheckBuilder(const choice::Site& site, EventSink& sink, const Cancel& cancel) {
  const std::string check = "builder";
  const Cancel patience =
      cancel.WithTimeout(kBuilderPatience, Cat(site.name, " gave no answer within 25 s"));
  auto builder = site.driver->TryOnce(sink, patience);
  if (!builder) {
    return BadFinding(check, std::move(builder).error().While(site.name).At(FailedAt::kNoBuilder));
  }
  const builder::Features& features = (*builder)->features();
  std::string text =
      Cat(site.name, ": ", features.history ? "BuildKit 0.11 or newer" : "BuildKit older than 0.11",
          ", ", FormatPlatforms(features.platforms, " "), Speed(**builder, cancel));
  if (features.history) return {check, Health::kGood, std::move(text), ""};
  return {check, Health::kDoubtful, std::move(text),
          "a newer one makes attestations and keeps records of builds"};
}

/// A registry's own words seldom say what to do.
Error WithFix(Error error, const Reference& name) {
  if (!error.hint().empty()) return error;
  if (error.code() == ErrorCode::kDenied) {
    return std::move(error).WithHint(Cat("log in as somebody who may push to ", RepositoryOf(name),
                                         ": docker login ", name.domain));
  }
  return std::move(error).WithHint(
      Cat("is ", name.domain,
          " the registry's name, and may this machine reach it (DNS, proxies, "
          "firewalls)?"));
}

Finding CheckApi(const choice::HostedChoice& hosted,
                 job::Workshop& workshop,
                 EventSink& sink,
                 const Cancel& cancel) {
  const std::string check = "Depot API";
  auto api = workshop.MakeApi(sink);
  if (!api) return BadFinding(check, Error(api.error()).At(FailedAt::kNoBuilder));
  const Cancel patience = cancel.WithTimeout(kRegistryPatience, "the Depot API gave no answer");
  auto projects = (*api)->ListProjects(hosted.token, patience);
  if (!projects) return BadFinding(check, Error(projects.error()).At(FailedAt::kNoBuilder));
  const std::string& wanted = hosted.project.id;
  const bool known = std::any_of(projects->begin(), projects->end(),
                                 [&](const api::Project& one) { return one.id == wanted; });
  const std::string text = Cat("it takes the token of ", Printable(hosted.token.source));
  if (wanted.empty() || known) return {check, Health::kGood, text, ""};
  return {check, Health::kBad, Cat(text, ", which does not open the project ", Printable(wanted)),
          "`docker depot list projects` shows what it opens", FailedAt::kAuthentication};
}

}  // namespace

Finding CheckEngine(job::Workshop& workshop, const Cancel& cancel) {
  const std::string check = "Engine";
  auto engine = workshop.Engine();
  Result<docker::EngineInfo> info =
      engine ? (*engine)->Info(cancel.WithTimeout(kEnginePatience, "the Docker Engine is silent"))
             : Result<docker::EngineInfo>(tl::unexpected(engine.error()));
  if (!info) {
    return {check, Health::kDoubtful, Cat(info.error().message(), " (for --load alone)"),
            info.error().hint()};
  }
  return {check, Health::kGood,
          Cat("Docker ", Printable(info->server_version), ", image store ",
              info->containerd_store ? "containerd" : "classic"),
          ""};
}

std::vector<Finding> CheckRegistry(const Reference& name,
                                   job::Workshop& workshop,
                                   EventSink& sink,
                                   const Cancel& cancel) {
  const std::string check = "registry";
  job::RegistryAccess access(workshop, {}, sink);
  access.keyring().WillPush(name.domain, name.path);
  auto registries = access.Open({});
  const std::string silence = Cat("the registry ", name.domain, " gave no answer within 15 s");
  const Cancel patience = cancel.WithTimeout(kRegistryPatience, silence);
  std::vector<Finding> findings;
  auto push = registries->Open(name, registry::Access::kPush)->CheckPush(patience);
  if (push && !push->upload.empty()) {
    registries->Open(name, registry::Access::kDelete)->AbandonUpload(push->upload, patience);
  }
  if (!push) {
    findings.push_back(
        BadFinding(check, WithFix(Error(push.error()).At(FailedAt::kRegistry), name)));
  } else if (push->refusal) {
    findings.push_back(BadFinding(check, WithFix(*push->refusal, name)));
  } else {
    findings.push_back(
        {check, Health::kGood, Cat("a push to ", RepositoryOf(name), " may begin"), ""});
  }
  if (auto clock = CheckClock(name, workshop, cancel)) findings.push_back(*std::move(clock));
  return findings;
}

std::vector<Finding> CheckBuilders(job::Workshop& workshop, EventSink& sink, const Cancel& cancel) {
  const job::DockerSetup& docker = workshop.docker();
  options::BuildOptions options;
  options.context = ".";
  auto choice = choice::ChooseBuilder(
      {options, workshop.environment(), docker.engine, docker.credentials.config.directory, {}},
      workshop.http(), cancel);
  if (!choice) return {BadFinding("choice", choice.error())};
  std::vector<Finding> findings = {{"choice", Health::kGood, choice->line, ""}};
  for (const std::string& warning : choice->warnings)
    findings.push_back({"choice", Health::kDoubtful, warning, ""});
  if (choice->hosted) {
    findings.push_back(CheckApi(*choice->hosted, workshop, sink, cancel));
    return findings;
  }
  for (const choice::Site& site : choice->sites)
    findings.push_back(CheckBuilder(site, sink, cancel));
  return findings;
}

}  // namespace depot::doctor
