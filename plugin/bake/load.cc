#include "plugin/bake/load.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <optional>
#include <utility>

#include "driver/base/shown.h"
#include "driver/base/text.h"
#include "driver/disk/lookup.h"
#include "driver/disk/pipe_claims.h"
#include "driver/disk/read_file.h"
#include "plugin/hcl/document.h"

namespace depot::bake {
namespace {

constexpr std::size_t kMostDefinitionBytes = 16 << 20;

constexpr std::array<const char*, 8> kDefaultNames = {
    "compose.yaml",     "compose.yml",     "docker-compose.yml",        "docker-compose.yaml",
    "docker-bake.json", "docker-bake.hcl", "docker-bake.override.json", "docker-bake.override.hcl"};

/// The names of the files in `folder`; of many the first.
std::vector<std::string> FilesIn(const std::filesystem::path& folder) {
  constexpr std::size_t kMost = 1000;
  std::vector<std::string> names;
  std::error_code error;
  for (std::filesystem::directory_iterator entry(folder.empty() ? "." : folder, error), end;
       !error && entry != end && names.size() < kMost; entry.increment(error)) {
    if (!entry->is_directory(error)) names.push_back(entry->path().filename());
  }
  return names;
}

/// What `name` (of -f) may mean that cannot be read.
std::string HintOf(const std::filesystem::path& name) {
  std::error_code error;
  const bool folder = std::filesystem::is_directory(name, error);
  const std::filesystem::path parent = folder ? name : name.parent_path();
  const std::vector<std::string> files = FilesIn(parent);
  const auto usual = std::find_if(files.begin(), files.end(), [](const std::string& file) {
    return std::find(kDefaultNames.begin(), kDefaultNames.end(), file) != kDefaultNames.end();
  });
  std::string_view near =
      folder ? "" : Nearest(name.filename().native(), {files.begin(), files.end()});
  if (near.empty() && usual != files.end()) near = *usual;
  const std::string file = Printable((parent / near).string());
  if (!near.empty()) {
    return folder ? Cat("name the file in it: -f ", file) : Cat("did you mean -f ", file, "?");
  }
  if (folder) return "-f names a file";
  return name.is_absolute() ? "" : "-f is relative to the working directory";
}

/// Whatever it is that gives bytes, as opposed to a folder or nothing.
bool IsFile(const std::string& name) {
  std::error_code error;
  const auto status = std::filesystem::status(name, error);
  return std::filesystem::exists(status) && !std::filesystem::is_directory(status);
}

Result<DefinitionFile> ReadOne(std::string name,
                               int standard_input,
                               disk::PipeClaims& pipes,
                               const Cancel& cancel) {
  if (name.starts_with(kHere)) name.erase(0, kHere.size());
  const bool input = name == "-";
  if (!(input ? pipes.Claim(standard_input) : pipes.Claim(name))) {
    return Fail(Error(ErrorCode::kInvalid, Cat("-f ", Printable(name), " has been read already"))
                    .WithHint("what a pipe gives can be read once: name it once, or a file"));
  }
  auto text =
      input ? disk::ReadOpenFile(standard_input, "standard input", kMostDefinitionBytes, cancel)
            : disk::ReadTyped(name, kMostDefinitionBytes, cancel);
  if (!text && !input && text.error().hint().empty() && !IsFile(name)) {
    return Fail(std::move(text).error().WithHint(HintOf(name)));
  }
  if (!text) return Fail(std::move(text).error());
  return DefinitionFile{std::move(name), *std::move(text)};
}

/// One that nobody named: it came with the sources.
Result<std::optional<DefinitionFile>> ReadUsual(const char* name) {
  std::error_code error;
  const auto status = std::filesystem::symlink_status(name, error);
  if (status.type() == std::filesystem::file_type::not_found) return std::nullopt;
  TRY_ASSIGN(std::string text, disk::ReadBeneath(".", name, kMostDefinitionBytes));
  if (text.empty()) return std::nullopt;
  return DefinitionFile{name, std::move(text)};
}

Strings NamesFromVariable(const Environment& environment) {
  std::string separator = Variable(environment, "BUILDX_BAKE_PATH_SEPARATOR");
  if (separator.empty()) separator = ":";
  const std::string list = Variable(environment, "BUILDX_BAKE_FILE");
  std::string_view rest = list;
  Strings names;
  while (true) {
    const std::size_t end = rest.find(separator);
    const std::string_view name = Trim(rest.substr(0, end));
    if (!name.empty()) names.emplace_back(name);
    if (end == std::string_view::npos) return names;
    rest.remove_prefix(end + separator.size());
  }
}

bool Exists(const std::filesystem::path& path) {
  std::error_code error;
  return std::filesystem::exists(path, error);
}

/// Contexts are relative to the working directory, so the definition of a folder above is not taken
/// by itself; beyond the git checkout it is nobody's concern.
std::string HintOfNone() {
  std::error_code error;
  std::filesystem::path folder = std::filesystem::current_path(error);
  std::string nearest;
  for (; !error && folder.has_relative_path(); folder = folder.parent_path()) {
    for (const char* name : kDefaultNames)
      if (nearest.empty() && Exists(folder / name)) nearest = (folder / name).string();
    if (!Exists(folder / ".git")) continue;
    if (!nearest.empty()) return Cat("there is ", Printable(nearest), ": run it in its folder");
    break;
  }
  return "write docker-bake.hcl or compose.yaml, or name a file: -f FILE";
}

enum class Form { kCompose, kHcl, kJson, kUnsaid };

Form FormOf(const std::string& name) {
  const std::string lower = LowerAscii(name);
  if (lower.ends_with(".yml") || lower.ends_with(".yaml")) return Form::kCompose;
  if (name.ends_with(".json")) return Form::kJson;
  return name.ends_with(".hcl") ? Form::kHcl : Form::kUnsaid;
}

/// The files, by what they are.
struct Sorted {
  std::vector<DefinitionFile> compose;
  std::optional<Definition> tried;  ///< what one of `compose` says alone
  std::vector<hcl::Body> bodies;
};

Result<> SortUnsaid(const DefinitionFile& file, const Surroundings& surroundings, Sorted& into) {
  auto compose = LoadCompose({file}, surroundings);
  if (compose) {
    into.compose.push_back(file);
    into.tried = *std::move(compose);
    return {};
  }
  auto native = hcl::Parse(file.name, file.text, hcl::Syntax::kNative);
  if (native) {
    into.bodies.push_back(*std::move(native));
    return {};
  }
  auto json = hcl::Parse(file.name, file.text, hcl::Syntax::kJson);
  if (json) {
    into.bodies.push_back(*std::move(json));
    return {};
  }
  return Fail(Error(native.error())
                  .While(Cat(Printable(file.name), " is neither a compose file (",
                             compose.error().message(), ") nor HCL nor JSON")));
}

}  // namespace

Strings NamedFiles(const Strings& named, const Environment& environment) {
  return named.empty() ? NamesFromVariable(environment) : named;
}

Strings DefaultNames() {
  return {kDefaultNames.begin(), kDefaultNames.end()};
}

Result<std::vector<DefinitionFile>> ReadDefinitionFiles(const Strings& named,
                                                        const Environment& environment,
                                                        int standard_input,
                                                        const Cancel& cancel) {
  const Strings names = NamedFiles(named, environment);
  std::vector<DefinitionFile> files;
  disk::PipeClaims pipes;
  for (const std::string& name : names) {
    auto file = ReadOne(name, standard_input, pipes, cancel);
    if (!file && named.empty()) return Fail(std::move(file).error().While("BUILDX_BAKE_FILE"));
    if (!file) return Fail(std::move(file).error());
    files.push_back(*std::move(file));
  }
  if (!names.empty()) return files;
  for (const char* name : kDefaultNames) {
    TRY_ASSIGN(std::optional<DefinitionFile> file, ReadUsual(name));
    if (file) files.push_back(*std::move(file));
  }
  if (!files.empty()) return files;
  return Fail(
      Error(ErrorCode::kNotFound, "couldn't find a bake definition").WithHint(HintOfNone()));
}

Result<Definition> LoadDefinition(const std::vector<DefinitionFile>& files,
                                  const Surroundings& surroundings) {
  Sorted sorted;
  for (const DefinitionFile& file : files) {
    const Form form = FormOf(file.name);
    switch (form) {
      case Form::kCompose:
        sorted.compose.push_back(file);
        break;
      case Form::kUnsaid:
        TRY(SortUnsaid(file, surroundings, sorted));
        break;
      case Form::kHcl:
      case Form::kJson: {
        const auto syntax = form == Form::kJson ? hcl::Syntax::kJson : hcl::Syntax::kNative;
        TRY_ASSIGN(hcl::Body body, hcl::Parse(file.name, file.text, syntax));
        sorted.bodies.push_back(std::move(body));
        break;
      }
    }
  }
  Definition compose;
  if (sorted.compose.size() == 1 && sorted.tried) {
    compose = *std::move(sorted.tried);
  } else if (!sorted.compose.empty()) {
    TRY_ASSIGN(compose, LoadCompose(sorted.compose, surroundings));
  }
  return EvaluateDefinition(sorted.bodies, std::move(compose), surroundings);
}

}  // namespace depot::bake
