#include "plugin/options/limit_flags.h"

#include <algorithm>
#include <charconv>
#include <optional>

#include "driver/base/shown.h"
#include "driver/base/text.h"
#include "plugin/options/attributes.h"

namespace depot::options {
namespace {

/// In the words of docker, which tools look for.
Error InvalidArgument(std::string_view flag, std::string_view value, const Error& why) {
  return Usage(Cat("invalid argument \"", Printable(value), "\" for \"--", flag,
                   "\" flag: ", why.message()));
}

template <typename Number>
std::optional<Number> ParseNumber(std::string_view text) {
  Number number{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

/// What a suffix multiplies by; nullopt when there is no such suffix.
std::optional<double> Multiplier(std::string_view suffix) {
  if (suffix.empty() || suffix == "b") return 1;
  constexpr std::string_view kUnits = "kmgtp";
  const std::size_t unit = kUnits.find(suffix.front());
  const std::string_view rest = suffix.substr(1);
  if (unit == std::string_view::npos || (!rest.empty() && rest != "b" && rest != "ib")) {
    return std::nullopt;
  }
  double factor = 1024;
  for (std::size_t i = 0; i < unit; ++i)
    factor *= 1024;
  return factor;
}

struct Resource {
  std::string_view key;
  std::string_view attribute;
  enum class Kind { kSize, kSwap, kNumber, kText } kind;
};

/// buildx build/utils.go: the names of docker run, and the frontend's own.
constexpr Resource kResources[] = {
    {"memory", "memory", Resource::Kind::kSize},
    {"memory-swap", "memswap", Resource::Kind::kSwap},
    {"cpu-shares", "cpushares", Resource::Kind::kNumber},
    {"cpu-period", "cpuperiod", Resource::Kind::kNumber},
    {"cpu-quota", "cpuquota", Resource::Kind::kNumber},
    {"cpuset-cpus", "cpusetcpus", Resource::Kind::kText},
    {"cpuset-mems", "cpusetmems", Resource::Kind::kText},
};

/// The value as the frontend reads it; "" for one that limits nothing.
Result<std::string> ResourceValue(const Resource& resource, std::string_view value) {
  switch (resource.kind) {
    case Resource::Kind::kText:
      return std::string(value);
    case Resource::Kind::kNumber: {
      const auto number = ParseNumber<std::int64_t>(value);
      if (!number) return Fail(Usage("it is not a whole number"));
      return *number > 0 ? Cat(*number) : "";
    }
    case Resource::Kind::kSwap:
      if (value == "-1") return std::string(value);
      [[fallthrough]];
    case Resource::Kind::kSize: {
      TRY_ASSIGN(const std::int64_t size, ParseSize(value));
      return size > 0 ? Cat(size) : "";
    }
  }
  return Fail(ErrorCode::kInternal, "a resource of no kind");
}

Result<> SetResource(const Resource& resource, std::string_view value, StepLimits& limits) {
  TRY_ASSIGN(std::string sent, ResourceValue(resource, value));
  if (sent.empty()) {
    limits.resources.erase(std::string(resource.attribute));
  } else {
    limits.resources[std::string(resource.attribute)] = std::move(sent);
  }
  return {};
}

/// --memory and the like, from before --resource.
flags::Flag OldName(const Resource& resource, StepLimits& limits) {
  const char letter = resource.key == "memory" ? 'm' : resource.key == "cpu-shares" ? 'c' : '\0';
  return {resource.key,
          letter,
          flags::FlagKind::kText,
          "",
          "",
          [&resource, &limits](const std::string& value) -> Result<> {
            Result<> set = SetResource(resource, Trim(value), limits);
            if (set) return set;
            return Fail(InvalidArgument(resource.key, value, set.error()));
          }};
}

flags::FlagSetter SetShmSize(StepLimits& limits) {
  return [&limits](const std::string& value) -> Result<> {
    auto size = ParseSize(value);
    if (!size) return Fail(InvalidArgument("shm-size", value, size.error()));
    limits.shm_size = *size;
    return {};
  };
}

flags::FlagSetter AddUlimit(StepLimits& limits) {
  return [&limits](const std::string& value) -> Result<> {
    auto limit = ParseUlimit(value);
    if (!limit) return Fail(InvalidArgument("ulimit", value, limit.error()));
    limits.ulimits[limit->first] = limit->second;
    return {};
  };
}

}  // namespace

Result<std::int64_t> ParseSize(std::string_view text) {
  const std::size_t end = text.find_last_of("0123456789. ");
  if (end == std::string_view::npos) {
    return Fail(Usage(Cat("invalid size: '", Printable(text), "'")));
  }
  const std::string_view number = text.substr(0, text[end] == ' ' ? end : end + 1);
  const std::string suffix = LowerAscii(text.substr(end + 1));
  const auto amount = ParseNumber<double>(number);
  if (!amount || !(*amount >= 0)) {
    return Fail(Usage(Cat("invalid size: '", Printable(text), "'")));
  }
  const std::optional<double> factor = Multiplier(suffix);
  if (!factor) return Fail(Usage(Cat("invalid suffix: '", Printable(suffix), "'")));
  constexpr double kTooMuch = 9.2e18;
  if (*amount * *factor > kTooMuch) return Fail(Usage("it is more than there can be"));
  return static_cast<std::int64_t>(*amount * *factor);
}

Result<std::pair<std::string, std::string>> ParseUlimit(std::string_view text) {
  static const std::vector<std::string_view> known = {
      "core",   "cpu",   "data", "fsize",  "locks",  "memlock",    "msgqueue", "nice",
      "nofile", "nproc", "rss",  "rtprio", "rttime", "sigpending", "stack"};
  const std::size_t sign = text.find('=');
  if (sign == std::string_view::npos || sign == 0) {
    return Fail(Usage(Cat("invalid ulimit argument: ", Printable(text)))
                    .WithHint("write NAME=SOFT[:HARD], as in nofile=1024:2048"));
  }
  const std::string_view name = text.substr(0, sign);
  if (std::find(known.begin(), known.end(), name) == known.end()) {
    return Fail(Usage(Cat("invalid ulimit type: ", Printable(name), Suggest(name, known))));
  }
  const std::vector<std::string_view> values = Split(text.substr(sign + 1), ':');
  if (values.size() > 2) {
    return Fail(Usage(Cat("too many limit values - ", Printable(text.substr(sign + 1)),
                          ", can only have up to two, `soft[:hard]`")));
  }
  const auto soft = ParseNumber<std::int64_t>(values.front());
  const auto hard = ParseNumber<std::int64_t>(values.back());
  if (!soft || !hard) return Fail(Usage("a limit is a whole number, or -1 for none"));
  if (*hard != -1 && (*soft == -1 || *soft > *hard)) {
    return Fail(Usage(
        Cat("ulimit soft limit must be less than or equal to hard limit: ", *soft, " > ", *hard)));
  }
  return std::make_pair(std::string(name), Cat(*soft, ':', *hard));
}

Result<> AddResource(std::string_view text, StepLimits& limits) {
  const std::size_t sign = text.find('=');
  if (sign == std::string_view::npos) {
    return Fail(
        Usage(Cat("--resource: invalid resource \"", Printable(text), "\", expected key=value")));
  }
  const std::string_view key = Trim(text.substr(0, sign));
  const std::string_view value = Trim(text.substr(sign + 1));
  std::vector<std::string_view> known;
  for (const Resource& resource : kResources) {
    known.push_back(resource.key);
    if (resource.key != key) continue;
    Result<> set = SetResource(resource, value, limits);
    if (set) return set;
    return Fail(Usage(Cat("--resource: invalid value \"", Printable(value), "\" for resource ", key,
                          ": ", set.error().message())));
  }
  return Fail(
      Usage(Cat("--resource: unknown resource \"", Printable(key), '"', Suggest(key, known))));
}

std::vector<flags::Flag> LimitFlags(StepLimits& limits) {
  std::vector<flags::Flag> all = {
      {"cgroup-parent", 0, kText, "string", "Set the parent cgroup of the RUN instructions",
       flags::Into(limits.cgroup_parent)},
      {"resource", 0, kText, "list",
       "Resource limits of the RUN instructions (format: \"memory=2g\", \"cpu-quota=50000\")",
       [&limits](const std::string& value) { return AddResource(value, limits); }},
      {"shm-size", 0, kText, "bytes", "Size of /dev/shm for the RUN instructions",
       SetShmSize(limits)},
      {"ulimit", 0, kText, "list", "Ulimit of the RUN instructions (format: \"nofile=1024:2048\")",
       AddUlimit(limits)},
  };
  for (const Resource& resource : kResources)
    all.push_back(OldName(resource, limits));
  return all;
}

}  // namespace depot::options
