#include "plugin/doctor/machine.h"

#include <filesystem>
#include <set>

#include <unistd.h>

#include "driver/base/shown.h"
#include "driver/base/text.h"
#include "driver/http/url.h"

namespace depot::doctor {
namespace {

namespace fs = std::filesystem;

bool IsProgram(const fs::path& path) {
  std::error_code error;
  return fs::is_regular_file(path, error) && ::access(path.c_str(), X_OK) == 0;
}

}  // namespace

Finding CheckPluginPlaces(const std::string& config) {
  const std::string check = "plugin";
  std::vector<std::string> found;
  std::set<std::string> files;
  for (const fs::path& place :
       {fs::path(config) / "cli-plugins", fs::path("/usr/local/lib/docker/cli-plugins"),
        fs::path("/usr/local/libexec/docker/cli-plugins"), fs::path("/usr/lib/docker/cli-plugins"),
        fs::path("/usr/libexec/docker/cli-plugins")}) {
    const fs::path path = place / "docker-depot";
    std::error_code error;
    if (!fs::exists(path, error)) continue;
    if (!IsProgram(path)) {
      return {check, Health::kBad, Cat(Printable(path.string()), " is no program that can be run"),
              Cat("chmod +x ", Printable(path.string()), ", or install it anew")};
    }
    if (files.insert(fs::canonical(path, error).string()).second) {
      found.push_back(Printable(path.string()));
    }
  }
  if (found.empty()) {
    return {check, Health::kDoubtful, "docker does not find docker-depot",
            Cat("put it into ", Printable((fs::path(config) / "cli-plugins").string()),
                ": install.sh does that; or call docker-depot by itself")};
  }
  if (found.size() == 1) return {check, Health::kGood, found.front(), ""};
  return {check, Health::kDoubtful,
          Cat(found.size(), " of them, of which docker runs the first: ", Join(found, ", ")),
          "remove all but one"};
}

Finding CheckDockerClient(const Environment& environment) {
  const std::string path = Variable(environment, "PATH");
  for (std::string_view folder : Split(path, ':')) {
    const fs::path program = fs::path(folder) / "docker";
    if (!folder.empty() && IsProgram(program)) {
      return {"docker", Health::kGood, Printable(program.string()), ""};
    }
  }
  return {"docker", Health::kDoubtful, "there is no docker client in PATH",
          "install docker-cli for `docker depot build`; `docker-depot build` needs none"};
}

Finding CheckSettings(const std::string& config, const std::vector<Error>& faults) {
  const std::string check = "settings";
  const fs::path file = fs::path(config) / "config.json";
  if (!faults.empty()) {
    std::vector<std::string> lines;
    for (const Error& fault : faults)
      lines.push_back(fault.message());
    const std::string& hint = faults.front().hint();
    return {check, Health::kBad, Join(lines, "; "),
            hint.empty() ? "mend it, or take it away: `docker login` writes a new one" : hint,
            FailedAt::kSettings};
  }
  std::error_code error;
  const bool there = fs::exists(file, error);
  return {check, Health::kGood, Cat(there ? "" : "there is no ", Printable(file.string())), ""};
}

Finding CheckProxies(const Environment& environment) {
  const std::string check = "proxies";
  std::vector<std::string> said;
  for (const char* name :
       {"HTTPS_PROXY", "https_proxy", "http_proxy", "HTTP_PROXY", "ALL_PROXY", "all_proxy"}) {
    const std::string value = TrimmedVariable(environment, name);
    if (value.empty()) continue;
    const std::string url = value.find("://") == std::string::npos ? Cat("http://", value) : value;
    if (!http::ParseUrl(url)) {
      return {check, Health::kBad, Cat(name, " is no URL"),
              Cat("write it as ", name, "=http://HOST:PORT, or take it away"), FailedAt::kSettings};
    }
    said.push_back(Cat(name, "=", Printable(RedactUrls(url))));
  }
  if (said.empty()) return {check, Health::kGood, "none", ""};
  std::string none = TrimmedVariable(environment, "NO_PROXY");
  if (none.empty()) none = TrimmedVariable(environment, "no_proxy");
  if (!none.empty()) said.push_back(Cat("NO_PROXY=", Printable(none)));
  return {check, Health::kGood, Join(said, ", "), ""};
}

}  // namespace depot::doctor
