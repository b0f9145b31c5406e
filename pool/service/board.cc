#include <algorithm>
#include <chrono>
#include <map>
#include <mutex>
#include <set>

#include "proto/depot.pb.h"

#include "driver/base/encode.h"
#include "driver/base/json.h"
#include "driver/base/random.h"
#include "driver/base/shown.h"
#include "driver/base/steady_time.h"
#include "driver/base/text.h"
#include "pool/service/board_page.h"
#include "pool/service/services.h"
#include "pool/service/visitors.h"

namespace depot::service {
namespace {

// What the page is given has an end, however large the fleet is.
constexpr std::size_t kMostBuilders = 400;
constexpr std::size_t kMostWaiting = 200;
constexpr std::size_t kMostBuilds = 200;
constexpr std::size_t kMostHomes = 8;
constexpr std::size_t kMostHomeProjects = 200;
constexpr std::size_t kLongestCell = 120;

constexpr std::int64_t kDay = 86400;
/// Builds of all projects that are looked at, in steps.
constexpr std::size_t kMostLookedAt = 2000;
constexpr int kStep = 250;

/// A stranger's word: printable, and cut between characters.
Json Cell(std::string_view text) {
  std::string shown = Printable(text);
  if (shown.size() > kLongestCell) {
    std::size_t end = kLongestCell;
    while (end > 0 && (static_cast<unsigned char>(shown[end]) & 0xC0) == 0x80)
      --end;
    shown = shown.substr(0, end) + "...";
  }
  return Json::String(shown);
}

Json Count(std::size_t value) {
  return Json::Number(static_cast<std::int64_t>(value));
}

std::string ImageOf(const records::BuildRecord& build) {
  depot::cli::v1::CreateBuildRequest kept;
  if (!kept.ParseFromString(build.options)) return "";
  for (const auto& options : kept.options()) {
    if (options.tags_size() > 0) return options.tags(0);
  }
  return "";
}

/// A build as the page has it; without what only the pool needs.
struct ShownBuild {
  records::BuildRecord build;  ///< without its options
  std::string image;
  std::vector<records::Claim> claims;
};

struct Day {
  std::vector<ShownBuild> builds;  ///< the newest first
  bool whole = true;               ///< there were no more
};

Result<Day> ReadDay(records::Records& records, std::int64_t now) {
  Day day;
  std::int64_t before = 0;
  for (bool more = true; more;) {
    TRY_ASSIGN(auto step, records.List("", kStep, before));
    more = step.size() == kStep;
    for (records::BuildRecord& build : step) {
      before = build.number;
      if (build.created_at < now - kDay) return day;
      std::string image = ImageOf(build);
      build.options.clear();
      day.builds.push_back({std::move(build), std::move(image), {}});
    }
    day.whole = !more || day.builds.size() < kMostLookedAt;
    more = more && day.whole;
  }
  return day;
}

Result<> AddClaims(records::Records& records, Day& day) {
  if (day.builds.empty()) return {};
  TRY_ASSIGN(auto claims, records.ClaimsFrom(day.builds.back().build.number));
  std::map<std::string, std::vector<records::Claim>> by_build;
  for (records::Claim& claim : claims)
    by_build[claim.build].push_back(std::move(claim));
  for (ShownBuild& shown : day.builds)
    shown.claims = std::move(by_build[shown.build.id]);
  return {};
}

/// The builds of the last day, read every two seconds at most, however many people look.
class LastDay {
 public:
  explicit LastDay(records::Records& records) : records_(records) {}

  /// Of a moment ago when the records cannot be read.
  std::shared_ptr<const Day> Get(std::int64_t now) {
    {
      std::lock_guard lock(mutex_);
      if (day_ && now - read_at_ < 2) return day_;
      read_at_ = now;
    }
    Result<Day> day = ReadDay(records_, now);
    bool good = day && AddClaims(records_, *day);
    std::lock_guard lock(mutex_);
    if (good) day_ = std::make_shared<const Day>(*std::move(day));
    if (!day_) day_ = std::make_shared<const Day>();
    return day_;
  }

