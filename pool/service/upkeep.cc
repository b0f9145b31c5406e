#include "pool/service/upkeep.h"

#include "driver/base/text.h"
#include "pool/service/services.h"
#include "pool/settings/durable_file.h"

namespace depot::service {
namespace {

/// Who has not looked for so long was stopped itself (a virtual machine that was moved, a signal),
/// and has heard nobody meanwhile.
constexpr std::chrono::seconds kAbsence(10);

/// A client has this long to obey before its build is ended for it.
constexpr std::int64_t kObeyWithin = 60;

/// The same for one that lost the right to build.
constexpr std::int64_t kBarredObeyWithin = 10;

std::string TlsStamp(const settings::Settings& settings) {
  if (settings.tls_certificate.empty()) return "";
  return Cat(settings::FileStamp(settings.tls_certificate.path), '/',
             settings::FileStamp(settings.tls_key.path));
}

}  // namespace

Result<web::ServerTls> ReadTls(const settings::Settings& settings) {
  web::ServerTls tls;
  if (settings.tls_certificate.empty()) return tls;
  TRY_ASSIGN(tls.certificate_pem, settings::ReadNamedFile(settings.tls_certificate));
  TRY_ASSIGN(std::string key, settings::ReadNamedFile(settings.tls_key));
  tls.key_pem = Secret(std::move(key));
  return tls;
}

void Upkeep::Start(web::Server& server) {
  tls_stamp_ = TlsStamp(*parts_.settings.Current());
  threads_.Start("upkeep", [this, &server](const Cancel& stop) { return Tick(server, stop); });
}

Result<> Upkeep::Tick(web::Server& server, const Cancel& cancel) {
  do {
    WriteBacklog();
    if (parts_.shared) TakeTokens();
    EndBuilds(WallClock());
    ReloadTls(server);
    for (const std::string& line : parts_.authorities.Renew())
      parts_.journal.Say(line);
  } while (cancel.SleepFor(kTick));
  WriteBacklog();
  return {};
}

void Upkeep::WriteBacklog() {
  parts_.backlog.Flush([this](const Error& error) {
    parts_.journal.Say(Cat("a write that had waited failed: ", error.message()));
  });
}

void Upkeep::TakeTokens() {
  auto tokens = parts_.records.Tokens();
  // What is known stays while they cannot be read.
  if (tokens) parts_.settings.SetStored(*std::move(tokens));
}

void Upkeep::End(const std::string& build,
                 records::State state,
                 const std::string& reason,
                 std::int64_t now) {
  Result<bool> ended = EndBuild(parts_, build, state, reason, now);
  if (!ended) {
    parts_.journal.Say(Cat("build ", build, ": ", ended.error().message()));
    return;
  }
  lost_.erase(build);
  if (!*ended) return;
  Decision decision;
  decision.what = "EndBuild";
  decision.who = "pool";
  decision.build = build;
  decision.verdict = "allowed";
  decision.reason = reason;
  parts_.journal.Audit(decision);
  parts_.journal.Say(Cat("build ", build, " ended by the pool: ", reason));
}

records::Expired Upkeep::TakeSilent() {
  const records::Slots::Moment now = SteadyTime();
  if (now - looked_ > kAbsence) {
    nobody_silent_until_ = now + records::kSilence;
    parts_.journal.Say("the pool was stopped for a while: all builds get the time to report");
  }
  looked_ = now;
  return now < nobody_silent_until_ ? records::Expired{} : parts_.slots.Expire(now);
}

void Upkeep::EndBuilds(std::int64_t now) {
  records::Expired expired = TakeSilent();
  lost_.insert(expired.builds.begin(), expired.builds.end());
  for (const records::Claim& claim : expired.claims) {
    parts_.journal.Say(Cat("build ", claim.build, " lost its ",
                           claim.builder.empty() ? "place in the queue for " : "builder of ",
                           claim.platform, ": no sign of life for 60 s"));
  }
  // A copy: those that can be written down go from the set meanwhile.
  for (const std::string& build : std::set<std::string>(lost_))
    End(build, records::State::kLost, "no sign of life", now);
  // What ends these may be waiting there.
  if (!parts_.backlog.empty()) return;
  auto running = parts_.records.Running();
  if (!running) return;
  auto settings = parts_.settings.Current();
  for (const records::BuildRecord& build : *running) {
    std::string barred = identity::Barred(*settings, build.admitted_by, build.project);
    if (!barred.empty() && build.cancel_at == 0) {
      // Its client hears of it with its next report, and asks for nothing meanwhile.
      Result<bool> asked = parts_.records.RequestCancel(build.id, now);
      if (!asked) parts_.journal.Say(Cat("build ", build.id, ": ", asked.error().message()));
      continue;
    }
    std::int64_t cancel = CancelTime(build, now);
    if (cancel == 0 || now < cancel + (barred.empty() ? kObeyWithin : kBarredObeyWithin)) continue;
    End(build.id, records::State::kCanceled,
        !barred.empty()        ? barred
        : build.cancel_at != 0 ? "cancelled by the administrator"
                               : "its time is over",
        now);
  }
}

void Upkeep::ReloadTls(web::Server& server) {
  auto settings = parts_.settings.Current();
  std::string stamp = TlsStamp(*settings);
  if (stamp == tls_stamp_) return;
  tls_stamp_ = stamp;
  auto tls = ReadTls(*settings);
  Result<> replaced = tls ? server.ReplaceTls(*tls) : Result<>(Fail(tls.error()));
  if (!replaced) {
    parts_.metrics.CountSettingsError();
    parts_.journal.Say(
        Cat("the changed TLS certificate is not used: ", replaced.error().message()));
    return;
  }
  parts_.journal.Say("the TLS certificate has changed");
}

}  // namespace depot::service
