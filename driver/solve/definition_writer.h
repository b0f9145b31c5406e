#pragma once

#include <memory>
#include <string>

namespace pb {
class Definition;
class Op;
}  // namespace pb

namespace depot::solve {

/// Writes a definition for a frontend's input, operation by operation.
class DefinitionWriter {
 public:
  DefinitionWriter();
  ~DefinitionWriter();

  /// Gives its digest, by which later ones name it as their input. `name` is the step's, for
  /// people.
  std::string Add(const pb::Op& op, const std::string& name);

  /// The definition as bytes, whose result is that of the operation `result`.
  std::string Finish(const std::string& result);

 private:
  std::unique_ptr<pb::Definition> definition_;
};

}  // namespace depot::solve
