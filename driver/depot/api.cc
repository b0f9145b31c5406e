#include "driver/depot/api.h"

#include <algorithm>

#include "proto/depot.pb.h"
#include "proto/depot_account.pb.h"

#include "driver/base/encode.h"
#include "driver/base/shown.h"
#include "driver/base/text.h"
#include "driver/depot/calls.h"
#include "driver/depot/make_api.h"

namespace depot::api {
namespace {

namespace cli = ::depot::cli::v1;
namespace account = ::depot::cli::v1beta1;
using std::chrono::milliseconds;

constexpr std::string_view kBuilds = "/depot.cli.v1.BuildService/";
constexpr std::string_view kProjects = "/depot.cli.v1beta1.ProjectsService/";

Caller By(const CreatedBuild& build) {
  return {build.token, "the build"};
}

Result<cli::BuilderPlatform> PlatformNumber(const Platform& platform) {
  if (platform.os == "linux" && platform.architecture == "amd64") {
    return cli::BUILDER_PLATFORM_AMD64;
  }
  if (platform.os == "linux" && platform.architecture == "arm64") {
    return cli::BUILDER_PLATFORM_ARM64;
  }
  return Fail(ErrorCode::kUnsupported,
              Cat("the Depot API has machines for linux/amd64 and linux/arm64, not for ",
                  FormatPlatform(platform)));
}

std::string StatusName(cli::BuildStatus status) {
  switch (status) {
    case cli::BUILD_STATUS_RUNNING:
      return "running";
    case cli::BUILD_STATUS_FINISHED:
      return "finished";
    case cli::BUILD_STATUS_FAILED:
      return "failed";
    case cli::BUILD_STATUS_CANCELED:
      return "canceled";
    default:
      return "";
  }
}

void DescribeOne(const BuildDescription& description, cli::BuildOptions& options) {
  options.mutable_tags()->Add(description.tags.begin(), description.tags.end());
  for (const BuildOutput& output : description.outputs) {
    cli::BuildOutput& entry = *options.add_outputs();
    entry.set_kind(output.kind);
    entry.mutable_attributes()->insert(output.attributes.begin(), output.attributes.end());
  }
  options.set_push(description.push);
  options.set_load(description.load);
  options.set_save(description.save);
  if (!description.target.empty()) options.set_target_name(description.target);
  options.mutable_save_tags()->Add(description.save_tags.begin(), description.save_tags.end());
}

cli::CreateBuildRequest Describe(const BuildDescription& description) {
  cli::CreateBuildRequest message;
  message.set_project_id(description.project);
  for (const BuildDescription& target : description.targets) {
    cli::BuildOptions& options = *message.add_options();
    options.set_command(cli::COMMAND_BAKE);
    DescribeOne(target, options);
  }
  if (!description.targets.empty()) return message;
  cli::BuildOptions& options = *message.add_options();
  options.set_command(cli::COMMAND_BUILD);
  DescribeOne(description, options);
  return message;
}

void SetTime(std::int64_t nanoseconds, moby::buildkit::v1::Timestamp& time) {
  constexpr std::int64_t kSecond = 1'000'000'000;
  time.set_seconds(nanoseconds / kSecond);
  time.set_nanos(static_cast<std::int32_t>(nanoseconds % kSecond));
}

/// How depot-pool says the place in its queue; the hosted API says nothing of it.
constexpr std::string_view kPosition = "position=";

std::variant<Pending, Machine> ReadMachine(cli::GetBuildKitConnectionResponse& answer,
                                           const PoolNote& note) {
  if (!answer.has_active()) {
    // Neither a busy loop nor a wait that outlives the queue.
    constexpr milliseconds kShortest(100);
    constexpr milliseconds kLongest(30'000);
    const milliseconds wait(answer.pending().wait_ms());
    std::string reason;
    if (note.queue.starts_with(kPosition)) {
      reason = Cat("position ", note.queue.substr(kPosition.size()),
                   " in the queue: ", note.reason.empty() ? "every builder is busy" : note.reason);
    }
    return Pending{wait.count() <= 0 ? Pending().wait : std::clamp(wait, kShortest, kLongest),
                   std::move(reason)};
  }
  cli::GetBuildKitConnectionResponse::ActiveConnection& active = *answer.mutable_active();
  Machine machine;
  machine.reason = note.reason;
  machine.endpoint = active.endpoint();
  machine.server_name = active.server_name();
  machine.ca_pem = active.ca_cert().cert();
  machine.certificate_pem = active.cert().cert();
  machine.key_pem = Secret(std::move(*active.mutable_cert()->mutable_key()));
  return machine;
}

cli::GetPullTokenRequest PullTokenRequest(const std::string& project, const std::string& build) {
  cli::GetPullTokenRequest request;
  if (!project.empty()) request.set_project_id(project);
  if (!build.empty()) request.set_build_id(build);
  return request;
}

class ApiClient final : public Api {
 public:
  ApiClient(http::HttpClient& client,
            const std::string& base,
            std::function<void(std::string)> say,
            const Times& times)
      : connect_(client, base, say, times), say_(std::move(say)) {}

  Result<CreatedBuild> CreateBuild(const Token& token,
                                   const BuildDescription& description,
                                   const Cancel& cancel) override {
    TRY_ASSIGN(auto answer,
               (Ask<cli::CreateBuildResponse>(kBuilds, "CreateBuild", Describe(description),
                                              CallerOf(token), {Retry::kUndone, cancel})));
    if (answer.build_id().empty() || answer.build_token().empty()) {
      return Fail(Malformed("CreateBuild", "names no build"));
    }
    CreatedBuild build;
    build.id = answer.build_id();
    build.token = Secret(answer.build_token());
    build.project = answer.project_id();
    build.url = Printable(answer.build_url());
    for (const auto& tag : answer.additional_tags())
      build.tags.push_back({tag.tag(), tag.push()});
    for (const auto& entry : answer.additional_credentials()) {
      auto credential = ReadCredential(entry);
      if (credential) build.credentials.push_back(*std::move(credential));
    }
    return build;
  }

  Result<CreatedBuild> FindBuild(const Token& token,
                                 const std::string& build,
                                 const Cancel& cancel) override {
    cli::GetBuildRequest request;
    request.set_build_id(build);
    TRY_ASSIGN(auto answer,
               (Ask<cli::GetBuildResponse>(kBuilds, "GetBuild", request, CallerOf(token),
                                           {Retry::kThrice, cancel})));
    CreatedBuild found;
    found.id = build;
    found.token = token.value;
    found.project = answer.project_id();
    found.url = Printable(answer.build_url());
    return found;
  }

  Result<> FinishBuild(const CreatedBuild& build,
                       Outcome outcome,
                       const std::string& error,
                       const Cancel& cancel) override {
    cli::FinishBuildRequest request;
    request.set_build_id(build.id);
    switch (outcome) {
      case Outcome::kSuccess:
        request.mutable_success();
        break;
      case Outcome::kError:
        request.mutable_error()->set_error(error);
        break;
      case Outcome::kCanceled:
        request.mutable_canceled();
        break;
    }
    TRY((Ask<cli::FinishBuildResponse>(kBuilds, "FinishBuild", request, By(build),
                                       {Retry::kUntilCancelled, cancel})));
    return {};
  }

  Result<std::variant<Pending, Machine>> GetMachine(const CreatedBuild& build,
                                                    const Platform& platform,
                                                    const Cancel& cancel) override {
    cli::GetBuildKitConnectionRequest request;
    request.set_build_id(build.id);
    TRY_ASSIGN(cli::BuilderPlatform number, PlatformNumber(platform));
    request.set_platform(number);
    PoolNote note;
    Manner manner{Retry::kThrice, cancel, &note};
    TRY_ASSIGN(auto answer, (Ask<cli::GetBuildKitConnectionResponse>(
                                kBuilds, "GetBuildKitConnection", request, By(build), manner)));
    if (!answer.has_active() && !answer.has_pending()) {
      return Fail(Malformed("GetBuildKitConnection", "names neither a machine nor a queue"));
    }
    return ReadMachine(answer, note);
  }

  Result<std::optional<CancelOrder>> ReportHealth(const CreatedBuild& build,
                                                  const Platform& platform,
                                                  const Cancel& cancel) override {
    cli::ReportBuildHealthRequest request;
    request.set_build_id(build.id);
    TRY_ASSIGN(cli::BuilderPlatform number, PlatformNumber(platform));
    request.set_platform(number);
    PoolNote note;
    Manner manner{Retry::kNever, cancel, &note};
    TRY_ASSIGN(auto answer, (Ask<cli::ReportBuildHealthResponse>(kBuilds, "ReportBuildHealth",
                                                                 request, By(build), manner)));
    if (!answer.has_cancels_at()) return std::optional<CancelOrder>();
    return std::optional(
        CancelOrder{answer.cancels_at().seconds(), std::move(note.barred), std::move(note.reason)});
  }

  Result<> ReportSteps(const CreatedBuild& build,
                       const std::vector<ReportedStep>& steps,
                       const Cancel& cancel) override {
    cli::ReportStatusStreamRequest request;
    request.set_build_id(build.id);
    auto& status = *request.add_statuses();
    for (const ReportedStep& step : steps) {
      auto& vertex = *status.add_vertexes();
      vertex.set_digest(step.digest);
      vertex.set_name(step.name);
      SetTime(step.started_ns, *vertex.mutable_started());
      if (step.completed_ns != 0) SetTime(step.completed_ns, *vertex.mutable_completed());
      vertex.set_error(step.error);
    }
    const Call call{Cat(kBuilds, "ReportStatusStream"), request.SerializeAsString(), Retry::kNever};
    TRY((ParseAnswer<cli::ReportStatusStreamResponse>(
        "ReportStatusStream", connect_.ClientStream(call, By(build), cancel))));
    return {};
  }

  Result<std::vector<Project>> ListProjects(const Token& token, const Cancel& cancel) override {
    TRY_ASSIGN(auto answer, (Ask<account::ListProjectsResponse>(
                                kProjects, "ListProjects", account::ListProjectsRequest(),
                                CallerOf(token), {Retry::kThrice, cancel})));
    std::vector<Project> projects;
    for (const auto& project : answer.projects()) {
      projects.push_back({Printable(project.id()), Printable(project.name()),
                          Printable(project.org_id()), Printable(project.org_name())});
    }
    return projects;
  }

  Result<BuildPage> ListBuilds(const Token& token,
                               const std::string& project,
                               int page_size,
                               const std::string& page,
                               const Cancel& cancel) override {
    cli::ListBuildsRequest request;
    request.set_project_id(project);
    request.set_page_size(page_size);
    request.set_page_token(page);
    TRY_ASSIGN(auto answer,
               (Ask<cli::ListBuildsResponse>(kBuilds, "ListBuilds", request, CallerOf(token),
                                             {Retry::kThrice, cancel})));
    BuildPage builds;
    builds.next_page = answer.next_page_token();
    for (const auto& build : answer.builds()) {
      builds.builds.push_back({Printable(build.id()), StatusName(build.status()),
                               build.created_at().seconds(), build.finished_at().seconds()});
    }
    return builds;
  }

  Result<std::string> ResetCache(const Token& token,
                                 const std::string& project,
                                 const Cancel& cancel) override {
    account::ResetProjectCacheRequest request;
    request.set_project_id(project);
    TRY_ASSIGN(auto answer, (Ask<account::ResetProjectCacheResponse>(kProjects, "ResetProjectCache",
                                                                     request, CallerOf(token),
                                                                     {Retry::kThrice, cancel})));
    return Printable(answer.name());
  }

  Result<PullInfo> GetPullInfo(const Token& token,
                               const std::string& build,
                               const Cancel& cancel) override {
    cli::GetPullInfoRequest request;
    request.set_build_id(build);
    TRY_ASSIGN(auto answer,
               (Ask<cli::GetPullInfoResponse>(kBuilds, "GetPullInfo", request, CallerOf(token),
                                              {Retry::kThrice, cancel})));
    PullInfo info;
    info.reference = answer.reference();
    info.username = answer.username();
    info.password = Secret(std::move(*answer.mutable_password()));
    // Without any options the API does not know, and the registry has the last word
    // (depot/cli pkg/cmd/pull/pull.go).
    info.saved = answer.save_for_load() || answer.options().empty() ||
                 std::any_of(answer.options().begin(), answer.options().end(),
                             [](const cli::BuildOptions& options) { return options.save(); });
    return info;
  }

  Result<Secret> GetPullToken(const Token& token,
                              const std::string& project,
                              const std::string& build,
                              const Cancel& cancel) override {
    TRY_ASSIGN(auto answer, (Ask<cli::GetPullTokenResponse>(
                                kBuilds, "GetPullToken", PullTokenRequest(project, build),
                                CallerOf(token), {Retry::kThrice, cancel})));
    return Secret(std::move(*answer.mutable_token()));
  }

 private:
  template <typename Answer, typename Request>
  Result<Answer> Ask(std::string_view service,
                     std::string_view method,
                     const Request& request,
                     const Caller& caller,
                     const Manner& manner) {
    return api::Ask<Answer>(connect_, service, method, request, caller, manner);
  }

  std::optional<RegistryCredential> ReadCredential(
      const cli::CreateBuildResponse::Credential& entry) const {
    const std::optional<std::string> pair = FromBase64(entry.token());
    const std::size_t colon = pair ? pair->find(':') : std::string::npos;
    if (entry.host().empty() || colon == std::string::npos) {
      say_(Cat("the Depot API sent a malformed credential for the registry ",
               Printable(entry.host()), ", which is not used"));
      return std::nullopt;
    }
    return RegistryCredential{entry.host(), pair->substr(0, colon),
                              Secret(pair->substr(colon + 1))};
  }

  ConnectClient connect_;
  const std::function<void(std::string)> say_;
};

}  // namespace

Result<std::unique_ptr<Api>> MakeApi(http::HttpClient& client,
                                     std::string url,
                                     std::function<void(std::string)> say) {
  return MakeApi(client, std::move(url), std::move(say), Times());
}

Result<std::unique_ptr<Api>> MakeApi(http::HttpClient& client,
                                     std::string url,
                                     std::function<void(std::string)> say,
                                     const Times& times) {
  TRY_ASSIGN(url, CheckedAddress(std::move(url)));
  return std::make_unique<ApiClient>(client, url, std::move(say), times);
}

}  // namespace depot::api
