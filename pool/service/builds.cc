#include <algorithm>

#include "proto/depot.pb.h"

#include "driver/base/random.h"
#include "driver/base/shown.h"
#include "driver/base/steady_time.h"
#include "driver/base/text.h"
#include "pool/service/saved_image.h"
#include "pool/service/services.h"

namespace depot::service {
namespace {

namespace api = depot::cli::v1;
using records::BuildRecord;
using records::State;

constexpr std::size_t kLongestOptions = 64 << 10;
constexpr std::size_t kLongestError = 4 << 10;
constexpr int kPage = 100;
constexpr std::int64_t kLongestPage = 500;

/// 128 random bits in 26 characters that are good for a tag and a path.
std::string NewBuildId() {
  constexpr std::string_view kAlphabet = "abcdefghijklmnopqrstuvwxyz234567";
  std::string id;
  unsigned held = 0;
  unsigned bits = 0;
  for (char byte : RandomBytes(16)) {
    held = (held << 8) | static_cast<unsigned char>(byte);
    for (bits += 8; bits >= 5; bits -= 5)
      id += kAlphabet[(held >> (bits - 5)) & 31];
  }
  return id + kAlphabet[(held << (5 - bits)) & 31];
}

std::string BuildUrl(const Call& call, const std::string& id) {
  return Cat(call.settings->url, "/builds/", id);
}

/// What is kept of the options: not the outputs' attributes, which nobody needs again.
Result<std::string> KeptOptions(const api::CreateBuildRequest& request) {
  api::CreateBuildRequest kept;
  for (const api::BuildOptions& options : request.options()) {
    api::BuildOptions& copy = *kept.add_options();
    copy = options;
    for (api::BuildOutput& output : *copy.mutable_outputs())
      output.clear_attributes();
  }
  std::string text = kept.SerializeAsString();
  if (text.size() > kLongestOptions) {
    return Fail(ErrorCode::kInvalid, "the build's tags, outputs and targets are too long a list");
  }
  return text;
}

Result<Reply> CreateBuild(const Parts& parts, Call& call) {
  TRY_ASSIGN(auto request, Decode<api::CreateBuildRequest>(call));
  TRY_ASSIGN(std::string project, OpenProject(call, request.project_id()));
  if (request.required_engine().has_dagger()) {
    return Fail(ErrorCode::kUnsupported, "the pool has BuildKit builders, no Dagger engines");
  }
  BuildRecord build;
  build.id = NewBuildId();
  build.project = project;
  build.creator = call.who.name;
  build.admitted_by = call.who.admitted_by;
  build.created_at = call.now;
  build.ends_at = call.now + std::int64_t{call.settings->build_hours} * 3600;
  TRY_ASSIGN(build.options, KeptOptions(request));
  api::CreateBuildResponse response;
  for (const api::BuildOptions& options : request.options()) {
    if (!options.save()) continue;
    build.saved = true;
    TRY(AddSavedTags(call, build, options, response));
  }
  Secret token = identity::NewToken(kBuildTokenPrefix);
  build.token_hash = identity::TokenHash(token);
  TRY(parts.records.Create(build));
  parts.slots.Begin(build.id, SteadyTime());
  call.decision.build = build.id;
  response.set_build_id(build.id);
  response.set_build_token(std::string(token.Reveal()));
  response.set_build_url(BuildUrl(call, build.id));
  response.set_project_id(project);
  response.mutable_registry();
  return response.SerializeAsString();
}

Result<Reply> GetBuild(const Parts& parts, Call& call) {
  TRY_ASSIGN(auto request, Decode<api::GetBuildRequest>(call));
  TRY_ASSIGN(BuildRecord build, OpenBuild(parts, call, request.build_id()));
  api::GetBuildResponse response;
  response.set_build_id(build.id);
  response.set_project_id(build.project);
  response.set_build_url(BuildUrl(call, build.id));
  return response.SerializeAsString();
}

/// What a client said of its failure: one line, without what a URL may carry.
std::string KeptError(const std::string& said) {
  return Printable(RedactUrls(said).substr(0, kLongestError));
}

Result<Reply> FinishBuild(const Parts& parts, Call& call) {
  TRY_ASSIGN(auto request, Decode<api::FinishBuildRequest>(call));
  TRY_ASSIGN(BuildRecord build, OpenBuild(parts, call, request.build_id()));
  State state = State::kSucceeded;
  std::string error;
  switch (request.result_case()) {
    case api::FinishBuildRequest::kSuccess:
      break;
    case api::FinishBuildRequest::kError:
      state = State::kFailed;
      error = KeptError(request.error().error());
      break;
    case api::FinishBuildRequest::kCanceled:
      state = State::kCanceled;
      break;
    default:
      return Fail(ErrorCode::kInvalid, "the request does not say how the build ended");
  }
  TRY_ASSIGN(bool ended_now, EndBuild(parts, build.id, state, error, call.now));
  call.decision.reason = ended_now ? records::StateName(state) : "had ended before";
  if (ended_now) parts.journal.Say(Cat("build ", build.id, ' ', records::StateName(state)));
  return api::FinishBuildResponse().SerializeAsString();
}

api::BuildStatus StatusOf(State state) {
  switch (state) {
    case State::kRunning:
      return api::BUILD_STATUS_RUNNING;
    case State::kSucceeded:
      return api::BUILD_STATUS_FINISHED;
    case State::kCanceled:
      return api::BUILD_STATUS_CANCELED;
    default:
      return api::BUILD_STATUS_FAILED;
  }
}

Result<Reply> ListBuilds(const Parts& parts, Call& call) {
  TRY_ASSIGN(auto request, Decode<api::ListBuildsRequest>(call));
  TRY_ASSIGN(std::string project, OpenProject(call, request.project_id()));
  std::int64_t before = 0;
  if (!request.page_token().empty()) {
    std::optional<std::uint64_t> number = ParseDecimal(request.page_token());
    if (!number || *number > INT64_MAX) {
      return Fail(ErrorCode::kInvalid, "this page token is not from ListBuilds");
    }
    before = static_cast<std::int64_t>(*number);
  }
  int size = request.page_size() > 0
                 ? static_cast<int>(std::min<std::int64_t>(request.page_size(), kLongestPage))
                 : kPage;
  TRY_ASSIGN(auto builds, parts.records.List(project, size + 1, before));
  api::ListBuildsResponse response;
  if (builds.size() > static_cast<std::size_t>(size)) {
    builds.resize(static_cast<std::size_t>(size));
    response.set_next_page_token(Cat(builds.back().number));
  }
  for (const BuildRecord& build : builds) {
    api::Build& row = *response.add_builds();
    row.set_id(build.id);
    row.set_status(StatusOf(build.state));
    row.mutable_created_at()->set_seconds(build.created_at);
    if (build.finished_at != 0) row.mutable_finished_at()->set_seconds(build.finished_at);
  }
  return response.SerializeAsString();
}

/// What clients tell of their work: taken from who has a token, and dropped.
Result<Reply> DropReport(const Parts& parts, Call& call) {
  parts.metrics.CountReport();
  call.audited = false;
  return Reply("");
}

}  // namespace

void AddBuilds(web::Routes& routes, const Parts& parts) {
  struct Row {
    const char* name;
    Result<Reply> (*method)(const Parts&, Call&);
  };
  for (const Row& row :
       {Row{"CreateBuild", CreateBuild}, Row{"GetBuild", GetBuild}, Row{"FinishBuild", FinishBuild},
        Row{"ListBuilds", ListBuilds}, Row{"ReportStatus", DropReport},
        Row{"ReportTimings", DropReport}, Row{"ReportBuildContext", DropReport}}) {
    AddRpc(routes, parts,
           {Cat("/depot.cli.v1.BuildService/", row.name), Rpc::Admission::kToken, Rpc::Form::kUnary,
            [&parts, method = row.method](Call& call) { return method(parts, call); }});
  }
  AddDroppedStream(routes, parts, "/depot.cli.v1.BuildService/ReportStatusStream");
}

Result<bool> EndBuild(const Parts& parts,
                      const std::string& id,
                      State state,
                      const std::string& error,
                      std::int64_t now) {
  // Also when the outcome cannot be written: the builders are needed.
  parts.slots.Release(id);
  auto ended = std::make_shared<bool>(true);
  TRY(parts.backlog.Do([&records = parts.records, ended, id, state, error, now]() -> Result<> {
    TRY_ASSIGN(*ended, records.Finish(id, state, error, now));
    return {};
  }));
  return *ended;
}

std::int64_t CancelTime(const BuildRecord& build, std::int64_t now) {
  if (build.cancel_at != 0) return build.cancel_at;
  return now >= build.ends_at ? build.ends_at : 0;
}

}  // namespace depot::service
