#include "plugin/account_commands.h"

#include <algorithm>
#include <cerrno>

#include <poll.h>
#include <unistd.h>

#include "driver/base/shown.h"
#include "driver/base/subprocess.h"
#include "driver/base/text.h"
#include "driver/depot/project.h"
#include "driver/depot/token.h"
#include "plugin/depot_account.h"

namespace depot {
namespace {

constexpr std::chrono::seconds kBrowserPatience(5);
constexpr std::size_t kLongestAnswer = 4096;

/// Reads one line from standard input, without its end.
Result<std::string> ReadLine(const Cancel& cancel) {
  std::string line;
  while (line.size() < kLongestAnswer) {
    TRY(WaitForFd(STDIN_FILENO, POLLIN, cancel));
    char byte;
    ssize_t got = ::read(STDIN_FILENO, &byte, 1);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return Fail(SystemError("read standard input", errno));
    if (got == 0 && line.empty()) return Fail(ErrorCode::kFailed, "there was no answer");
    if (got == 0 || byte == '\n') break;
    line += byte;
  }
  return std::string(Trim(line));
}

/// What any terminal makes a link of, and a browser can open.
bool IsWebAddress(std::string_view text) {
  return (text.starts_with("https://") || text.starts_with("http://")) && Printable(text) == text &&
         text.find_first_of(" \t\"'<>\\") == std::string_view::npos;
}

/// One run of one of these commands.
class AccountCommand {
 public:
  AccountCommand(const options::AccountOptions& options,
                 const Environment& environment,
                 Terminal& terminal,
                 const Cancel& cancel)
      : options_(options),
        environment_(environment),
        terminal_(terminal),
        cancel_(cancel),
        login_file_(api::LoginFile(environment)) {}

  Result<> Login() {
    if (options_.clear) TRY(api::RemoveLogin(login_file_));
    if (HasStoredLogin()) {
      if (options_.quiet) return {};
      return Tell(
          Cat("You are already logged in; --clear removes ", login_file_, "'s token first."));
    }
    TRY(api::CheckLoginFile(login_file_));
    TRY(Connect());
    TRY_ASSIGN(api::Login login, account_->api().StartLogin(cancel_));
    if (!IsWebAddress(login.approve_url)) {
      return Fail(ErrorCode::kInvalid, Cat("the Depot API gave no web address to log in at, but \"",
                                           Printable(login.approve_url), "\""));
    }
    Say(Cat("Approve this login in a browser, on any machine:\n\n    ", login.approve_url,
            "\n\nWaiting for the approval, for at most 10 minutes..."));
    OpenBrowser(login.approve_url);
    TRY_ASSIGN(Secret token, account_->api().FinishLogin(login, cancel_));
    TRY(api::StoreLogin(login_file_, token));
    TRY(Tell(Cat("Logged in. The token is in ", login_file_, ", readable by you alone.")));
    return SayWhatStillCounts();
  }

  Result<> Logout() {
    TRY_ASSIGN(bool removed, api::RemoveLogin(login_file_));
    TRY(Tell(removed ? Cat("Logged out. The token is gone from ", login_file_, '.')
                     : "You were not logged in."));
    return SayWhatStillCounts();
  }

  Result<> Init() {
    bool asks = options_.project.empty();
    if (asks && (::isatty(STDIN_FILENO) == 0 || !terminal_.error_is_terminal())) {
      return Fail(
          Error(ErrorCode::kUsage, "init needs --project when there is no terminal to ask on")
              .WithHint("the command list projects shows the IDs"));
    }
    TRY(Connect());
    TRY_ASSIGN(api::Token token, account_->Token(options_, cancel_));
    TRY_ASSIGN(std::vector<api::Project> projects, account_->api().ListProjects(token, cancel_));
    std::string id = options_.project;
    if (asks) {
      TRY_ASSIGN(id, Choose(projects));
    }
    auto found = std::find_if(projects.begin(), projects.end(),
                              [&](const api::Project& project) { return project.id == id; });
    if (found == projects.end()) return Fail(NoSuchProject(id, token, projects));
    std::string directory = options_.directory.empty() ? "." : options_.directory;
    TRY(api::WriteProjectFile(directory, id, options_.force));
    return Tell(Cat("Builds of ", Printable(directory), " now belong to the project ",
                    Printable(found->name), " (", Printable(id), ")."));
  }

