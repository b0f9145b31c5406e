#include "plugin/bake/compose_files.h"

#include <algorithm>
#include <filesystem>

#include "driver/base/shown.h"
#include "driver/base/text.h"
#include "driver/disk/lookup.h"
#include "plugin/bake/compose_model.h"

namespace depot::bake {
namespace {

namespace fs = std::filesystem;

using Kind = Yaml::Kind;

constexpr std::size_t kMostFileBytes = 16 << 20;
constexpr std::size_t kMostNodes = 200'000;
constexpr std::size_t kMostFiles = 200;
constexpr std::size_t kMostIncludes = 20;
constexpr std::size_t kMostExtends = 50;

std::string FolderOf(const std::string& path) {
  return std::filesystem::path(path).parent_path().lexically_normal().string();
}

std::string TextOfKey(const Yaml& map, std::string_view key) {
  const Yaml* node = map.Find(key);
  return node != nullptr && node->kind == Kind::kText ? node->text : "";
}

}  // namespace

std::optional<std::string> ComposeFiles::Find(const std::string& name) const {
  if (name == "COMPOSE_PROJECT_NAME" && !project_.empty()) return project_;
  for (const Environment* from : {&environment_, &dotenv_}) {
    auto found = from->find(name);
    if (found != from->end()) return found->second;
  }
  return std::nullopt;
}

/// Whatever lies behind its name: who named a file wants it, or an error.
Result<std::optional<std::string>> ComposeFiles::ReadNamed(const std::string& path) const {
  std::error_code error;
  if (fs::symlink_status(path, error).type() == fs::file_type::not_found) return std::nullopt;
  const fs::path real = fs::weakly_canonical(fs::absolute(path, error), error);
  if (error) return Fail(SystemError(Cat("cannot read ", Printable(path)), error.value()));
  auto lies_in = [&](const fs::path& folder) {
    const fs::path rest = real.lexically_relative(folder);
    return !rest.empty() && *rest.begin() != "..";
  };
  bool may = lies_in(fs::canonical(".", error));
  if (!may && readable_) {
    const Strings folders = readable_();
    may = std::any_of(folders.begin(), folders.end(), lies_in);
  }
  if (may) return disk::ReadBeneath(real.parent_path(), real.filename(), kMostFileBytes);
  return Fail(Error(ErrorCode::kDenied,
                    Cat(Printable(path), " is ", Printable(real.string()),
                        ", which is outside of the working directory and its git checkout"))
                  .WithHint(Cat("if the definition may read it, give the line --allow fs.read=",
                                Printable(real.string()))));
}

Result<Environment> ComposeFiles::ReadEnvFile(const std::string& path, bool required) const {
  TRY_ASSIGN(const auto text, ReadNamed(path));
  if (!text) {
    if (!required) return Environment();
    return Fail(ErrorCode::kNotFound, Cat("env_file ", Printable(path), " does not exist"));
  }
  auto read = ParseDotenv(*text, [this](const std::string& name) { return Find(name); });
  if (!read) return Fail(std::move(read).error().While(Printable(path)));
  return read;
}

Result<Yaml> ComposeFiles::ReadTree(const DefinitionFile& file) {
  auto tree = ParseYamlWithAliases(file.text, kMostNodes);
  if (!tree) return Fail(std::move(tree).error().While(Cat(Printable(file.name), ": yaml")));
  if (const std::string name = TextOfKey(*tree, "name"); !name.empty()) project_ = name;
  Result<> done = InterpolateTree(*tree, [this](const std::string& name) { return Find(name); });
  if (done) done = NormalizeFile(*tree);
  if (!done) return Fail(std::move(done).error().While(Printable(file.name)));
  return tree;
}

Result<Yaml> ComposeFiles::ReadPath(const std::string& path) {
  if (++files_read_ > kMostFiles) {
    return Fail(ErrorCode::kInvalid,
                Cat("compose files include and extend more than ", kMostFiles, " files"));
  }
  TRY_ASSIGN(std::optional<std::string> text, ReadNamed(path));
  if (!text) return Fail(ErrorCode::kNotFound, Cat(Printable(path), " does not exist"));
  const std::string project = project_;
  auto tree = ReadTree({path, *std::move(text)});
  project_ = project;
  return tree;
}

Result<> ComposeFiles::IncludeOne(const Yaml& entry, Yaml& into, std::size_t depth) {
  const Yaml* path = entry.Find("path");
  std::vector<std::string> paths;
  if (path != nullptr && path->kind == Kind::kText) paths.push_back(path->text);
  if (path != nullptr && path->kind == Kind::kList) {
    for (const Yaml& item : path->items)
      paths.push_back(item.text);
  }
  if (paths.empty()) return Fail(BadCompose(entry, "an include needs a path"));
  std::string folder = TextOfKey(entry, "project_directory");
  if (folder.empty()) folder = FolderOf(paths.front());
  Yaml included;
  for (const std::string& one : paths) {
    TRY_ASSIGN(const Yaml tree, ReadPath(one));
    MergeTree(included, tree);
  }
  RebaseFile(included, folder);
  TRY(Include(included, FolderOf(paths.front()), depth + 1));
  TRY(ExtendAll(included));
  for (const char* section : {"services", "secrets"}) {
    const Yaml* from = included.Find(section);
    if (from == nullptr) continue;
    Yaml* to = FindKey(into, section);
    if (to == nullptr) to = &into.keys.emplace_back(section, *from).second;
    // What the including file says itself wins.
    Yaml merged = *from;
    MergeTree(merged, *to);
    *to = std::move(merged);
  }
  return {};
}

/// `folder` is where the paths of `file` are relative to.
Result<> ComposeFiles::Include(Yaml& file, const std::string& folder, std::size_t depth) {
  const Yaml* list = file.Find("include");
  if (list == nullptr || list->kind != Kind::kList) return {};
  if (depth > kMostIncludes) return Fail(BadCompose(*list, "files include each other too deeply"));
  std::vector<Yaml> entries = list->items;
  for (Yaml& entry : entries) {
    if (Yaml* path = FindKey(entry, "path"); path != nullptr && !folder.empty()) {
      auto below = [&](Yaml& node) {
        if (node.kind == Kind::kText && !node.text.starts_with('/'))
          node.text = Cat(folder, '/', node.text);
      };
      below(*path);
      for (Yaml& item : path->items)
        below(item);
    }
    TRY(IncludeOne(entry, file, depth));
  }
  return {};
}

Result<Yaml> ComposeFiles::ServiceOf(const std::string& path,
                                     const std::string& name,
                                     std::size_t depth) {
  TRY_ASSIGN(Yaml file, ReadPath(path));
  Yaml* services = FindKey(file, "services");
  Yaml* service = services == nullptr ? nullptr : FindKey(*services, name);
  if (service == nullptr) {
    return Fail(ErrorCode::kInvalid,
                Cat("extends: there is no service \"", Printable(name), "\" in ", Printable(path)));
  }
  // Where that one's own parents are.
  const std::string folder = FolderOf(path);
  for (auto& [other, value] : services->keys)
    RebaseService(value, folder);
  TRY(Extend(*services, name, depth + 1));
  return *FindKey(*services, name);
}

Result<> ComposeFiles::Extend(Yaml& services, const std::string& name, std::size_t depth) {
  Yaml* service = FindKey(services, name);
  if (service == nullptr) {
    return Fail(ErrorCode::kInvalid, Cat("extends: there is no service \"", Printable(name), '"'));
  }
  const Yaml* found = service->Find("extends");
  if (found == nullptr || found->kind != Kind::kMap) return {};
  const Yaml extends = *found;
  if (depth > kMostExtends) {
    return Fail(BadCompose(
        extends, Cat("services extend each other in a circle, or too deeply: ", Printable(name))));
  }
  const std::string parent = TextOfKey(extends, "service");
  const std::string path = TextOfKey(extends, "file");
  Yaml base;
  if (path.empty()) {
    TRY(Extend(services, parent, depth + 1));
    base = *FindKey(services, parent);
  } else {
    TRY_ASSIGN(base, ServiceOf(path, parent, depth + 1));
  }
  service = FindKey(services, name);
  Yaml own = *service;
  std::erase_if(own.keys, [](const auto& entry) { return entry.first == "extends"; });
  MergeTree(base, own);
  *service = std::move(base);
  return {};
}

Result<> ComposeFiles::ExtendAll(Yaml& file) {
  Yaml* services = FindKey(file, "services");
  if (services == nullptr || services->kind != Kind::kMap) return {};
  std::vector<std::string> names;
  for (const auto& [name, service] : services->keys)
    names.push_back(name);
  for (const std::string& name : names)
    TRY(Extend(*services, name, 0));
  return {};
}

Result<Yaml> ComposeFiles::Load(const std::vector<DefinitionFile>& files) {
  TRY_ASSIGN(dotenv_, ReadEnvFile(".env", false));
  Yaml merged;
  for (const DefinitionFile& file : files) {
    TRY_ASSIGN(const Yaml tree, ReadTree(file));
    MergeTree(merged, tree);
  }
  if (merged.kind != Kind::kMap) return Fail(ErrorCode::kInvalid, "the compose file is empty");
  TRY(Include(merged, "", 0));
  TRY(ExtendAll(merged));
  return merged;
}

}  // namespace depot::bake
