#include "plugin/job/delivery.h"

#include <algorithm>

#include "driver/base/text.h"
#include "driver/docker/engine.h"
#include "driver/event/step.h"
#include "driver/oci/reference.h"
#include "driver/registry/push_index.h"
#include "plugin/deliver/join_platforms.h"

namespace depot::job {
namespace {

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
    if (digest || digest.error().code() != ErrorCode::kDenied || !credential) return digest;
    refusal = std::move(digest).error().While(
        Cat("with the credentials of ", registry::SourcesOf(attempt)));
  }
}

deliver::ImageIdKind IdKind(const PlatformBuild& part) {
  const builder::Features& features = part.builder->features();
  bool classic_store = features.engine_store && !features.all_exporters;
  const auto& exporters = part.plan.request.exporters;
  bool docker_archive = std::any_of(exporters.begin(), exporters.end(),
                                    [](const solve::Exporter& e) { return e.type == "docker"; });
  bool config = (classic_store && part.plan.engine_pushes.empty()) || docker_archive;
  return config ? deliver::ImageIdKind::kConfig : deliver::ImageIdKind::kManifest;
}

}  // namespace

Result<Delivered> JoinPlatforms(const std::vector<PlatformBuild>& parts,
                                const Joined& wanted,
                                deliver::Results& results,
                                registry::Registries& registries,
                                EventSink& sink,
                                const Cancel& cancel) {
  std::vector<deliver::PlatformResult> answers;
  for (const PlatformBuild& part : parts)
    answers.push_back({part.share.platforms, part.solved.exporter_response});
  registry::IndexPush push;
  push.annotations = deliver::IndexAnnotationsOf(wanted.annotations);
  TRY_ASSIGN(std::string digest, results.JoinParts(push.annotations, cancel));
  results.CloseTargets();
  const std::vector<std::string>& names = parts.front().plan.index_names;
  if (names.empty()) return Delivered{deliver::JoinResponses(answers, digest, names)};
  TRY_ASSIGN(push.pushed, deliver::DescriptorsOf(answers));
  push.platforms = wanted.platforms;
  for (const std::string& name : names) {
    TRY_ASSIGN(Reference reference, ParseReference(name));
    push.names.push_back(std::move(reference));
  }
  Step step(sink, Cat("pushing the image index of ", parts.size(), " builders"));
  auto log = [&step](std::string line) { step.Log(std::move(line)); };
  TRY_ASSIGN(auto index, step.Finish(registry::PushIndex(registries, push, log, cancel)));
  return Delivered{deliver::JoinResponses(answers, index.digest, names)};
}

Result<Delivered> FinishAlone(const PlatformBuild& part,
                              Job& job,
                              EventSink& sink,
                              const Cancel& cancel) {
  Delivered delivered{part.solved.exporter_response, IdKind(part)};
  deliver::ExporterResponse& response = delivered.response;
  for (const std::string& name : part.plan.engine_pushes) {
    TRY_ASSIGN(docker::Engine * engine, job.workshop().Engine());
    TRY_ASSIGN(std::string digest,
               EnginePush(*engine, name, job.registries().keyring(), sink, cancel));
    response.emplace("containerimage.config.digest", response["containerimage.digest"]);
    response["containerimage.digest"] = digest;
  }
  return delivered;
}

}  // namespace depot::job
