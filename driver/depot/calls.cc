#include "driver/depot/calls.h"

#include "driver/base/shown.h"
#include "driver/http/url.h"

namespace depot::api {

Error Malformed(std::string_view method, std::string_view what) {
  return Error(ErrorCode::kInvalid, Cat(method, ": the Depot API's answer ", what));
}

Caller CallerOf(const Token& token) {
  return {token.value, token.source};
}

Result<std::string> CheckedAddress(std::string url) {
  while (url.ends_with('/'))
    url.pop_back();
  const Result<http::Url> parts = http::ParseUrl(url);
  std::string why = parts ? "" : parts.error().message();
  if (parts && parts->rest.find('?') != std::string::npos) why = "has a query";
  if (parts && !http::IsSafe(*parts)) why = "is not encrypted: a token would travel in clear";
  if (why.empty()) return url;
  // Behind a question mark, or in front of the host, may be a secret.
  const std::string shown = RedactUrls(Printable(url.substr(0, url.find_first_of("?#"))));
  return Fail(Error(ErrorCode::kInvalid, Cat("the Depot API's address \"", shown, "\" ", why))
                  .While("DEPOT_API_URL")
                  .WithHint("set DEPOT_API_URL to https://HOST[:PORT]")
                  .At(FailedAt::kSettings));
}

}  // namespace depot::api
