#include "driver/registry/challenge.h"

#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "driver/http/client.h"
#include "driver/http/url.h"
#include "driver/registry/refusal.h"

// What a registry, or who answers in its place, says to a request: WWW-Authenticate headers, and a
// refusal. The first line is the header, the second the status and the content type, the rest the
// body.

namespace {

void Require(bool holds) {
  if (!holds) std::abort();
}

std::string_view TakeLine(std::string_view& text) {
  std::string_view line = text.substr(0, text.find('\n'));
  text.remove_prefix(line.size() < text.size() ? line.size() + 1 : text.size());
  return line;
}

bool IsPrintable(std::string_view text) {
  for (char c : text)
    if (static_cast<unsigned char>(c) < 0x20 && c != '\t') return false;
  return true;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  constexpr std::string_view kSecret = "hunter2-s3cr3t";
  std::string_view rest(reinterpret_cast<const char*>(data), size);
  // The fuzzer learns it from the comparison below; what the other side says by itself is no leak.
  if (rest.find(kSecret) != rest.npos) return 0;
  const std::string header(TakeLine(rest));
  for (const auto& challenge : depot::registry::ParseChallenges(header)) {
    Require(!challenge.scheme.empty());
    for (const auto& [name, value] : challenge.parameters)
      Require(!name.empty() && value.size() <= header.size());
    (void)depot::http::ParseUrl(challenge.Parameter("realm"));
  }
  std::string_view line = TakeLine(rest);
  depot::http::Response response;
  for (char c : line.substr(0, 3))
    response.status = response.status * 10 + (c >= '0' && c <= '9' ? c - '0' : 0);
  response.headers = {{"www-authenticate", header},
                      {"content-type", std::string(line.substr(line.size() < 4 ? line.size() : 4))},
                      {"retry-after", header}};
  response.body = rest;
  depot::registry::Asked asked{"r.test", "config.json", {}};
  asked.proof.basic = {"user", depot::Secret(std::string(kSecret))};
  const depot::Error error = depot::registry::Refusal(response, asked);
  Require(IsPrintable(error.message()) && IsPrintable(error.hint()));
  Require(error.message().find(kSecret) == std::string::npos);
  if (error.code() == depot::ErrorCode::kDenied) {
    Require(depot::registry::IsFromRegistry(response));
  }
  return 0;
}
