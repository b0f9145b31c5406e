#include "plugin/job/explanation.h"

#include <algorithm>

#include "driver/base/hints.h"
#include "driver/base/shown.h"
#include "driver/base/text.h"
#include "driver/event/shown_bytes.h"
#include "driver/oci/reference.h"
#include "plugin/plan/dockerfile_names.h"
#include "plugin/plan/ignore_file.h"
#include "plugin/plan/missing_file.h"

namespace depot::job {
namespace {

/// The same, as an Engine says it: `lstat /.../buildkit-mount123/path: no such file or directory`.
std::string_view MissingBelowMount(std::string_view message) {
  constexpr std::string_view kMount = "/buildkit-mount";
  const std::size_t mount = message.rfind(kMount);
  const std::size_t end = message.rfind(": no such file or directory");
  if (mount == std::string_view::npos || end == std::string_view::npos) return "";
  const std::size_t begin = message.find('/', mount + kMount.size());
  return begin < end ? message.substr(begin, end - begin) : "";
}

/// The path of the context that a builder did not find: `"/path": not found`, and of BuildKit 0.8
/// `"/path" not found: not found`.
std::string_view MissingPath(std::string_view message) {
  const std::size_t end = std::min(message.find("\": not found"), message.find("\" not found"));
  if (end == std::string_view::npos) return MissingBelowMount(message);
  const std::size_t begin = message.rfind('"', end - 1);
  if (begin == std::string_view::npos || end == 0) return "";
  std::string_view path = message.substr(begin + 1, end - begin - 1);
  return path.starts_with('/') ? path : "";
}

/// The lines of the Dockerfile that failed, as one.
std::string MarkedLines(std::string_view excerpt) {
  constexpr std::string_view kMark = " | >>> ";
  std::string marked;
  for (std::string_view line : Split(excerpt, '\n')) {
    const std::size_t at = line.find(kMark);
    if (at != std::string_view::npos) marked += Cat(' ', line.substr(at + kMark.size()));
  }
  return marked;
}

/// What they take files from instead of the context; "" = they do not.
std::string CopiedFrom(std::string_view excerpt) {
  constexpr std::string_view kFrom = "--from=";
  const std::string line = MarkedLines(excerpt);
  const std::size_t at = line.find(kFrom);
  if (at == std::string::npos) return "";
  const std::size_t begin = at + kFrom.size();
  return line.substr(begin, line.find_first_of(" \t\r", begin) - begin);
}

std::string WhyNotFound(const Error& error, const Inputs& inputs) {
  const std::string_view path = MissingPath(error.message());
  if (path.empty()) return "";
  if (!CopiedFrom(error.excerpt()).empty()) {
    return "COPY --from takes it from that stage, image or named context, which does not have it";
  }
  std::string why = plan::WhyMissing(path, inputs.source, inputs.trees);
  if (!why.empty() && MarkedLines(error.excerpt()).find(" ../") != std::string::npos) {
    why = JoinHints(
        why,
        "nothing above the context is in it: give the folder above as the context (and -f), or "
        "--build-context NAME=FOLDER for COPY --from=NAME");
  }
  return why;
}

/// What the request holds of the user's own texts, and how large that is.
struct LargestText {
  std::string name;
  std::size_t bytes = 0;

