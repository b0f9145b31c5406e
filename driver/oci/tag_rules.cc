#include "driver/oci/tag_rules.h"

#include <algorithm>

#include "driver/base/text.h"

namespace depot {
namespace {

constexpr const char* kNumber = "depot.pipeline.iid";
constexpr const char* kProject = "depot.pipeline.project";
constexpr const char* kRevision = "org.opencontainers.image.revision";
constexpr std::size_t kMostDigits = 18;
constexpr std::size_t kLongest = 300;

/// "" for what is no short plain text.
std::string PlainText(const std::map<std::string, std::string>& annotations, const char* key) {
  auto found = annotations.find(key);
  if (found == annotations.end() || found->second.size() > kLongest) return "";
  const bool plain = std::all_of(found->second.begin(), found->second.end(),
                                 [](char c) { return c > ' ' && c < '\x7f'; });
  return plain ? found->second : "";
}

}  // namespace

std::optional<std::uint64_t> ParsePipelineNumber(std::string_view text) {
  if (text.size() > kMostDigits) return std::nullopt;
  const std::optional<std::uint64_t> number = ParseDecimal(text);
  return number == 0U ? std::nullopt : number;
}

void AnnotatePipeline(const Pipeline& pipeline, std::map<std::string, std::string>& annotations) {
  annotations[kNumber] = std::to_string(pipeline.number);
  if (!pipeline.project.empty()) annotations[kProject] = pipeline.project;
  if (!pipeline.revision.empty()) annotations.emplace(kRevision, pipeline.revision);
}

std::optional<Pipeline> PipelineOf(const std::map<std::string, std::string>& annotations) {
  auto said = annotations.find(kNumber);
  if (said == annotations.end()) return std::nullopt;
  const std::optional<std::uint64_t> number = ParsePipelineNumber(said->second);
  if (!number) return std::nullopt;
  return Pipeline{*number, PlainText(annotations, kProject), PlainText(annotations, kRevision)};
}

}  // namespace depot
