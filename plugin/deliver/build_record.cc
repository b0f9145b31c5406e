#include "plugin/deliver/build_record.h"

#include <algorithm>
#include <filesystem>
#include <string_view>

#include "driver/base/json.h"
#include "driver/base/shown.h"
#include "driver/base/text.h"
#include "driver/disk/whole_file.h"
#include "plugin/plan/git_url.h"

namespace depot::deliver {
namespace {

/// Also of a docker context; above all no way out of the folder.
bool IsName(std::string_view name) {
  auto fits = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '.' || c == '+' || c == '-';
  };
  return !name.empty() && name.size() <= 200 && name.front() != '.' &&
         std::all_of(name.begin(), name.end(), fits);
}

/// "" and "-" stay what they are.
std::string AbsolutePath(const std::string& path) {
  if (path.empty() || path == "-") return path;
  std::error_code error;
  auto absolute = std::filesystem::absolute(path, error).lexically_normal();
  if (error) return path;
  if (!absolute.has_filename() && absolute.has_relative_path()) absolute = absolute.parent_path();
  return absolute.string();
}

}  // namespace

std::string BuildRefOf(const BuildRecord& record) {
  if (record.ref.empty()) return "";
  if (record.builder.empty()) return Cat("depot/depot0/", record.ref);
  return Cat(record.builder, '/', record.node, '/', record.ref);
}

void WriteBuildRecord(const std::string& folder,
                      const BuildRecord& record,
                      const options::BuildOptions& options,
                      const Environment& environment) {
  if (!IsName(record.builder) || !IsName(record.node) || !IsName(record.ref)) return;
  if (!Variable(environment, "SUDO_UID").empty()) return;
  const bool remote = plan::IsRemoteContext(options.context);
  Json state = Json::Object();
  state.Set("Target", Json::String("default"));
  state.Set("LocalPath",
            Json::String(remote ? RedactUrls(options.context) : AbsolutePath(options.context)));
  const bool as_is = remote || options.context == "-" || plan::IsRemoteContext(options.file);
  state.Set("DockerfilePath",
            Json::String(as_is ? RedactUrls(options.file) : AbsolutePath(options.file)));
  (void)disk::WritePrivateFile(
      Cat(folder, "/refs/", record.builder, '/', record.node, '/', record.ref), state.Dump());
}

}  // namespace depot::deliver
