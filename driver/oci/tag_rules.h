#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace depot {

/// Which run of a CI pipeline has made an image. A value.
struct Pipeline {
  std::uint64_t number = 0;  ///< grows from run to run; of ParsePipelineNumber()
  std::string project{};     ///< whose count that is; "" = nobody says
  std::string revision{};    ///< the commit; "" = nobody says
};

/// A number from 1 to 18 digits, without a sign; nullopt for anything else.
std::optional<std::uint64_t> ParsePipelineNumber(std::string_view text);

/// Adds what an index carries of its pipeline: `depot.pipeline.iid`, `depot.pipeline.project` and
/// `org.opencontainers.image.revision` (OCI image spec, annotations.md); a revision that is there
/// already stays.
void AnnotatePipeline(const Pipeline& pipeline, std::map<std::string, std::string>& annotations);

/// What such annotations, which may be a stranger's, say; nullopt when they name no number.
std::optional<Pipeline> PipelineOf(const std::map<std::string, std::string>& annotations);

/// How a tag that is pushed may move.
struct TagRules {
  /// Not when it names what a later pipeline of the same project has made; unset = always.
  std::optional<Pipeline> pipeline{};
  /// What it names for other platforms stays in the index.
  bool merge = false;

  /// Whether what the tag names has to be looked at before it moves.
  bool look() const { return pipeline.has_value() || merge; }
};

}  // namespace depot
