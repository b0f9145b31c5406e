#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "driver/base/environment.h"
#include "driver/base/result.h"
#include "plugin/bake/definition.h"
#include "plugin/bake/ignored.h"
#include "plugin/hcl/document.h"
#include "plugin/hcl/evaluate.h"

namespace depot::bake {

/// The `variable` blocks and global attributes of a definition.
class Variables {
 public:
  /// Later blocks of a name replace earlier ones; names that mean something else are left out.
  /// `content` and `environment` must outlive it.
  static Result<Variables> Read(const hcl::Content& content, const Environment& environment);

  /// Makes all of them known in `scope`, which must not outlive *this: each is evaluated when it is
  /// first asked for.
  void DefineIn(hcl::Scope& scope) const;

  /// Evaluates all, and then what they must fulfil.
  Result<> Check(const hcl::Scope& scope) const;

  /// What the blocks say and nothing obeys.
  Result<> AddTo(Ignored& ignored) const;

  /// Of the blocks, sorted by name.
  Result<std::vector<VariableFact>> Facts(const hcl::Scope& scope) const;

 private:
  struct Variable {
    const hcl::Block* block = nullptr;
    hcl::Content content;
    std::optional<hcl::Type> type;
    hcl::Expression fallback;  ///< empty = no default
  };

  Result<hcl::Value> ValueOf(const std::string& name,
                             const Variable& variable,
                             const hcl::Scope& scope) const;
  Result<hcl::Value> Untyped(const std::string& name,
                             const Variable& variable,
                             const hcl::Scope& scope) const;
  std::optional<std::string> Said(const std::string& name) const;

  const Environment* environment_ = nullptr;
  std::map<std::string, Variable> variables_;
  std::map<std::string, const hcl::Attribute*> constants_;
};

}  // namespace depot::bake
