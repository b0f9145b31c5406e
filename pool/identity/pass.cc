#include "pool/identity/pass.h"

#include <algorithm>
#include <memory>

#include <openssl/x509v3.h>

#include "driver/base/shown.h"
#include "driver/base/text.h"

namespace depot::identity {
namespace {

constexpr std::string_view kPrefix = "depot-pool:";
constexpr std::size_t kLongestName = 64;

struct FreeNames {
  void operator()(GENERAL_NAMES* names) const { GENERAL_NAMES_free(names); }
};

std::string* Field(Pass& pass, std::string_view kind) {
  if (kind == "builder") return &pass.builder;
  if (kind == "project") return &pass.project;
  return kind == "build" ? &pass.build : nullptr;
}

/// False when the name is one of ours and says something that cannot be.
bool Take(Pass& pass, std::string_view uri) {
  if (!uri.starts_with(kPrefix)) return true;
  uri.remove_prefix(kPrefix.size());
  const std::size_t colon = std::min(uri.find(':'), uri.size());
  std::string* field = Field(pass, uri.substr(0, colon));
  const std::string_view name = uri.substr(std::min(colon + 1, uri.size()));
  if (field == nullptr || !field->empty() || !IsPassName(name)) return false;
  *field = name;
  return true;
}

}  // namespace

bool IsPassName(std::string_view name) {
  return !name.empty() && name.size() <= kLongestName && name != "." && name != ".." &&
         std::all_of(name.begin(), name.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  std::string_view("._-@").find(c) != std::string_view::npos;
         });
}

Result<Pass> ReadPass(const X509& certificate) {
  const std::unique_ptr<GENERAL_NAMES, FreeNames> names(static_cast<GENERAL_NAMES*>(
      X509_get_ext_d2i(&certificate, NID_subject_alt_name, nullptr, nullptr)));
  Pass pass;
  for (int i = 0; i < sk_GENERAL_NAME_num(names.get()); ++i) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(names.get(), i);
    if (name->type != GEN_URI) continue;
    const ASN1_IA5STRING* uri = name->d.uniformResourceIdentifier;
    const auto* text = reinterpret_cast<const char*>(ASN1_STRING_get0_data(uri));
    if (!Take(pass, {text, static_cast<std::size_t>(ASN1_STRING_length(uri))})) {
      return Fail(ErrorCode::kDenied, "the certificate says what no pool says");
    }
  }
  if (pass.builder.empty()) {
    return Fail(ErrorCode::kDenied, "the certificate names no builder");
  }
  return pass;
}

Result<std::string> WritePass(const Pass& pass) {
  std::string text;
  const auto add = [&](std::string_view kind, const std::string& name) {
    text += Cat(text.empty() ? "" : ",", "URI:", kPrefix, kind, ':', name);
    return IsPassName(name);
  };
  if (!add("builder", pass.builder) || !add("project", pass.project) ||
      (!pass.build.empty() && !add("build", pass.build))) {
    return Fail(ErrorCode::kInvalid, Cat("a certificate cannot say this: ", Printable(text)));
  }
  return text;
}

}  // namespace depot::identity
