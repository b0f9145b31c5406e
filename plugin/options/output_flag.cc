#include "plugin/options/output_flag.h"

#include <algorithm>

#include "driver/base/shown.h"
#include "driver/base/text.h"
#include "plugin/options/attributes.h"

namespace depot::options {
namespace {

using Words = std::vector<std::string_view>;

const Words& OutputTypes() {
  static const Words types = {"local", "tar", "oci", "docker", "image", "registry", "cacheonly"};
  return types;
}

/// What image, oci and docker have in common (BuildKit exporter/containerimage/exptypes/keys.go).
const Words& ImageKeys() {
  // The name without its first 'l' is BuildKit's own spelling.
  static const Words keys = {"name",
                             "dangling-name-prefix",
                             "danging-name-empty-only",
                             "name-canonical",
                             "compression",
                             "compression-level",
                             "force-compression",
                             "oci-mediatypes",
                             "oci-artifact",
                             "attestation-inline",
                             "prefer-nondist-layers",
                             "source-date-epoch",
                             "rewrite-timestamp"};
  return keys;
}

Words OutputKeys(std::string_view type) {
  Words keys = {"type"};
  if (type == "cacheonly") return keys;
  if (type == "local" || type == "tar") {
    keys.insert(keys.end(),
                {"dest", "attestation-prefix", "platform-split", "source-date-epoch", "devices"});
    if (type == "local") keys.push_back("mode");
    return keys;
  }
  keys.insert(keys.end(), ImageKeys().begin(), ImageKeys().end());
  if (type == "oci" || type == "docker") {
    keys.insert(keys.end(), {"dest", "tar"});
    if (type == "docker") keys.push_back("context");
  } else {
    keys.insert(keys.end(), {"push", "push-by-digest", "registry.insecure", "unpack", "store"});
  }
  return keys;
}

bool Contains(const Words& words, std::string_view word) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

/// annotation.KEY, annotation-index.KEY, annotation-manifest[linux/amd64].KEY, ...
bool IsAnnotation(std::string_view key) {
  return key.starts_with("annotation") && key.find('.') != std::string_view::npos;
}

Error WrongOutput(std::string_view message) {
  return Error(ErrorCode::kUsage, Cat("--output: ", message));
}

bool IsSwitchKey(std::string_view key) {
  static const Words keys = {"push",
                             "push-by-digest",
                             "registry.insecure",
                             "unpack",
                             "store",
                             "danging-name-empty-only",
                             "name-canonical",
                             "oci-mediatypes",
                             "oci-artifact",
                             "tar",
                             "prefer-nondist-layers",
                             "force-compression",
                             "platform-split",
                             "rewrite-timestamp",
                             "attestation-inline"};
  return Contains(keys, key);
}

Result<> CheckValue(const std::string& key, const std::string& value) {
  static const Words compressions = {"uncompressed", "gzip", "estargz", "zstd"};
  if (IsSwitchKey(key) && !ParseBool(value)) {
    return Fail(WrongOutput(Cat(key, " is true or false, not \"", Printable(value), "\"")));
  }
  if (key == "compression" && !Contains(compressions, value)) {
    return Fail(WrongOutput(
        Cat("unknown compression \"", Printable(value), "\"", Suggest(value, compressions))));
  }
  if (key == "compression-level" && ParseDecimal(value).value_or(99) > 22) {
    return Fail(
        WrongOutput("compression-level is a number up to 9 for gzip and estargz, 22 for zstd"));
  }
  if (key == "mode" && value != "copy" && value != "delete") {
    return Fail(WrongOutput(Cat("mode is copy or delete, not \"", Printable(value), "\"")));
  }
  if (key == "context") {
    return Fail(
        Error(WrongOutput("context=NAME: an image is loaded into the Engine that docker talks to"))
            .WithHint("choose that by DOCKER_CONTEXT, or by --context in front of the command"));
  }
  return {};
}

Result<> CheckDestination(const Output& output, bool given) {
  if (given && output.dest.empty()) return Fail(WrongOutput("dest is empty"));
  const auto tar = output.attrs.find("tar");
  const bool layout = tar != output.attrs.end() && !*ParseBool(tar->second);
  if (layout && (output.dest.empty() || output.dest == "-")) {
    return Fail(
        Error(WrongOutput(Cat("dest is required for ", output.type, " exporter with tar=false")))
            .WithHint("add dest=DIRECTORY"));
  }
  if (output.type != "local") return {};
  if (output.dest.empty()) {
    return Fail(
        Error(WrongOutput("dest is required for local exporter")).WithHint("add dest=DIRECTORY"));
  }
  if (output.dest == "-") {
    return Fail(Error(WrongOutput("type=local cannot go to standard output"))
                    .WithHint("write type=tar,dest=- for a tar archive of the files"));
  }
  return {};
}

Result<std::string> TypeOf(const std::vector<Attribute>& attributes) {
  auto type = std::find_if(attributes.begin(), attributes.end(),
                           [](const Attribute& attribute) { return attribute.key == "type"; });
  if (type == attributes.end()) {
    return Fail(Error(WrongOutput("type is missing"))
                    .WithHint("write type=local, tar, oci, docker, image or registry, or only a "
                              "path, which means type=local"));
  }
  if (!Contains(OutputTypes(), type->value)) {
    return Fail(WrongOutput(
        Cat("unknown type \"", Printable(type->value), "\"", Suggest(type->value, OutputTypes()))));
  }
  return type->value;
}

/// A lone field is a path, "dest=x" too, as for buildx; unless it is plainly meant to say a type.
bool IsPath(std::string_view value) {
  if (value.find_first_of(",\"") != std::string_view::npos) return false;
  const std::size_t sign = value.find('=');
  if (sign == std::string_view::npos) return true;
  return Nearest(LowerAscii(Trim(value.substr(0, sign))), {"type"}).empty();
}

}  // namespace

Result<Output> ParseOutput(std::string_view value) {
  if (value.empty()) {
    return Fail(Error(WrongOutput("the value is empty")).WithHint("write a path, - or type=..."));
  }
  if (value == "-") return Output{"tar", "-", {}};
  if (IsPath(value)) return Output{"local", std::string(value), {}};
  TRY_ASSIGN(std::vector<Attribute> attributes, ParseAttributes(value, "--output"));
  Output output;
  TRY_ASSIGN(output.type, TypeOf(attributes));
  Words known = OutputKeys(output.type);
  bool has_dest = false;
  for (const Attribute& attribute : attributes) {
    const std::string& key = attribute.key;
    bool annotation = IsAnnotation(key) && Contains(known, "name");
    if (!annotation && !Contains(known, key)) {
      return Fail(WrongOutput(Cat("type=", output.type, " has no attribute \"", Printable(key),
                                  "\"", Suggest(key, known))));
    }
    TRY(CheckValue(key, attribute.value));
    if (key == "dest") {
      output.dest = attribute.value;
      has_dest = true;
    } else if (key != "type" && !(key == "mode" && attribute.value == "copy")) {
      output.attrs[key] = attribute.value;
    }
  }
  TRY(CheckDestination(output, has_dest));
  return output;
}

}  // namespace depot::options
