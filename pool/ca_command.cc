#include <cerrno>

#include <sys/stat.h>

#include "pool/commands.h"
#include "pool/identity/authority.h"
#include "pool/settings/settings.h"

#include "driver/base/text.h"
#include "driver/disk/whole_file.h"

namespace depot {
namespace {

constexpr std::chrono::hours kServerLife(2 * 365 * 24);

/// The key keeps the mode that the process gives its files, which is for the owner alone.
Result<Output> ServerCertificate(const Invocation& invocation,
                                 const std::string& state,
                                 const std::string& ca_pem) {
  const std::vector<std::string>& words = invocation.arguments.words;
  std::vector<std::string> names(words.begin() + 1, words.end());
  std::string directory = invocation.arguments.Option("--out");
  TRY_ASSIGN(identity::IssuedCertificate issued,
             identity::IssueServerCertificate(state, names, kServerLife));
  if (::mkdir(directory.c_str(), 0755) != 0 && errno != EEXIST) {
    return Fail(SystemError(Cat("make ", directory), errno));
  }
  std::string key = Cat(directory, "/server-key.pem");
  std::string certificate = Cat(directory, "/server.pem");
  std::string ca = Cat(directory, "/ca.pem");
  TRY(disk::WriteWholeFile(key, issued.key_pem.Reveal()));
  TRY(disk::WriteWholeFile(certificate, issued.certificate_pem));
  TRY(disk::WriteWholeFile(ca, ca_pem));
  for (const std::string& open : {certificate, ca}) {
    if (::chmod(open.c_str(), 0644) != 0) return Fail(SystemError(Cat("chmod ", open), errno));
  }
  return Output{"", Cat("wrote ", certificate, ", ", key, " and ", ca, " for ", Join(names, ", "),
                        ", valid for two years\n")};
}

}  // namespace

Result<Output> RunCa(const Invocation& invocation) {
  const std::vector<std::string>& words = invocation.arguments.words;
  std::string verb = words.empty() ? "" : words[0];
  bool show = verb == "show" && words.size() == 1;
  bool server = verb == "server-certificate" && words.size() > 1 &&
                !invocation.arguments.Option("--out").empty();
  if (!show && !server) {
    return Fail(
        WrongUsage("depot-pool ca show [--state DIR], depot-pool ca server-certificate NAME... "
                   "--out DIR [--state DIR]"));
  }
  // Before there are settings that hold, there may have to be certificates.
  std::string state = invocation.arguments.Option("--state");
  if (state.empty()) {
    TRY_ASSIGN(settings::Settings known, settings::ReadSettings(invocation.settings_file));
    state = known.state;
  }
  if (::mkdir(state.c_str(), 0700) != 0 && errno != EEXIST) {
    return Fail(SystemError(Cat("make the state directory ", state), errno));
  }
  TRY_ASSIGN(auto authority, identity::OpenAuthority(state));
  if (show) return Output{authority->certificate_pem(), ""};
  return ServerCertificate(invocation, state, authority->certificate_pem());
}

}  // namespace depot