  Result<> ResetCache() {
    TRY(Connect());
    TRY_ASSIGN(std::string project, account_->Project(options_));
    TRY_ASSIGN(api::Token token, account_->Token(options_, cancel_));
    TRY_ASSIGN(std::string name, account_->api().ResetCache(token, project, cancel_));
    return Tell(Cat("Cache reset for ", name.empty() ? "" : Cat(Printable(name), ' '), '(',
                    Printable(project), ")."));
  }

 private:
  Result<> Connect() {
    TRY_ASSIGN(account_,
               DepotAccount::Make(environment_, [this](const std::string& line) { Say(line); }));
    return {};
  }

  void Say(std::string_view text) { terminal_.WriteError(Cat(text, '\n'), cancel_); }

  Result<> Tell(std::string_view text) { return terminal_.WriteResult(Cat(text, '\n'), cancel_); }

  /// A token in a variable is no login of this machine's.
  bool HasStoredLogin() const {
    Environment places;
    for (const char* name : {"HOME", "XDG_CONFIG_HOME"}) {
      if (auto found = environment_.find(name); found != environment_.end()) places.insert(*found);
    }
    return !api::TokenSetting("", places).empty();
  }

  /// Variables come before the stored login, and stay when it goes.
  Result<> SayWhatStillCounts() {
    for (const char* name : {"DEPOT_TOKEN", "DEPOT_API_TOKEN"}) {
      if (Variable(environment_, name).empty()) continue;
      Say(Cat("note: ", name, " is set, and is what commands use."));
      break;
    }
    return {};
  }

  /// The shell ends at once and leaves the opener running, which may be the browser itself. That it
  /// fails does not matter: the address is on the screen.
  void OpenBrowser(const std::string& url) {
    bool has_screen = !Variable(environment_, "DISPLAY").empty() ||
                      !Variable(environment_, "WAYLAND_DISPLAY").empty();
    if (!has_screen) return;
    auto ignored =
        RunSubprocess({"sh", "-c", "xdg-open \"$1\" >/dev/null 2>&1 </dev/null &", "sh", url}, "",
                      cancel_.WithTimeout(kBrowserPatience, "the browser"));
  }

  Result<std::string> Choose(const std::vector<api::Project>& projects) {
    if (projects.empty()) {
      return Fail(Error(ErrorCode::kNotFound, "this token opens no project")
                      .WithHint("create one first, or log in as somebody else"));
    }
    std::string text = "Projects:\n";
    for (std::size_t i = 0; i < projects.size(); ++i) {
      text += Cat("  ", i + 1, "  ", Printable(projects[i].id), "  ", Printable(projects[i].name),
                  '\n');
    }
    Say(Cat(text, "Type the number or the ID of one, and Enter:"));
    TRY_ASSIGN(std::string answer, ReadLine(cancel_));
    bool is_id = std::any_of(projects.begin(), projects.end(),
                             [&](const api::Project& project) { return project.id == answer; });
    auto number = ParseDecimal(answer);
    if (!is_id && number && *number >= 1 && *number <= projects.size()) {
      return projects[*number - 1].id;
    }
    return answer;
  }

  static Error NoSuchProject(const std::string& id,
                             const api::Token& token,
                             const std::vector<api::Project>& projects) {
    std::vector<std::string_view> ids;
    for (const api::Project& project : projects)
      ids.push_back(project.id);
    std::string nearest = Printable(Nearest(id, ids));
    return Error(ErrorCode::kNotFound,
                 Cat("the token (", token.source, ") opens no project \"", Printable(id), "\""))
        .WithHint(nearest.empty() ? "the command list projects shows those it opens"
                                  : Cat("did you mean ", nearest, "?"));
  }

  const options::AccountOptions& options_;
  const Environment& environment_;
  Terminal& terminal_;
  const Cancel& cancel_;
  std::string login_file_;
  std::unique_ptr<DepotAccount> account_;
};

}  // namespace

Result<> RunAccount(const options::Invocation& invocation,
                    const Environment& environment,
                    Terminal& terminal,
                    const Cancel& cancel) {
  TRY_ASSIGN(auto options, ReadAccountFlags(invocation, terminal, cancel));
  if (!options) return {};
  AccountCommand command(*options, environment, terminal, cancel);
  switch (invocation.command) {
    case options::Command::kLogin:
      return command.Login();
    case options::Command::kLogout:
      return command.Logout();
    case options::Command::kInit:
      return command.Init();
    default:
      return command.ResetCache();
  }
}

Result<> LogIn(const Environment& environment, Terminal& terminal, const Cancel& cancel) {
  options::AccountOptions options;
  return AccountCommand(options, environment, terminal, cancel).Login();
}

}  // namespace depot
