#include <algorithm>
#include <chrono>
#include <map>
#include <mutex>

#include "driver/base/shown.h"
#include "driver/base/steady_time.h"
#include "driver/base/text.h"
#include "pool/service/services.h"
#include "pool/settings/timestamp.h"
#include "pool/web/connect.h"

namespace depot::service {
namespace {

web::Response TextPage(int status, std::string text) {
  web::Response response;
  response.status = status;
  response.headers = {{"Cache-Control", "no-store"}, {"X-Content-Type-Options", "nosniff"}};
  response.body = Secret(std::move(text));
  return response;
}

/// Another process may have the records locked for so long.
constexpr std::chrono::seconds kShortLock(5);

/// The answer of a moment ago for those who ask very often: each check writes to the disk.
class Health {
 public:
  explicit Health(const Parts& parts) : parts_(parts) {}

  web::Answer Answer() {
    auto now = std::chrono::steady_clock::now();
    {
      std::lock_guard lock(mutex_);
      if (checked_ && now - *checked_ < std::chrono::seconds(1)) return Show(healthy_);
    }
    Result<> check = parts_.records.Check();
    if (!check) parts_.journal.Say(Cat("not healthy: ", check.error().message()));
    bool locked = !check && check.error().code() == ErrorCode::kTimeout;
    std::lock_guard lock(mutex_);
    checked_ = now;
    if (check) written_ = now;
    healthy_ = check.has_value() || (locked && now - written_ < kShortLock);
    return Show(healthy_);
  }

 private:
  static web::Response Show(bool healthy) {
    return healthy ? TextPage(200, "ok\n")
                   : TextPage(503, "the records cannot be written: see the log\n");
  }

  const Parts& parts_;
  std::mutex mutex_;
  std::optional<std::chrono::steady_clock::time_point> checked_;
  std::chrono::steady_clock::time_point written_ = std::chrono::steady_clock::now();
  bool healthy_ = false;
};

/// Counting looks at all builds there are, and anybody may ask: once a second.
class Counts {
 public:
  explicit Counts(const Parts& parts) : parts_(parts) {}

  web::Answer Answer() {
    web::Response page = TextPage(
        200, parts_.metrics.Render(Builds(), parts_.slots, parts_.fleet.Builders(), SteadyTime()));
    page.content_type = "text/plain; version=0.0.4; charset=utf-8";
    return page;
  }

 private:
  using ByState = std::map<records::State, std::int64_t>;

  ByState Builds() {
    auto now = std::chrono::steady_clock::now();
    {
      std::lock_guard lock(mutex_);
      if (counted_ && now - *counted_ < std::chrono::seconds(1)) return builds_;
      counted_ = now;
    }
    auto builds = parts_.records.Count();
    std::lock_guard lock(mutex_);
    if (builds) builds_ = *std::move(builds);
    return builds_;
  }

