#include "driver/docker/credential_program.h"

#include "driver/base/json.h"
#include "driver/base/shown.h"
#include "driver/base/subprocess.h"
#include "driver/base/text.h"

namespace depot::docker {
namespace {

using registry::Credential;

constexpr std::chrono::seconds kPatience(60);
constexpr std::string_view kNotFoundText = "credentials not found in native keychain";

/// What a failed helper said, if it is surely no credential.
std::string Complaint(const SubprocessOutput& output) {
  std::string_view text = Trim(output.standard_output);
  if (text.empty()) {
    text = Trim(output.standard_error);
    std::size_t line = text.rfind('\n');
    if (line != std::string_view::npos) text.remove_prefix(line + 1);
  }
  if (text.find('{') != std::string_view::npos || text.find("Secret") != std::string_view::npos) {
    return "";
  }
  return RedactUrls(Printable(text.substr(0, 300)));
}

}  // namespace

Result<std::optional<Credential>> AskCredentialProgram(const CredentialProgram& program,
                                                       const std::string& key,
                                                       const Cancel& cancel) {
  std::string name = "docker-credential-" + program.suffix;
  std::string what =
      Printable(Cat("the credential helper ", name, " (", program.named_by, ") asked for ", key));
  if (program.suffix.find('/') != std::string::npos) {
    return Fail(ErrorCode::kInvalid, Cat(what, ": a helper's name has no slash"));
  }
  Result<SubprocessOutput> output =
      RunSubprocess({name, "get"}, key, cancel.WithTimeout(kPatience, Cat(what, ", no answer")));
  if (!output) {
    if (output.error().code() != ErrorCode::kNotFound) return Fail(output.error());
    return Fail(Error(ErrorCode::kNotFound, Cat(what, ": there is no such program in PATH"))
                    .WithHint(Cat("install ", Printable(name),
                                  ", or take it out of config.json and run "
                                  "docker login")));
  }
  const std::string by_hand = Cat("does it work by hand? It is given ", Printable(key),
                                  " on standard input: ", Printable(name), " get");
  if (output->exit_code != 0) {
    if (Trim(output->standard_output) == kNotFoundText) return std::nullopt;
    std::string complaint = Complaint(*output);
    if (complaint.empty()) complaint = Cat("exit code ", output->exit_code);
    return Fail(Error(ErrorCode::kFailed, Cat(what, " failed: ", complaint)).WithHint(by_hand));
  }
  Secret text(std::move(output->standard_output));
  Result<Json> json = Json::Parse(text.Reveal());
  if (!json || !json->is_object()) {
    return Fail(Error(ErrorCode::kFailed, Cat(what, ": its answer is not a JSON object"))
                    .WithHint(by_hand));
  }
  Credential credential;
  credential.username = (*json)["Username"].AsString();
  credential.source = Cat("helper ", name);
  Secret secret((*json)["Secret"].AsString());
  if (secret.empty()) return std::nullopt;
  if (credential.username == "<token>") {
    credential.username.clear();
    credential.identity_token = std::move(secret);
  } else {
    credential.password = std::move(secret);
  }
  return credential;
}

}  // namespace depot::docker
