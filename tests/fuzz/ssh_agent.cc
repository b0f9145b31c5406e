#include "driver/session/ssh_agent.h"

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "driver/session/openssh_key.h"
#include "driver/session/ssh_key.h"

// Two strangers: a key file, which may come with the sources, and a builder that talks to our
// agent. The first byte says which the rest is: 'k' the text of a key file, 'o' the bytes inside
// OpenSSH's form, anything else what a builder sends.

namespace {

using depot::session::SshKey;

void Require(bool holds) {
  if (!holds) std::abort();
}

constexpr std::string_view kKey =
    "-----BEGIN PRIVATE KEY-----\n"
    "MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n"
    "-----END PRIVATE KEY-----\n";

void ReadKey(std::string_view text) {
  const auto key = SshKey::Read(depot::Secret(std::string(text)));
  if (!key) return;
  Require(!key->public_blob().empty());
  const auto signature = key->Sign("data", 2);
  Require(signature.has_value());
}

void Converse(std::string_view sent) {
  static const std::vector<depot::session::SshIdentity> identities = {
      {*SshKey::Read(depot::Secret(std::string(kKey))), "comment"}};
  const auto agent = depot::session::MakeSshAgent(identities);
  depot::session::SshMessages messages;
  std::string request;
  while (!sent.empty()) {
    messages.Add(sent.substr(0, 1000));
    sent.remove_prefix(std::min<std::size_t>(sent.size(), 1000));
    while (true) {
      const auto whole = messages.Take(request);
      if (!whole) return;
      if (!*whole) break;
      const auto answer = agent->Answer(request, depot::Cancel::Never());
      Require(answer.has_value() && !answer->empty());
      const char type = answer->front();
      Require(type == 5 || type == 12 || type == 14);
      // Only whoever names the key gets a signature.
      const std::string& blob = identities.front().key.public_blob();
      Require(type != 14 || request.find(blob) != std::string::npos);
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  if (input.empty()) return 0;
  const std::string_view rest = input.substr(1);
  if (input.front() == 'k') {
    ReadKey(rest);
  } else if (input.front() == 'o') {
    (void)depot::session::ReadOpenSshKey(rest);
  } else {
    Converse(rest);
  }
  return 0;
}
