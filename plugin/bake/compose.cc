#include "plugin/bake/compose.h"

#include <algorithm>

#include "driver/base/shown.h"
#include "driver/base/text.h"
#include "plugin/bake/compose_files.h"
#include "plugin/bake/compose_model.h"
#include "plugin/bake/compose_service.h"

namespace depot::bake {
namespace {

/// What compose files may say of a build, and docker buildx bake does not heed either.
constexpr std::string_view kUnheeded[] = {"cgroup", "entitlements", "isolation", "privileged"};

constexpr std::string_view kExtension[] = {"cache-from",      "cache-to", "contexts",  "no-cache",
                                           "no-cache-filter", "output",   "platforms", "pull",
                                           "secret",          "ssh",      "tags"};

/// Each word of `build` that changes nothing.
void NoteUnheeded(const std::string& service,
                  const std::string& target,
                  const Yaml& build,
                  Ignored& ignored) {
  const auto note = [&](std::string_view where, std::string_view key) {
    ignored.AddOfService(service, target, Cat("build.", where, Printable(key)));
  };
  for (const std::string_view key : kUnheeded)
    if (Said(build, key) != nullptr) note("", key);
  const Yaml* extension = Said(build, "x-bake");
  if (extension == nullptr) return;
  for (const auto& [key, value] : extension->keys) {
    if (std::find(std::begin(kExtension), std::end(kExtension), key) == std::end(kExtension))
      note("x-bake.", key);
  }
}

Result<> AddService(const std::string& name,
                    const Yaml& service,
                    const Yaml& file,
                    const ComposeFiles& files,
                    Definition& into) {
  const std::string target = AsTargetName(name);
  if (!IsTargetName(target)) {
    return Fail(ErrorCode::kInvalid, "the name may have letters, digits, -, _ and . only");
  }
  if (Said(service, "build") == nullptr) {
    if (Said(service, "image") != nullptr || Said(service, "provider") != nullptr) return {};
    return Fail(ErrorCode::kInvalid, "there is neither an image nor a build");
  }
  TRY_ASSIGN(Fields fields, FieldsOfService(service, file, files));
  NoteUnheeded(name, target, *service.Find("build"), into.ignored);
  into.groups["default"].targets.push_back(target);
  into.targets.insert_or_assign(target, std::move(fields));
  return {};
}

}  // namespace

Result<Definition> LoadCompose(const std::vector<DefinitionFile>& files,
                               const Surroundings& surroundings) {
  ComposeFiles reader(surroundings);
  TRY_ASSIGN(const Yaml file, reader.Load(files));
  Definition definition;
  const Yaml* services = file.Find("services");
  if (services == nullptr || services->kind != Yaml::Kind::kMap) {
    return Fail(ErrorCode::kInvalid, Cat(Printable(files.front().name), ": there are no services"));
  }
  definition.groups["default"];
  for (const auto& [name, service] : services->keys) {
    Result<> added = AddService(name, service, file, reader, definition);
    if (!added) {
      return Fail(std::move(added).error().While(
          Cat(Printable(files.front().name), ": service ", Printable(name))));
    }
    if (definition.targets.size() > kMostTargets) {
      return Fail(ErrorCode::kInvalid, Cat("a definition has at most ", kMostTargets, " targets"));
    }
  }
  std::sort(definition.groups["default"].targets.begin(),
            definition.groups["default"].targets.end());
  return definition;
}

}  // namespace depot::bake