 private:
  records::Records& records_;
  std::mutex mutex_;
  std::int64_t read_at_ = 0;
  std::shared_ptr<const Day> day_;
};

/// What one visitor is shown: of projects that the token does not open there are places, no names.
class View {
 public:
  View(const Parts& parts, const Day& day, const identity::Caller& who, std::int64_t now)
      : parts_(parts), day_(day), who_(who), now_(now), builders_(parts.fleet.Builders()) {
    for (const ShownBuild& shown : day.builds)
      images_[shown.build.id] = shown.image;
  }

  std::string Text() {
    Json view = Json::Object();
    view.Set("now", Json::Number(now_));
    view.Set("who", Cell(who_.name));
    AddBuilders(view);
    AddQueue(view);
    AddBuilds(view);
    return view.Dump();
  }

 private:
  Json Builder(const fleet::FleetBuilder& builder, const std::vector<std::string>& homes) const {
    Json row = Json::Object();
    row.Set("name", Cell(builder.name));
    row.Set("platform", Cell(FormatPlatform(builder.platform)));
    row.Set("health", Json::String(fleet::HealthName(builder.health)));
    row.Set("why", Cell(builder.why));
    row.Set("slots", Json::Number(builder.slots));
    row.Set("in_use", Json::Number(parts_.slots.InUse(builder.name)));
    row.Set("cache", Cell(builder.cache));
    row.Set("limited", Json::Bool(!builder.projects.empty()));
    Json own = Json::Array();
    for (const std::string& project : builder.projects) {
      if (who_.MayUse(project) && own.size() < kMostHomes) own.Append(Cell(project));
    }
    row.Set("projects", own);
    Json shown = Json::Array();
    for (const std::string& project : homes) {
      if (shown.size() < kMostHomes) shown.Append(Cell(project));
    }
    row.Set("homes", shown);
    row.Set("more_homes", Count(homes.size() - shown.size()));
    return row;
  }

  void AddBuilders(Json& view) const {
    std::vector<std::string> projects = who_.projects;
    if (projects.size() > kMostHomeProjects) projects.resize(kMostHomeProjects);
    auto homes = parts_.slots.Homes(projects);
    Json rows = Json::Array();
    std::size_t left = 0;
    for (const fleet::FleetBuilder& builder : builders_) {
      if (builder.slots == 0) continue;
      if (rows.size() < kMostBuilders) {
        rows.Append(Builder(builder, homes[builder.name]));
      } else {
        ++left;
      }
    }
    view.Set("builders", rows);
    view.Set("more_builders", Count(left));
  }

  Json Place(records::Waiting waiting) const {
    Json row = Json::Object();
    bool own = who_.MayUse(waiting.claim.project);
    auto image = images_.find(waiting.claim.build);
    auto waited = std::max(records::Slots::Moment(0), SteadyTime() - waiting.claim.since);
    if (!own) waiting.claim.project = "(another)";
    row.Set("platform", Cell(waiting.claim.platform));
    row.Set("position", Json::Number(waiting.position));
    row.Set("project", Cell(own ? waiting.claim.project : "another project"));
    row.Set("build", Cell(own ? waiting.claim.build : ""));
    row.Set("image", Cell(own && image != images_.end() ? image->second : ""));
    row.Set("waited", Json::Number(waited.count() / 1000));
    row.Set("reason", Cell(WhyItWaits(waiting, builders_)));
    return row;
  }

  void AddQueue(Json& view) const {
    std::vector<records::Waiting> queue = parts_.slots.Queue();
    // The first of each platform matter most; a long queue of one hides no other.
    std::stable_sort(queue.begin(), queue.end(),
                     [](auto& one, auto& other) { return one.position < other.position; });
    Json rows = Json::Array();
    for (std::size_t i = 0; i < std::min(queue.size(), kMostWaiting); ++i)
      rows.Append(Place(queue[i]));
    view.Set("more_queue", Count(queue.size() - rows.size()));
    view.Set("queue", std::move(rows));
  }

