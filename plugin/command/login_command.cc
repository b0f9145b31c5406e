#include "plugin/command/login_command.h"

#include "driver/base/shown.h"
#include "driver/base/subprocess.h"
#include "driver/base/text.h"
#include "driver/depot/api_url.h"
#include "driver/depot/login_api.h"
#include "driver/depot/token.h"
#include "plugin/command/command_line.h"
#include "plugin/job/workshop.h"
#include "plugin/progress/line_sink.h"

namespace depot::command {
namespace {

constexpr std::chrono::seconds kBrowserPatience(5);

/// What any terminal makes a link of, and a browser can open.
bool IsWebAddress(std::string_view text) {
  return (text.starts_with("https://") || text.starts_with("http://")) && Printable(text) == text &&
         text.find_first_of(" \t\"'<>\\") == std::string_view::npos;
}

/// A token in a variable is no login of this machine's.
bool HasStoredLogin(const Environment& environment) {
  Environment places;
  for (const char* name : {"HOME", "XDG_CONFIG_HOME"}) {
    if (auto found = environment.find(name); found != environment.end()) places.insert(*found);
  }
  return !api::TokenSetting("", places).empty();
}

/// The shell ends at once and leaves the opener running, which may be the browser itself. That it
/// fails does not matter: the address is on the screen.
void OpenBrowser(const std::string& url, const Environment& environment, const Cancel& cancel) {
  bool has_screen = !Variable(environment, "DISPLAY").empty() ||
                    !Variable(environment, "WAYLAND_DISPLAY").empty();
  if (!has_screen) return;
  auto ignored =
      RunSubprocess({"sh", "-c", "xdg-open \"$1\" >/dev/null 2>&1 </dev/null &", "sh", url}, "",
                    cancel.WithTimeout(kBrowserPatience, "the browser"));
}

}  // namespace

Result<> LogIn(job::Workshop& workshop, Terminal& terminal, const Cancel& cancel) {
  const Environment& environment = workshop.environment();
  std::string file = api::LoginFile(environment);
  TRY(api::CheckLoginFile(file));
  LineSink sink(terminal, cancel);
  TRY_ASSIGN(auto api, api::MakeLoginApi(workshop.http(), api::ApiUrl(environment),
                                         [&sink](std::string line) { sink.Say(std::move(line)); }));
  // Of the approval, which comes later, a line of its own says that it is waited for.
  workshop.SayTo(&sink);
  auto started = api->Start(cancel);
  workshop.SayTo(nullptr);
  TRY_ASSIGN(const api::Login login, std::move(started));
  if (!IsWebAddress(login.approve_url)) {
    return Fail(ErrorCode::kInvalid, Cat("the Depot API gave no web address to log in at, but \"",
                                         Printable(login.approve_url), "\""));
  }
  sink.Say(Cat("Approve this login in a browser, on any machine:\n\n    ", login.approve_url,
               "\n\nWaiting for the approval, for at most 10 minutes..."));
  OpenBrowser(login.approve_url, environment, cancel);
  TRY_ASSIGN(Secret token, api->Finish(login, cancel));
  TRY(api::StoreLogin(file, token));
  TRY(terminal.WriteResult(Cat("Logged in. The token is in ", file, ", readable by you alone.\n"),
                           cancel));
  SayWhatCountsMore(environment, terminal, cancel);
  return {};
}

void SayWhatCountsMore(const Environment& environment, Terminal& terminal, const Cancel& cancel) {
  for (const char* name : {"DEPOT_TOKEN", "DEPOT_API_TOKEN"}) {
    if (Variable(environment, name).empty()) continue;
    LineSink(terminal, cancel).Say(Cat("note: ", name, " is set, and is what commands use."));
    break;
  }
}

Result<> RunLogin(const Call& call) {
  bool clear = false;
  bool quiet = false;
  TRY_ASSIGN(
      bool runs,
      ReadCommandLine({.words = "login",
                       .description = "Log in to Depot: approve it in the browser, on any machine",
                       .flags = {{"clear", 0, flags::FlagKind::kSwitch, "",
                                  "Remove the stored login first", flags::Into(clear)},
                                 {"quiet", 0, flags::FlagKind::kSwitch, "",
                                  "Say nothing when logged in already", flags::Into(quiet)}}},
                      call));
  if (!runs) return {};
  std::string file = api::LoginFile(call.environment);
  if (clear) TRY(api::RemoveLogin(file));
  if (HasStoredLogin(call.environment)) {
    if (quiet) return {};
    return call.terminal.WriteResult(
        Cat("You are already logged in; --clear removes ", file, "'s token first.\n"), call.cancel);
  }
  job::Workshop workshop(call.environment, call.globals, call.version);
  return LogIn(workshop, call.terminal, call.cancel);
}

}  // namespace depot::command
