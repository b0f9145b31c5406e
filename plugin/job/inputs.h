#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "driver/base/environment.h"
#include "driver/event/sink.h"
#include "driver/files/tree.h"
#include "driver/http/client.h"
#include "driver/session/content_service.h"
#include "driver/session/secrets.h"
#include "driver/session/ssh_service.h"
#include "driver/solve/dockerfile_input.h"
#include "plugin/options/build_options.h"
#include "plugin/plan/context_times.h"
#include "plugin/plan/source.h"
#include "plugin/progress/streams.h"

namespace depot::job {

/// What a target is made from, on the user's machine.
struct Inputs {
  std::vector<Platform> platforms;  ///< wanted; empty = the builder's own
  std::vector<session::SecretSpec> secrets;
  std::vector<session::SshOffer> ssh;
  plan::Source source;
  std::map<std::string, std::unique_ptr<files::FileTree>> trees;  ///< by name, as the builder asks
  plan::ContextPlan contexts;                                     ///< of those trees
  std::optional<solve::DockerfileText> dockerfile;                ///< plan::ReadDockerfileText()
  session::OfferedStores stores;           ///< content, by name, as the builder asks
  std::map<std::string, std::string> vcs;  ///< plan::VcsFacts
  std::vector<std::string> notices;        ///< one line each, for the user
  std::string source_policy;               ///< plan::ReadSourcePolicy()
  int standard_input = -1;  ///< when the context or the Dockerfile is there; not owned
};

/// Looks at all of it, so that whatever is wrong is known before a builder is asked. Blocks for
/// standard input, when that is the context or the Dockerfile, and for pipes, which `sink` is told;
/// a Dockerfile at a URL comes by `http`.
Result<Inputs> ReadInputs(const options::BuildOptions& options,
                          const Environment& environment,
                          Streams& streams,
                          http::HttpClient& http,
                          EventSink& sink,
                          const Cancel& cancel);

}  // namespace depot::job