  const Parts& parts_;
  std::mutex mutex_;
  std::optional<std::chrono::steady_clock::time_point> counted_;
  ByState builds_;
};

/// What a build waits for, by platform.
using Places = std::map<std::string, records::Waiting>;

Places PlacesOf(const Parts& parts, const std::string& build) {
  Places places;
  for (records::Waiting& waiting : parts.slots.Queue()) {
    if (waiting.claim.build == build) places[waiting.claim.platform] = std::move(waiting);
  }
  return places;
}

web::Response BuildPage(const Parts& parts, const std::string& id) {
  auto build = parts.records.Find(id);
  if (!build) {
    return build.error().code() == ErrorCode::kNotFound
               ? TextPage(404, "There is no such build.\n")
               : TextPage(503, "The records cannot be read at the moment.\n");
  }
  auto claims = parts.records.ClaimsOf(id);
  if (!claims) return TextPage(503, "The records cannot be read at the moment.\n");
  const Places waits = build->state == records::State::kRunning ? PlacesOf(parts, id) : Places();
  // With a builder for one of its platforms it runs there.
  const bool runs = std::any_of(claims->begin(), claims->end(), [&](const records::Claim& claim) {
    return !claim.builder.empty() && !waits.contains(claim.platform);
  });
  std::string text = Cat("build    ", build->id, "\nstate    ",
                         waits.empty() || runs ? records::StateName(build->state) : "waiting",
                         "\ncreated  ", settings::FormatTime(build->created_at), '\n');
  if (build->finished_at != 0) {
    text += Cat("ended    ", settings::FormatTime(build->finished_at), '\n');
  }
  for (const records::Claim& claim : *claims) {
    if (waits.contains(claim.platform)) continue;
    text += Cat(
        claim.platform, "  ", claim.builder.empty() ? "had none yet" : WhyBuilder(claim),
        claim.granted_at == 0
            ? ""
            : Cat("; waited ", std::max<std::int64_t>(0, claim.granted_at - claim.asked_at), " s"),
        '\n');
  }
  for (const auto& [platform, waiting] : waits) {
    text += Cat(platform, "  waits, position ", waiting.position, ": ",
                WhyItWaits(waiting, parts.fleet.Builders()), '\n');
  }
  return TextPage(200, text);
}

/// For the front of a builder, which asks as long as there are connections of the build: "yes", or
/// "no: " and why. Needs no token: who knows a build's id learns no more than from its page.
web::Response MayBeOn(const Parts& parts, const std::string& id, const std::string& builder) {
  auto build = parts.records.Find(id);
  if (!build) {
    return build.error().code() == ErrorCode::kNotFound
               ? TextPage(200, "no: the pool does not know this build\n")
               : TextPage(503, "The records cannot be read at the moment.\n");
  }
  if (build->state != records::State::kRunning) {
    return TextPage(200, Cat("no: the build is over: ", records::StateName(build->state), '\n'));
  }
  if (parts.slots.Holds(id, builder)) return TextPage(200, "yes\n");
  // It may have got the builder from another pool, just now.
  if (!parts.slots.Refresh()) return TextPage(503, "The queue cannot be read at the moment.\n");
  return parts.slots.Holds(id, builder)
             ? TextPage(200, "yes\n")
             : TextPage(200, "no: the build does not have this builder\n");
}

/// For a front that begins. Needs no token: fronts have none, and it is no more than a name.
web::Response HasBuilder(const Parts& parts, const std::string& name) {
  const auto settings = parts.settings.Current();
  const bool has = std::any_of(settings->builders.begin(), settings->builders.end(),
                               [&](const auto& builder) { return builder.name == name; });
  return TextPage(
      200, has ? "yes\n" : Cat("no: it has no builder ", Printable(name.substr(0, 64)), '\n'));
}

web::Response LoginPage(const Parts& parts, const std::string& code) {
  auto login = parts.records.FindLogin(code, WallClock());
  if (!login) return TextPage(404, "There is no open login with this code; begin a new one.\n");
  if (!login->user.empty()) return TextPage(200, "This login has been approved.\n");
  return TextPage(200, Cat("Your code is ", code,
                           "\n\nThe administrator of this pool approves it with\n\n"
                           "    depot-pool login approve ",
                           code,
                           " --user NAME\n\n"
                           "Only ask for that if you have just begun this login yourself.\n"));
}

/// Paths with a part that varies, and calls that a client may try but the pool does not have.
web::Response Otherwise(const Parts& parts, const web::Request& request) {
  if (request.method == "POST" && request.path.starts_with("/depot.")) {
    web::RpcError error{web::RpcCode::kUnimplemented,
                        Cat("a pool does not have ", Printable(request.path.substr(0, 120)))};
    parts.metrics.CountRequest("other", "unimplemented");
    return IsStream(request) ? web::StreamFailure(error) : web::UnaryFailure(error);
  }
  constexpr std::string_view kBuilds = "/builds/";
  constexpr std::string_view kLogin = "/login/";
  bool get = request.method == "GET" || request.method == "HEAD";
  constexpr std::string_view kOn = "/on/";
  if (get && request.path.starts_with(kBuilds)) {
    std::string id = request.path.substr(kBuilds.size());
    std::size_t on = id.find(kOn);
    if (on == std::string::npos) return BuildPage(parts, id);
    return MayBeOn(parts, id.substr(0, on), id.substr(on + kOn.size()));
  }
  constexpr std::string_view kBuilders = "/builders/";
  if (get && request.path.starts_with(kBuilders)) {
    return HasBuilder(parts, request.path.substr(kBuilders.size()));
  }
  if (get && request.path.starts_with(kLogin)) {
    return LoginPage(parts, request.path.substr(kLogin.size()));
  }
  return TextPage(404, "There is nothing here: this is a depot-pool.\n");
}

}  // namespace

void AddPages(web::Routes& routes, const Parts& parts) {
  routes.whole[{"GET", "/healthz"}] = [health = std::make_shared<Health>(parts)](
                                          const web::Request&, const Cancel&) {
    return health->Answer();
  };
  routes.whole[{"GET", "/livez"}] = [](const web::Request&, const Cancel&) -> web::Answer {
    return TextPage(200, "ok\n");
  };
  routes.whole[{"GET", "/metrics"}] = [counts = std::make_shared<Counts>(parts)](
                                          const web::Request&, const Cancel&) {
    return counts->Answer();
  };
  routes.otherwise = [&parts](const web::Request& head, const Cancel&) -> web::Entrance {
    return Otherwise(parts, head);
  };
}

}  // namespace depot::service
