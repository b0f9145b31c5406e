// A definition in both syntaxes: parsing never ends the program, and evaluating all of it is
// bounded.

#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "plugin/hcl/document.h"
#include "plugin/hcl/evaluate.h"
#include "plugin/hcl/value.h"

namespace {

using depot::hcl::Content;

void EvaluateAll(const Content& content, depot::hcl::Scope& scope) {
  for (const auto& attribute : content.attributes) {
    const auto value = depot::hcl::Evaluate(attribute.value, scope);
    if (!value && value.error().message().empty()) std::abort();
    if (!value) continue;
    const auto json = depot::hcl::ToJson(*value);
    // What was written is read again, and has the same JSON.
    if (json && depot::hcl::ToJson(*depot::hcl::ParseJson(*json)).value_or("") != *json)
      std::abort();
  }
}

void Check(std::string_view text, depot::hcl::Syntax syntax) {
  const auto body = depot::hcl::Parse("f", std::string(text), syntax);
  if (!body) {
    if (body.error().message().empty()) std::abort();
    return;
  }
  const auto content = body->Read({{"target", 1}, {"function", 1}});
  if (!content) return;
  depot::hcl::Scope scope;
  for (const auto& attribute : content->attributes)
    scope.Define(attribute.name, attribute.name_range,
                 [&] { return depot::hcl::Evaluate(attribute.value, scope); });
  for (const auto& block : content->blocks) {
    if (block.type == "function") (void)scope.DefineFunction(block);
  }
  (void)scope.CheckFunctions();
  EvaluateAll(*content, scope);
  for (const auto& block : content->blocks) {
    const auto inner = block.body.Read({});
    if (inner) EvaluateAll(*inner, scope);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  Check(text, depot::hcl::Syntax::kNative);
  Check(text, depot::hcl::Syntax::kJson);
  return 0;
}
