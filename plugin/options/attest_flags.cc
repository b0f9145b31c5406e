#include "plugin/options/attest_flags.h"

#include <algorithm>
#include <vector>

#include "driver/base/shown.h"
#include "driver/base/text.h"
#include "plugin/options/attributes.h"

namespace depot::options {
namespace {

using Words = std::vector<std::string_view>;

Result<> CheckWord(std::string_view flag,
                   std::string_view key,
                   std::string_view value,
                   const Words& known) {
  if (std::find(known.begin(), known.end(), value) != known.end()) return {};
  return Fail(
      Wrong(flag, Cat("unknown ", key, " \"", Printable(value), "\"", Suggest(value, known))));
}

Result<> CheckSwitch(std::string_view flag, std::string_view key, std::string_view value) {
  if (ParseBool(value)) return {};
  return Fail(Wrong(flag, Cat(key, " is true or false, not \"", Printable(value), "\"")));
}

/// BuildKit solver/llbsolver/provenance.go, NewProvenanceCreator.
Result<> CheckProvenance(std::string_view flag, std::string_view key, std::string_view value) {
  static const Words keys = {"mode",     "version",     "builder-id",   "reproducible",
                             "filename", "inline-only", "capture-usage"};
  if (std::find(keys.begin(), keys.end(), key) == keys.end()) {
    return Fail(Wrong(
        flag, Cat("provenance has no attribute \"", Printable(key), "\"", Suggest(key, keys))));
  }
  if (key == "mode") return CheckWord(flag, key, value, {"min", "max", "full"});
  if (key == "version") return CheckWord(flag, key, value, {"v0.2", "v1"});
  if (key == "builder-id" || key == "filename") return {};
  return CheckSwitch(flag, key, value);
}

/// A scanner may have attributes of its own, so only a misspelt `generator` is known to be wrong.
Result<> CheckSbom(std::string_view flag, std::string_view key) {
  std::string lower = LowerAscii(key);
  if (key == "generator" || Nearest(lower, {"generator"}).empty()) return {};
  return Fail(
      Wrong(flag, Cat("sbom has no attribute \"", Printable(key), "\", did you mean generator?")));
}

Result<> Take(std::string_view flag, const std::string& field, Attestation& into) {
  std::size_t sign = field.find('=');
  if (sign == std::string::npos) {
    return Fail(Wrong(flag, Cat("\"", Printable(field), "\" must be a key=value pair")));
  }
  std::string_view written = Trim(std::string_view(field).substr(0, sign));
  std::string key = LowerAscii(written);
  std::string value = field.substr(sign + 1);
  if (key == "type") {
    TRY(CheckWord(flag, "type", value, {"provenance", "sbom"}));
    if (!into.type.empty() && into.type != value) return Fail(Wrong(flag, "several types"));
    into.type = value;
  } else if (key == "disabled") {
    TRY(CheckSwitch(flag, key, value));
    into.disabled = *ParseBool(value);
  } else {
    // Names of a scanner's attributes are its own matter, capitals included.
    bool known = key == "generator";
    into.attrs[into.type == "sbom" && !known ? std::string(written) : key] = value;
  }
  return {};
}

Result<Attestation> ParseAttestation(std::string_view flag,
                                     std::string_view type,
                                     std::string_view value) {
  auto fields = SplitRecord(value);
  if (!fields) return Fail(std::move(fields).error().While(flag));
  Attestation attestation;
  attestation.type = type;
  // The type decides how the others are read, wherever it stands.
  std::stable_partition(fields->begin(), fields->end(), [](const std::string& field) {
    return LowerAscii(Trim(std::string_view(field).substr(0, field.find('=')))) == "type";
  });
  for (const std::string& field : *fields)
    TRY(Take(flag, field, attestation));
  if (attestation.type.empty()) {
    return Fail(Wrong(flag, "the type is missing").WithHint("write type=sbom or type=provenance"));
  }
  for (const auto& [key, text] : attestation.attrs) {
    TRY(attestation.type == "sbom" ? CheckSbom(flag, key) : CheckProvenance(flag, key, text));
  }
  if (attestation.disabled) attestation.attrs.clear();
  return attestation;
}

}  // namespace

Result<> AttestFlags::AddAttest(std::string_view value) {
  TRY_ASSIGN(Attestation attestation, ParseAttestation("--attest", "", value));
  return Add(std::move(attestation), Cat("--attest ", Printable(value)));
}

Result<> AttestFlags::AddShorthand(std::string_view type, std::string_view value) {
  if (value.empty()) return {};
  std::string flag = Cat("--", type);
  if (auto on = ParseBool(value)) {
    return Add({std::string(type), !*on, {}}, Cat(flag, '=', value));
  }
  if (value.find('=') == std::string_view::npos) {
    return Fail(Wrong(flag, Cat("\"", Printable(value),
                                "\" is neither true nor false nor "
                                "key=value"))
                    .WithHint(Cat("write ", flag, "=true")));
  }
  TRY_ASSIGN(Attestation attestation, ParseAttestation(flag, type, value));
  return Add(std::move(attestation), Cat(flag, '=', Printable(value)));
}

Result<> AttestFlags::Add(Attestation attestation, std::string flag) {
  std::string type = attestation.type;
  auto [earlier, fresh] = wanted_.try_emplace(type, attestation);
  if (fresh) {
    flags_[type] = std::move(flag);
    return {};
  }
  if (earlier->second == attestation) return {};
  return Fail(
      Error(ErrorCode::kUsage, Cat(flags_[type], " and ", flag, " want different things of ", type))
          .WithHint("give one of them"));
}

}  // namespace depot::options
