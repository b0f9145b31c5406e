#include <cerrno>
#include <filesystem>

#include <CLI/CLI.hpp>
#include <sys/stat.h>

#include "driver/base/text.h"
#include "driver/disk/whole_file.h"
#include "pool/commands.h"
#include "pool/identity/authority.h"
#include "pool/settings/settings.h"

namespace depot {
namespace {

constexpr std::chrono::hours kServerLife(2 * 365 * 24);

struct WantedFile {
  std::string state, builder, directory;
  std::vector<std::string> names;
};

/// Before there are settings that hold, there may have to be certificates.
Result<std::string> StateOf(const Invocation& invocation, const WantedFile& wanted) {
  std::string state = wanted.state;
  if (state.empty()) {
    TRY_ASSIGN(settings::Settings known, settings::ReadSettings(invocation.settings_file));
    state = known.state;
  }
  if (::mkdir(state.c_str(), 0700) != 0 && errno != EEXIST) {
    return Fail(SystemError(Cat("make the state directory ", state), errno));
  }
  return state;
}

Result<Output> ShowFile(const Invocation& invocation, const WantedFile& wanted) {
  TRY_ASSIGN(std::string state, StateOf(invocation, wanted));
  TRY_ASSIGN(auto authority, wanted.builder.empty()
                                 ? identity::OpenAuthority(state)
                                 : identity::OpenBuilderAuthority(state, wanted.builder));
  return Output{authority->certificate_pem(), ""};
}

Result<> WriteOpen(const std::string& path, const std::string& text) {
  TRY(disk::WriteWholeFile(path, text));
  if (::chmod(path.c_str(), 0644) != 0) return Fail(SystemError(Cat("chmod ", path), errno));
  return {};
}

/// The key keeps the mode that the process gives its files, which is for the owner alone.
Result<Output> ServerCertificate(const Invocation& invocation, const WantedFile& wanted) {
  TRY_ASSIGN(std::string state, StateOf(invocation, wanted));
  TRY_ASSIGN(identity::IssuedCertificate issued,
             identity::IssueServerCertificate(state, wanted.names, kServerLife));
  TRY_ASSIGN(auto authority, identity::OpenAuthority(state));
  const std::string& directory = wanted.directory;
  std::error_code error;
  std::filesystem::create_directories(directory, error);
  if (error) return Fail(SystemError(Cat("make ", directory), error.value()));
  TRY(disk::WriteWholeFile(Cat(directory, "/server-key.pem"), issued.key_pem.Reveal()));
  TRY(WriteOpen(Cat(directory, "/server.pem"), issued.certificate_pem));
  TRY(WriteOpen(Cat(directory, "/ca.pem"), authority->certificate_pem()));
  std::string files = "server.pem, server-key.pem and ca.pem";
  if (!wanted.builder.empty()) {
    TRY_ASSIGN(auto clients, identity::OpenBuilderAuthority(state, wanted.builder));
    TRY(WriteOpen(Cat(directory, "/clients.pem"), clients->certificate_pem()));
    files = "server.pem, server-key.pem, ca.pem and clients.pem";
  }
  return Output{"", Cat("wrote ", files, " to ", directory, " for ", Join(wanted.names, ", "),
                        ", valid for two years\n")};
}

using CaVerb = Result<Output> (*)(const Invocation&, const WantedFile&);

void Choose(CLI::App& verb,
            Command& chosen,
            const std::shared_ptr<WantedFile>& wanted,
            CaVerb run) {
  verb.add_option("--state", wanted->state, "the pool's state, when there are no settings yet")
      ->type_name("DIR");
  verb.callback([&chosen, wanted, run] {
    chosen = [wanted, run](const Invocation& invocation) { return run(invocation, *wanted); };
  });
}

}  // namespace

void AddCa(CLI::App& program, Command& chosen) {
  CLI::App* ca = program.add_subcommand("ca", "certificates");
  auto shown = std::make_shared<WantedFile>();
  CLI::App* show = ca->add_subcommand(
      "show", "who signs the servers' certificates; with --builder: who signs what builds show it");
  show->add_option("--builder", shown->builder, "as `builders` calls it")->type_name("NAME");
  Choose(*show, chosen, shown, ShowFile);
  auto server = std::make_shared<WantedFile>();
  CLI::App* certificate =
      ca->add_subcommand("server-certificate", "a certificate for a pool or a builder");
  certificate->add_option("HOST", server->names, "how clients name it: DNS names, IP addresses")
      ->required();
  certificate->add_option("--out", server->directory, "where its files go")
      ->type_name("DIR")
      ->required();
  certificate
      ->add_option("--builder", server->builder,
                   "it is for this one of `builders`: adds clients.pem, whom it has to let in")
      ->type_name("NAME");
  Choose(*certificate, chosen, server, ServerCertificate);
}

}  // namespace depot
