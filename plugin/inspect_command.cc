#include "plugin/inspect_command.h"

#include <memory>
#include <optional>

#include "driver/base/shown.h"
#include "driver/base/text.h"
#include "driver/docker/credential_store.h"
#include "driver/flags/flag_table.h"
#include "driver/oci/manifest.h"
#include "driver/registry/repository.h"
#include "plugin/docker_setup.h"
#include "plugin/http_client.h"

namespace depot {
namespace {

constexpr std::string_view kPredicateType = "in-toto.io/predicate-type";

struct InspectLine {
  Reference name;
  bool raw = false;
  bool help = false;
};

std::vector<flags::Flag> InspectTable(InspectLine& line) {
  return {
      {"help", 'h', flags::FlagKind::kSwitch, "", "Print usage", flags::Into(line.help)},
      {"raw", 0, flags::FlagKind::kSwitch, "", "Print the index or manifest byte for byte",
       flags::Into(line.raw)},
  };
}

std::string Usage(std::string_view program) {
  return Cat(program, " inspect [OPTIONS] NAME");
}

Result<InspectLine> ParseLine(const options::Invocation& invocation) {
  InspectLine line;
  auto parse = [&]() -> Result<> {
    TRY_ASSIGN(auto arguments, flags::ParseWords(InspectTable(line), invocation.arguments,
                                                 flags::Placement::kAnywhere));
    if (line.help) return {};
    if (arguments.size() != 1) {
      return Fail(ErrorCode::kUsage, Cat("'", invocation.program,
                                         " inspect' requires 1 argument, the name of an image"));
    }
    Result<Reference> name = ParseReference(arguments.front());
    if (!name) return Fail(ErrorCode::kUsage, name.error().message());
    line.name = std::move(*name);
    return {};
  };
  if (Result<> parsed = parse(); !parsed) {
    return Fail(std::move(parsed).error().WithHint(Cat("usage: ", Usage(invocation.program))));
  }
  return line;
}

std::string Annotations(const Json& annotations, std::string_view indent) {
  if (annotations.size() == 0) return "";
  std::string text = Cat(indent, "Annotations:\n");
  for (const std::string& key : annotations.Keys())
    text += Cat(indent, "  ", Printable(key), ": ", Printable(annotations[key].AsString()), "\n");
  return text;
}

/// Writes about one image or index of a registry. It prints only what it has checked or made
/// printable: all of it was written by others.
class Report {
 public:
  Report(registry::Repository& repository, const Cancel& cancel)
      : repository_(repository), cancel_(cancel) {}

  Result<std::string> About(const Reference& name, const registry::StoredManifest& stored) {
    text_ = Cat("Name:      ", FormatReference(name), "\nMediaType: ", stored.media_type,
                "\nDigest:    ", stored.digest, "\n");
    Result<> told = IsIndex(stored.media_type) ? TellIndex(stored) : TellImage(stored);
    if (!told) return Fail(std::move(told).error());
    return std::move(text_);
  }

 private:
  Result<> TellImage(const registry::StoredManifest& stored) {
    TRY_ASSIGN(Json said, registry::ReadImagePlatform(repository_, stored.bytes, cancel_));
    std::optional<Platform> platform = ReadPlatform(said);
    if (platform) text_ += Cat("Platform:  ", Printable(FormatPlatform(*platform)), "\n");
    return TellAnnotations(stored);
  }

  Result<> TellIndex(const registry::StoredManifest& stored) {
    Result<ImageIndex> index = ParseIndex(stored.bytes);
    if (!index) {
      return Fail(std::move(index).error().While(
          Cat("the index ", repository_.name(), '@', stored.digest)));
    }
    TRY(TellAnnotations(stored));
    text_ += "\nPlatforms:\n";
    for (const Descriptor& entry : index->manifests) {
      if (!AttestedDigest(entry).empty()) continue;
      std::string platform =
          entry.platform ? Printable(FormatPlatform(*entry.platform)) : "no platform named";
      text_ += Cat("  ", platform, "\n    Digest:    ", entry.digest,
                   "\n    MediaType: ", Printable(entry.media_type), "\n",
                   Annotations(entry.json["annotations"], "    "));
      for (const Descriptor& attestation : index->manifests) {
        if (AttestedDigest(attestation) == entry.digest) TRY(TellAttestation(attestation));
      }
    }
    return {};
  }

  Result<> TellAttestation(const Descriptor& attestation) {
    TRY_ASSIGN(registry::StoredManifest stored,
               repository_.GetManifest(attestation.digest, cancel_));
    Result<Manifest> manifest = ParseManifest(stored.bytes);
    if (!manifest) {
      return Fail(std::move(manifest).error().While(
          Cat("the attestation manifest ", repository_.name(), '@', attestation.digest)));
    }
    text_ += Cat("    Attestations: ", attestation.digest, "\n");
    for (const Descriptor& layer : manifest->layers) {
      auto type = layer.annotations.find(std::string(kPredicateType));
      bool named = type != layer.annotations.end();
      text_ += Cat("      ", named ? Printable(type->second) : Printable(layer.media_type), "\n");
    }
    return {};
  }

  Result<> TellAnnotations(const registry::StoredManifest& stored) {
    TRY_ASSIGN(Json json, Json::Parse(stored.bytes));
    text_ += Annotations(json["annotations"], "");
    return {};
  }

  registry::Repository& repository_;
  const Cancel& cancel_;
  std::string text_;
};

}  // namespace

Result<> RunInspect(const options::Invocation& invocation,
                    const Environment& environment,
                    Terminal& terminal,
                    const Cancel& cancel) {
  TRY_ASSIGN(InspectLine line, ParseLine(invocation));
  if (line.help) {
    return terminal.WriteResult(Cat("Usage:  ", Usage(invocation.program),
                                    "\n\nShow what a registry has under a name\n\nOptions:\n",
                                    flags::FormatFlags(InspectTable(line))),
                                cancel);
  }
  TRY_ASSIGN(DockerSetup setup, ReadDockerSetup(invocation.globals, environment));
  auto say = [&](const std::string& text) { terminal.WriteError(Cat(text, "\n"), cancel); };
  auto credentials =
      docker::MakeCredentialStore(setup.credentials, Variable(environment, "PATH"), say);
  auto http = MakeHttpClient(environment);
  registry::Keyring keyring(*credentials, say);
  auto registries = registry::MakeRegistries(*http, keyring, {{}, say});
  auto repository = registries->Open(line.name, registry::Access::kPull);
  const std::string& target = line.name.digest.empty() ? line.name.tag : line.name.digest;
  TRY_ASSIGN(registry::StoredManifest stored, repository->GetManifest(target, cancel));
  if (line.raw) return terminal.WriteResult(stored.bytes, cancel);
  TRY_ASSIGN(std::string text, Report(*repository, cancel).About(line.name, stored));
  return terminal.WriteResult(text, cancel);
}

}  // namespace depot
