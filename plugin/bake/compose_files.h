#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "driver/base/environment.h"
#include "driver/base/result.h"
#include "driver/base/yaml.h"
#include "plugin/bake/compose.h"

namespace depot::bake {

/// Compose files as one tree: variables replaced, in their long form, with what they include and
/// extend. One thread.
class ComposeFiles {
 public:
  /// Of what the files name, that is read which lies below the working directory or one of
  /// Surroundings::readable, with symlinks followed, and is a regular file. `surroundings` must
  /// outlive it.
  explicit ComposeFiles(const Surroundings& surroundings)
      : environment_(surroundings.variables), readable_(surroundings.readable) {}

  /// Once.
  Result<Yaml> Load(const std::vector<DefinitionFile>& files);

  /// A variable as compose files see it: the environment, then `.env`.
  std::optional<std::string> Find(const std::string& name) const;

  /// The variables of an `env_file`; none when it need not be there and is not.
  Result<Environment> ReadEnvFile(const std::string& path, bool required) const;

 private:
  Result<std::optional<std::string>> ReadNamed(const std::string& path) const;
  Result<Yaml> ReadTree(const DefinitionFile& file);
  Result<Yaml> ReadPath(const std::string& path);
  Result<> Include(Yaml& file, const std::string& folder, std::size_t depth);
  Result<> IncludeOne(const Yaml& entry, Yaml& into, std::size_t depth);
  Result<> ExtendAll(Yaml& file);
  Result<> Extend(Yaml& services, const std::string& name, std::size_t depth);
  Result<Yaml> ServiceOf(const std::string& path, const std::string& name, std::size_t depth);

  const Environment& environment_;
  const std::function<Strings()>& readable_;
  Environment dotenv_;
  std::string project_;  ///< `name` of the files; "" = none
  std::size_t files_read_ = 0;
};

}  // namespace depot::bake
