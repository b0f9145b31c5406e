#include "plugin/job/delivery.h"

#include <algorithm>

#include "driver/base/encode.h"
#include "driver/base/text.h"
#include "driver/docker/engine.h"
#include "driver/event/step.h"
#include "driver/oci/reference.h"
#include "driver/registry/push_index.h"
#include "driver/solve/causes.h"
#include "driver/solve/content.h"
#include "plugin/deliver/join_platforms.h"

namespace depot::job {
namespace {

/// What the Engine says of a registry, with what to do; what it says of a login has that already.
Error WithCause(Error error) {
  if (!error.hint().empty()) return error;
  const solve::Cause* cause = solve::FindCause(error.message());
  return cause == nullptr ? error : std::move(error).WithHint(std::string(cause->hint));
}

Result<std::string> EnginePush(docker::Engine& engine,
                               const std::string& name,
                               registry::Keyring& keyring,
                               EventSink& sink,
                               const Cancel& cancel) {
  TRY_ASSIGN(Reference reference, ParseReference(name));
  registry::Need need{reference.domain, reference.path, true};
  registry::Attempt attempt = keyring.Good(need).value_or(registry::Attempt());
  std::optional<Error> refusal;
  for (;;) {
    TRY_ASSIGN(auto credential, keyring.Next(need, attempt, cancel));
    if (!credential && refusal) return Fail(std::move(*refusal));
    Result<std::string> digest = engine.Push(name, credential, sink, cancel);
    if (digest) keyring.Accepted(need, attempt, true);
    if (digest) return digest;
    if (digest.error().code() != ErrorCode::kDenied) {
      return Fail(WithCause(std::move(digest).error()).At(FailedAt::kRegistry));
    }
    if (!credential) return Fail(std::move(digest).error().At(FailedAt::kAuthentication));
    refusal = std::move(digest)
                  .error()
                  .While(Cat("with the credentials of ", registry::SourcesOf(attempt)))
                  .At(FailedAt::kAuthentication);
  }
}

deliver::ImageIdKind IdKind(const PlatformBuild& part) {
  const builder::Features& features = part.builder->features();
  bool classic_store = features.engine_store && !features.all_exporters;
  const auto& exporters = part.plan.request.exporters;
  bool docker_archive = std::any_of(exporters.begin(), exporters.end(),
                                    [](const solve::Exporter& e) { return e.type == "docker"; });
  const auto& destinations = part.plan.destinations;
  bool classic_load = std::any_of(destinations.begin(), destinations.end(),
                                  [](const plan::Destination& d) { return d.classic_store; });
  bool config =
      (classic_store && part.plan.engine_pushes.empty()) || docker_archive || classic_load;
  return config ? deliver::ImageIdKind::kConfig : deliver::ImageIdKind::kManifest;
}

using Recorded = std::map<std::int64_t, Descriptor>;

/// What every builder recorded, in their order.
Result<std::vector<Recorded>> ReadRecorded(const std::vector<PlatformBuild>& parts,
                                           const Cancel& cancel) {
  std::vector<Recorded> all;
  for (const PlatformBuild& part : parts) {
    auto recorded = solve::ReadRecordedResults(*part.builder, part.solved.ref, cancel);
    if (!recorded) {
      return Fail(std::move(recorded).error().While(
          Cat("asking ", part.builder->endpoint(), " what it pushed")));
    }
    all.push_back(*std::move(recorded));
  }
  return all;
}

/// The images to be joined in registries, in the order of their outputs; platforms are left to the
/// caller.
Result<std::vector<registry::IndexPush>> PushesOf(
    const std::vector<PlatformBuild>& parts,
    const std::vector<deliver::PlatformResult>& answers,
    const Cancel& cancel) {
  std::vector<registry::IndexPush> pushes;
  std::vector<std::size_t> exporters;
  const std::vector<plan::Destination>& destinations = parts.front().plan.destinations;
  for (std::size_t i = 0; i < destinations.size(); ++i) {
    if (destinations[i].index_names.empty()) continue;
    registry::IndexPush& push = pushes.emplace_back();
    push.names = destinations[i].index_names;
    push.annotations = deliver::IndexAnnotationsOf(destinations[i].annotations);
    exporters.push_back(i);
  }
  if (pushes.size() == 1) {
    TRY_ASSIGN(pushes.front().pushed, deliver::DescriptorsOf(answers));
  }
  if (pushes.size() < 2) return pushes;
  TRY_ASSIGN(std::vector<Recorded> recorded, ReadRecorded(parts, cancel));
  for (std::size_t i = 0; i < pushes.size(); ++i) {
    for (std::size_t part = 0; part < parts.size(); ++part) {
      TRY_ASSIGN(Descriptor pushed, deliver::RecordedDescriptor(recorded[part], exporters[i],
                                                                parts[part].share.platforms));
      pushes[i].pushed.push_back(std::move(pushed));
    }
  }
  return pushes;
}

/// What the image is known by in registries; empty when nothing was left to us there.
struct Registered {
  std::vector<std::string> names;
  registry::AssembledIndex index;
};

Result<Registered> PushImages(const std::vector<PlatformBuild>& parts,
                              const std::vector<deliver::PlatformResult>& answers,
                              const ImagePush& image,
                              EventSink& sink,
                              const Cancel& cancel) {
  TRY_ASSIGN(std::vector<registry::IndexPush> pushes, PushesOf(parts, answers, cancel));
  Registered registered;
  for (registry::IndexPush& push : pushes) {
    // What one builder made is all there is, as it calls it.
    if (parts.size() > 1) push.platforms = image.platforms;
    push.rules = image.rules;
    Step step(sink, parts.size() == 1
                        ? std::string("pushing the tags")
                        : Cat("pushing the image index of ", parts.size(), " builders"));
    auto log = [&step](std::string line) {
      if (line.starts_with("pushed ")) return step.ProgressDone(line);
      step.Log(std::move(line));
    };
    auto pushed = step.Finish(registry::PushIndex(image.registries, push, log, cancel));
    if (!pushed) return Fail(std::move(pushed).error().At(FailedAt::kRegistry));
    for (std::string& line : pushed->stayed)
      sink.Say(std::move(line));
    // Of several the last is the answer, as of one builder.
    registered.index = std::move(pushed->index);
    registered.names.clear();
    for (const Reference& name : pushed->names)
      registered.names.push_back(FormatReference(name));
  }
  return registered;
}

deliver::PlatformResult AnswerOf(const PlatformBuild& part) {
  return {part.share.platforms, part.solved.exporter_response};
}

/// What the builder said of what it pushed by digest becomes what was made of that.
void Describe(const Registered& registered, deliver::ExporterResponse& response) {
  const registry::AssembledIndex& index = registered.index;
  response["containerimage.digest"] = index.digest;
  response["containerimage.descriptor"] =
      Base64(MakeDescriptor(index.media_type, index.digest, index.bytes.size()).json.Dump());
  response["image.name"] = Join(registered.names, ",");
}

}  // namespace

Result<Delivered> JoinPlatforms(const std::vector<PlatformBuild>& parts,
                                const ImagePush& push,
                                deliver::Results& results,
                                EventSink& sink,
                                const Cancel& cancel) {
  std::vector<deliver::PlatformResult> answers;
  for (const PlatformBuild& part : parts)
    answers.push_back(AnswerOf(part));
  TRY_ASSIGN(std::string digest, results.JoinParts(cancel));
  const std::optional<deliver::EngineLoaded>& loaded = parts.front().loaded;
  if (digest.empty() && loaded) digest = loaded->digest;
  results.CloseTargets();
  TRY_ASSIGN(Registered registered, PushImages(parts, answers, push, sink, cancel));
  if (!registered.names.empty()) digest = std::move(registered.index.digest);
  Delivered delivered{deliver::JoinResponses(answers, digest, registered.names)};
  if (loaded && !loaded->config_digest.empty()) {
    delivered.response["containerimage.config.digest"] = loaded->config_digest;
    delivered.id_kind = IdKind(parts.front());
  }
  return delivered;
}

Result<Delivered> FinishAlone(const std::vector<PlatformBuild>& parts,
                              const ImagePush& push,
                              Job& job,
                              EventSink& sink,
                              const Cancel& cancel) {
  const PlatformBuild& part = parts.front();
  Delivered delivered{part.solved.exporter_response, IdKind(part)};
  deliver::ExporterResponse& response = delivered.response;
  for (const std::string& name : part.plan.engine_pushes) {
    TRY_ASSIGN(docker::Engine * engine, job.workshop().Engine());
    TRY_ASSIGN(std::string digest,
               EnginePush(*engine, name, job.registries().keyring(), sink, cancel));
    response.emplace("containerimage.config.digest", response["containerimage.digest"]);
    response["containerimage.digest"] = digest;
  }
  TRY_ASSIGN(const Registered registered, PushImages(parts, {AnswerOf(part)}, push, sink, cancel));
  if (!registered.names.empty()) Describe(registered, response);
  return delivered;
}

}  // namespace depot::job