  static Json Build(const ShownBuild& shown) {
    Json row = Json::Object();
    row.Set("build", Cell(shown.build.id));
    row.Set("project", Cell(shown.build.project));
    row.Set("image", Cell(shown.image));
    row.Set("state", Json::String(records::StateName(shown.build.state)));
    row.Set("error", Cell(shown.build.error));
    row.Set("created", Json::Number(shown.build.created_at));
    row.Set("finished", Json::Number(shown.build.finished_at));
    Json machines = Json::Array();
    for (const records::Claim& claim : shown.claims) {
      Json machine = Json::Object();
      machine.Set("platform", Cell(claim.platform));
      machine.Set("builder", Cell(claim.builder));
      machine.Set("asked", Json::Number(claim.asked_at));
      machine.Set("granted", Json::Number(claim.granted_at));
      machines.Append(machine);
    }
    row.Set("machines", machines);
    return row;
  }

  void AddBuilds(Json& view) const {
    Json rows = Json::Array();
    std::size_t left = day_.whole ? 0 : 1;
    for (const ShownBuild& shown : day_.builds) {
      if (!who_.MayUse(shown.build.project)) continue;
      if (rows.size() < kMostBuilds) {
        rows.Append(Build(shown));
      } else {
        ++left;
      }
    }
    view.Set("builds", rows);
    view.Set("more_builds", Count(left));
  }

  const Parts& parts_;
  const Day& day_;
  const identity::Caller& who_;
  std::int64_t now_;
  std::vector<fleet::FleetBuilder> builders_;
  std::map<std::string_view, std::string_view> images_;  ///< by build
};

/// The field `token` of a form (URL standard, application/x-www-form-urlencoded).
Secret TokenOf(const web::Request& request) {
  for (std::string_view field : Split(request.body.Reveal(), '&')) {
    constexpr std::string_view kName = "token=";
    if (!field.starts_with(kName)) continue;
    Secret decoded(PercentDecode(field.substr(kName.size())));
    return Secret(std::string(Trim(decoded.Reveal())));
  }
  return Secret();
}

/// Browsers say where a form was sent from (W3C Fetch Metadata); others than browsers do not.
bool IsFromElsewhere(const web::Request& request) {
  std::string site = request.Header("sec-fetch-site");
  return !site.empty() && site != "same-origin" && site != "none";
}

/// `/` and what belongs to it.
class Board {
 public:
  explicit Board(const Parts& parts)
      : parts_(parts), visitors_(parts.settings, parts.gate), last_day_(parts.records) {}

  web::Answer Page(const web::Request& request) {
    auto who = visitors_.Find(IdIn(request), WallClock());
    if (who && !*who) return web::Later();
    std::string nonce = Nonce();
    return who ? Html(200, nonce, BoardPage(nonce)) : Html(200, nonce, SignInPage(nonce, ""));
  }

  web::Answer SignIn(const web::Request& request) {
    if (IsFromElsewhere(request)) return Again(403, "Only this page may send a token here.");
    Decision decision;
    decision.what = "SignIn";
    decision.peer = request.peer;
    identity::Caller who;
    auto id = visitors_.Begin(TokenOf(request), WallClock(), who);
    if (id && !*id) return web::Later();
    decision.who = who.name;
    decision.verdict = id ? "allowed" : "refused";
    if (!id) decision.reason = id.error().message();
    parts_.journal.Audit(decision);
    if (id) return Home(Cookie((*id)->Reveal(), Visitors::kLongest));
    if (id.error().code() != ErrorCode::kDenied) {
      return Again(503, "The pool cannot check tokens of this kind at the moment.");
    }
    parts_.metrics.CountRejectedToken();
    return Again(401, "This token opens nothing here.");
  }

