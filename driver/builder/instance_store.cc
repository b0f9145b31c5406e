#include "driver/builder/instance_store.h"

#include <algorithm>
#include <cerrno>
#include <filesystem>

#include <fcntl.h>
#include <sys/file.h>

#include "driver/base/fd.h"
#include "driver/base/shown.h"
#include "driver/base/text.h"
#include "driver/disk/read_file.h"
#include "driver/disk/whole_file.h"
#include "driver/oci/digest.h"

namespace depot::builder {
namespace {

constexpr std::size_t kMaxInstances = 1000;
constexpr std::chrono::milliseconds kLockPause(50);
constexpr std::chrono::seconds kLockPatience(20);

/// buildx holds the same lock for each of its commands.
Result<Fd> LockFolder(const std::string& folder, const Cancel& cancel) {
  const std::string path = folder + "/.lock";
  Fd lock(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644));
  if (!lock.valid()) return Fail(SystemError(Cat("open ", Printable(path)), errno));
  const Cancel bounded = cancel.WithTimeout(
      kLockPatience, Cat("another docker buildx holds ", Printable(path), " for too long"));
  while (::flock(lock.get(), LOCK_EX | LOCK_NB) != 0) {
    if (!bounded.SleepFor(kLockPause)) return Fail(bounded.error());
  }
  return lock;
}

Result<> MakeFolders(const std::string& path) {
  std::error_code error;
  std::filesystem::create_directories(std::filesystem::path(path).parent_path(), error);
  if (!error) return {};
  return Fail(SystemError(Cat("make the folder of ", Printable(path)), error.value()));
}

}  // namespace

bool IsInstanceName(std::string_view name) {
  auto letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); };
  auto fits = [&](char c) {
    return letter(c) || (c >= '0' && c <= '9') || c == '.' || c == '-' || c == '_';
  };
  return !name.empty() && name.size() <= 200 && letter(name.front()) &&
         std::all_of(name.begin(), name.end(), fits);
}

std::string InstanceStore::PathOf(std::string_view name) const {
  return Cat(folder_, "/instances/", LowerAscii(name));
}

std::vector<std::string> InstanceStore::Names() const {
  std::vector<std::string> names;
  std::error_code error;
  std::filesystem::directory_iterator entry(folder_ + "/instances", error);
  for (; !error && entry != std::filesystem::directory_iterator() && names.size() < kMaxInstances;
       entry.increment(error)) {
    std::string name = entry->path().filename().string();
    if (IsInstanceName(name)) names.push_back(std::move(name));
  }
  std::sort(names.begin(), names.end());
  return names;
}

Result<Json> InstanceStore::Read(std::string_view name) const {
  std::optional<std::string> text;
  if (IsInstanceName(name)) {
    TRY_ASSIGN(text, disk::ReadFileIfThere(PathOf(name)));
  }
  if (!text) {
    return Fail(
        ErrorCode::kNotFound,
        Cat("no builder \"", Printable(RedactUrls(std::string(name.substr(0, 200)))), "\" found"));
  }
  Result<Json> json = Json::Parse(*text);
  if (json) return json;
  return Fail(std::move(json).error().While(Printable(PathOf(name))));
}

std::string InstanceStore::LastActivity(std::string_view name) const {
  if (!IsInstanceName(name)) return "";
  auto text = disk::ReadFileIfThere(Cat(folder_, "/activity/", LowerAscii(name)));
  if (!text || !*text) return "";
  return Printable(Trim((*text)->substr(0, 100)));
}

Result<> InstanceStore::Change(const std::string& path,
                               const std::string& text,
                               const Cancel& cancel) {
  TRY(MakeFolders(path));
  TRY_ASSIGN(Fd lock, LockFolder(folder_, cancel));
  return disk::WriteWholeFile(path, text);
}

Result<> InstanceStore::Write(std::string_view name, const Json& instance, const Cancel& cancel) {
  return Change(PathOf(name), instance.Dump(), cancel);
}

Result<> InstanceStore::Remove(std::string_view name, const Cancel& cancel) {
  TRY(Read(name));
  TRY_ASSIGN(Fd lock, LockFolder(folder_, cancel));
  std::error_code error;
  std::filesystem::remove(PathOf(name), error);
  if (error) return Fail(SystemError(Cat("remove ", Printable(PathOf(name))), error.value()));
  std::filesystem::remove(Cat(folder_, "/activity/", LowerAscii(name)), error);
  return {};
}

Result<> InstanceStore::Use(const std::string& key,
                            const std::string& name,
                            bool global,
                            bool as_default,
                            const Cancel& cancel) {
  Json current = Json::Object();
  current.Set("Key", Json::String(key));
  current.Set("Name", Json::String(name));
  current.Set("Global", Json::Bool(global));
  TRY(Change(folder_ + "/current", current.Dump(), cancel));
  if (!as_default) return {};
  return Change(Cat(folder_, "/defaults/", Sha256Hex(key).substr(0, 20)), name, cancel);
}

}  // namespace depot::builder
