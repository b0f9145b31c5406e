#include "plugin/job/remote_text.h"

#include <chrono>
#include <string_view>
#include <utility>

#include "driver/base/shown.h"
#include "driver/base/text.h"

namespace depot::job {
namespace {

constexpr std::size_t kMaxText = 2 << 20;
constexpr int kMaxRedirects = 10;
constexpr std::chrono::seconds kSilence(60);
constexpr std::string_view kEncrypted = "https://";

bool IsRedirect(int status) {
  return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

/// Where `location` leads from `url`: another URL, or a path on the same server.
Result<std::string> Follow(const std::string& url, const std::string& location) {
  std::string next = location;
  if (location.starts_with('/') && !location.starts_with("//")) {
    const std::size_t host = url.find("://") + 3;
    next = Cat(url.substr(0, url.find_first_of("/?#", host)), location);
  }
  const bool encrypted = next.starts_with(kEncrypted);
  if (!encrypted && !next.starts_with("http://")) {
    return Fail(ErrorCode::kInvalid, "it redirects to what is no http URL");
  }
  if (url.starts_with(kEncrypted) && !encrypted) {
    return Fail(ErrorCode::kDenied, "it redirects from https to http");
  }
  return next;
}

Result<std::string> Fetch(http::HttpClient& http, std::string url, const Cancel& cancel) {
  for (int i = 0; i <= kMaxRedirects; ++i) {
    http::Request request;
    request.url = url;
    request.max_body = kMaxText;
    request.silence = kSilence;
    TRY_ASSIGN(http::Response response, http.Send(request, cancel));
    if (response.status == 200) return std::move(response.body);
    if (!IsRedirect(response.status)) {
      const ErrorCode code = response.status == 404 ? ErrorCode::kNotFound : ErrorCode::kFailed;
      return Fail(code, Cat("the server answers with HTTP status ", response.status));
    }
    TRY_ASSIGN(url, Follow(url, response.Header("location")));
  }
  return Fail(ErrorCode::kInvalid, "too many redirects");
}

}  // namespace

Result<std::string> FetchText(http::HttpClient& http,
                              const std::string& url,
                              std::string_view what,
                              const Cancel& cancel) {
  auto text = Fetch(http, url, cancel);
  if (!text) {
    const std::string shown = RedactUrls(url.substr(0, url.find_first_of("?#")));
    return Fail(std::move(text).error().While(Cat(what, ' ', Printable(shown))));
  }
  return text;
}

}  // namespace depot::job