  void Add(std::string_view what, std::string_view key, std::string_view value) {
    if (value.size() <= bytes) return;
    name = key.empty() ? std::string(what) : Cat(what, ' ', Printable(key));
    bytes = value.size();
  }
};

LargestText LargestOf(const options::BuildOptions& options, const Inputs& inputs) {
  LargestText largest;
  for (const auto& [name, value] : options.build_args)
    largest.Add("--build-arg", name, value.value_or(""));
  for (const auto& [name, value] : options.labels)
    largest.Add("--label", name, value);
  for (const options::Annotation& annotation : options.annotations)
    largest.Add("--annotation", annotation.key, annotation.value);
  largest.Add("the policy of EXPERIMENTAL_BUILDKIT_SOURCE_POLICY", "", inputs.source_policy);
  return largest;
}

/// A message that is too large for the builder (its limit is gRPC's, 4 MiB): what the user said
/// goes into one, the patterns of an ignore file into one of its own.
std::string WhyTooLarge(const Error& error,
                        const options::BuildOptions& options,
                        const Inputs& inputs) {
  constexpr std::size_t kMuch = 1 << 20;
  if (error.message().find("received message larger than max") == std::string::npos) return "";
  const LargestText said = LargestOf(options, inputs);
  if (said.bytes >= kMuch) {
    return Cat("a limit of the builder's, for one request: ", said.name, " takes ",
               ShownBytes(static_cast<std::int64_t>(said.bytes)),
               " of it; what is that large belongs into a file of the context");
  }
  const std::string file = plan::IgnoreFileInForce(inputs.source, inputs.trees).name;
  if (file.empty()) return "";
  return Cat("a limit of the builder's: every pattern of ", Printable(file),
             " travels with the step that loads the context; write fewer, for folders instead of "
             "files");
}

/// The image that a registry did not let the builder at.
std::string_view RefusedImage(std::string_view message) {
  for (std::string_view mark : {"failed to push ", "failed to resolve source metadata for ",
                                "failed to load cache key: ", "failed to copy: "}) {
    const std::size_t at = message.find(mark);
    if (at == std::string_view::npos) continue;
    std::string_view image = message.substr(at + mark.size());
    image = image.substr(0, image.find(": "));
    if (!image.empty() && image.find(' ') == std::string_view::npos) return image;
  }
  return "";
}

/// The name without a registry and a tag that a builder made an image of,
/// docker.io/library/NAME:latest; "" = none.
std::string_view TakenForImage(std::string_view text) {
  constexpr std::string_view kLibrary = "docker.io/library/";
  constexpr std::string_view kAdded = ":latest";
  const std::size_t at = text.find(kLibrary);
  if (at == std::string_view::npos) return "";
  text.remove_prefix(at + kLibrary.size());
  const std::size_t end = std::min(text.find_first_of(":@ "), text.size());
  const std::string_view rest = text.substr(end);
  const bool tagged = rest.starts_with(':') && !rest.starts_with(": ");
  return tagged && !rest.starts_with(kAdded) ? "" : text.substr(0, end);
}

/// "X" of a builder's "(did you mean X?)", or "".
std::string_view Suggestion(std::string_view message) {
  constexpr std::string_view kGuess = "(did you mean ";
  const std::size_t at = message.rfind(kGuess);
  if (at == std::string_view::npos) return "";
  message.remove_prefix(at + kGuess.size());
  return message.substr(0, message.find('?'));
}

plan::DockerfileNames NamesInDockerfile(const Inputs& inputs) {
  const auto tree = inputs.trees.find("dockerfile");
  if (tree == inputs.trees.end()) return {};
  return plan::NamesOfFile(*tree->second, inputs.source.filename).value_or(plan::DockerfileNames());
}

/// What was taken for an image, and may be meant as a stage.
struct MissingStage {
  std::string name;    ///< "" = nothing
  std::string near;    ///< the stage that may be meant; ""
  bool taken = false;  ///< the Dockerfile has files from it, so that it need not be an image
};

MissingStage MeantAsStage(const Error& error, const Inputs& inputs) {
  const plan::DockerfileNames names = NamesInDockerfile(inputs);
  MissingStage missing;
  missing.name = CopiedFrom(error.excerpt());
  missing.taken = !missing.name.empty();
  if (!missing.taken) {
    missing.name = TakenForImage(error.message());
    if (missing.name.empty()) missing.name = TakenForImage(error.place().step);
    missing.taken =
        std::any_of(names.froms.begin(), names.froms.end(),
                    [&](const std::string& from) { return LowerAscii(from) == missing.name; });
  }
  missing.near = Suggestion(error.message());
  if (missing.near.empty() && !missing.name.empty()) {
    const std::string lower = LowerAscii(missing.name);
    missing.near = Nearest(lower, {names.stages.begin(), names.stages.end()});
    // Then it is no stage that was missed.
    if (missing.near == lower) return {};
  }
  // Of a FROM line, only a stage with nearly its name makes it one.
  return missing.taken || !missing.near.empty() ? missing : MissingStage();
}

/// A stage that does not exist is taken for an image, which no registry has, or none gives out.
MissingStage FindMissingStage(const Error& error,
                              const options::BuildOptions& options,
                              const Inputs& inputs) {
  const bool of_registry =
      error.at() == FailedAt::kAuthentication || error.at() == FailedAt::kRegistry;
  if (!of_registry) return {};
  MissingStage missing = MeantAsStage(error, inputs);
  if (missing.name.find_first_of("/.:@$\"'") != std::string::npos) return {};
  const auto& contexts = options.sources.contexts;
  const bool named = std::any_of(contexts.begin(), contexts.end(),
                                 [&](const auto& context) { return context.name == missing.name; });
  return named ? MissingStage() : missing;
}

std::string WhichStage(const MissingStage& missing) {
  return Cat("no stage of the Dockerfile is called ", Printable(missing.name),
             ParseDecimal(missing.name) ? " (RUN --mount takes no number)" : "",
             ", so it was taken for an image",
             missing.near.empty() ? "" : Cat(": did you mean ", Printable(missing.near), '?'));
}

/// Whether it is the Dockerfile that is wrong, and not the registry, which would be asked again in
/// vain: it says that it has no such image, or a stage is called nearly so.
bool IsOfTheDockerfile(const MissingStage& missing, std::string_view message) {
  if (!missing.near.empty()) return true;
  for (std::string_view sign :
       {"not found", "does not exist", "manifest unknown", "name unknown"}) {
    if (missing.taken && message.find(sign) != std::string_view::npos) return true;
  }
  return false;
}

/// The same failure, of the build.
Error AsOfTheBuild(const Error& error) {
  return Error(error.code(), error.message())
      .WithHint(error.hint())
      .WithExcerpt(error.excerpt())
      .WithOriginal(error.original())
      .WithPlace(error.place());
}

std::string WhyRefused(const Error& error, const registry::Keyring& keyring, const Cancel& cancel) {
  const std::string_view image = RefusedImage(error.message());
  if (image.empty()) return "";
  Result<Reference> reference = ParseReference(image);
  if (!reference) return "";
  const std::string& domain = reference->domain;
  const std::string host = domain == "docker.io" ? "registry-1.docker.io" : domain;
  Result<std::optional<registry::Credential>> used = keyring.Best(host, cancel);
  if (!used) return "";
  const std::string command =
      domain == "docker.io" ? "docker login" : Cat("docker login ", Printable(domain));
  if (!*used) {
    return Cat("no credentials are configured for ", Printable(domain), ": ", command,
               ", or DOCKER_AUTH_CONFIG");
  }
  const std::string& user = (*used)->username;
  return Cat("the credentials of ", Printable((*used)->source),
             user.empty() ? "" : Cat(" (user ", Printable(user), ')'), " for ", Printable(domain),
             " do not open it: are they still valid, and may they do this? ", command,
             " gives others");
}

}  // namespace

Error Explain(Error error,
              const options::BuildOptions& options,
              const Inputs& inputs,
              const registry::Keyring& keyring,
              const Cancel& cancel) {
  if (error.code() == ErrorCode::kCancelled) return error;
  std::string why = WhyNotFound(error, inputs);
  if (why.empty()) why = WhyTooLarge(error, options, inputs);
  if (why.empty() && error.message().find("the pattern ") != std::string::npos) {
    why = plan::WhichPatternIsMalformed(inputs.source, inputs.trees);
  }
  if (why.empty() && error.at() == FailedAt::kAuthentication) {
    why = WhyRefused(error, keyring, cancel);
  }
  const MissingStage stage = FindMissingStage(error, options, inputs);
  if (!stage.name.empty()) {
    if (why.empty()) why = error.hint();
    why = JoinHints(WhichStage(stage), why.empty() ? "" : Cat("if an image is meant: ", why));
    if (IsOfTheDockerfile(stage, error.message())) error = AsOfTheBuild(error);
  }
  return why.empty() ? error : std::move(error).WithHint(std::move(why));
}

}  // namespace depot::job