  web::Answer SignOut(const web::Request& request) {
    if (IsFromElsewhere(request)) return Again(403, "Only this page may end a visit.");
    visitors_.End(IdIn(request));
    return Home(Cookie("", 0));
  }

  web::Entrance Fleet(const web::Request& head) {
    auto who = visitors_.Find(IdIn(head), WallClock());
    if (who && !*who) return web::Later();
    web::Response answer;
    answer.headers = {{"Cache-Control", "no-store"}, {"X-Content-Type-Options", "nosniff"}};
    if (!who) {
      answer.status = who.error().code() == ErrorCode::kDenied ? 401 : 503;
      answer.body = Secret("sign in\n");
      return answer;
    }
    return web::Handler([this, caller = **std::move(who), answer](
                            const web::Request&, const Cancel&) mutable -> web::Answer {
      std::int64_t now = WallClock();
      auto day = last_day_.Get(now);
      answer.content_type = "application/json";
      answer.body = Secret(View(parts_, *day, caller, now).Text());
      return answer;
    });
  }

 private:
  static std::string Nonce() { return Base64Url(RandomBytes(16)); }

  static web::Response Html(int status, const std::string& nonce, std::string text) {
    web::Response page;
    page.status = status;
    page.content_type = "text/html; charset=utf-8";
    page.headers = {{"Cache-Control", "no-store"},
                    {"X-Content-Type-Options", "nosniff"},
                    {"Referrer-Policy", "no-referrer"},
                    {"Content-Security-Policy", PagePolicy(nonce)}};
    page.body = Secret(std::move(text));
    return page;
  }

  static web::Response Again(int status, std::string_view said) {
    std::string nonce = Nonce();
    return Html(status, nonce, SignInPage(nonce, said));
  }

  static web::Response Home(std::string cookie) {
    web::Response answer;
    answer.status = 303;
    answer.headers = {
        {"Location", "/"}, {"Cache-Control", "no-store"}, {"Set-Cookie", std::move(cookie)}};
    return answer;
  }

  /// Without HTTPS, which is for tests on one machine, browsers do not take the prefix.
  std::string CookieName() const {
    bool secure = parts_.settings.Current()->url.starts_with("https://");
    return secure ? "__Host-depot-pool" : "depot-pool";
  }

  std::string Cookie(std::string_view id, std::int64_t seconds) const {
    std::string name = CookieName();
    return Cat(name, '=', id, "; Path=/; Max-Age=", seconds, "; HttpOnly; SameSite=Strict",
               name.starts_with("__Host-") ? "; Secure" : "");
  }

  Secret IdIn(const web::Request& request) const {
    std::string name = CookieName();
    for (const auto& [key, value] : request.headers) {
      if (key != "cookie") continue;
      for (std::string_view pair : Split(value, ';')) {
        pair = Trim(pair);
        if (pair.starts_with(name) && pair.substr(name.size()).starts_with('=')) {
          return Secret(std::string(pair.substr(name.size() + 1)));
        }
      }
    }
    return Secret();
  }

  const Parts& parts_;
  Visitors visitors_;
  LastDay last_day_;
};

}  // namespace

void AddBoard(web::Routes& routes, const Parts& parts) {
  auto board = std::make_shared<Board>(parts);
  routes.whole[{"GET", "/"}] = [board](const web::Request& request, const Cancel&) {
    return board->Page(request);
  };
  routes.whole[{"POST", "/"}] = [board](const web::Request& request, const Cancel&) {
    return board->SignIn(request);
  };
  routes.whole[{"POST", "/sign-out"}] = [board](const web::Request& request, const Cancel&) {
    return board->SignOut(request);
  };
  routes.guarded[{"GET", "/fleet.json"}] = [board](const web::Request& head, const Cancel&) {
    return board->Fleet(head);
  };
}

}  // namespace depot::service
