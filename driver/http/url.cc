#include "driver/http/url.h"

#include <algorithm>
#include <memory>

#include <arpa/inet.h>
#include <curl/curl.h>

#include "driver/base/shown.h"
#include "driver/base/text.h"

namespace depot::http {
namespace {

struct UrlDeleter {
  void operator()(CURLU* url) const { ::curl_url_cleanup(url); }
};
using Parsed = std::unique_ptr<CURLU, UrlDeleter>;

/// "" when the URL has no such part.
std::string Part(const Parsed& url, CURLUPart part) {
  char* text = nullptr;
  if (::curl_url_get(url.get(), part, &text, 0) != CURLUE_OK) return "";
  std::string copy(text);
  ::curl_free(text);
  return copy;
}

std::string_view WhyNot(CURLUcode code) {
  switch (code) {
    case CURLUE_USER_NOT_ALLOWED:
      return "carries a user name";
    case CURLUE_NO_HOST:
      return "has no host";
    default:
      return "is malformed";
  }
}

}  // namespace

Result<Url> ParseUrl(const std::string& url) {
  const std::size_t colon = url.find("://");
  const std::string scheme =
      colon == std::string::npos ? "" : LowerAscii(std::string_view(url).substr(0, colon));
  if (scheme != "http" && scheme != "https") {
    return Fail(ErrorCode::kInvalid, "is not an http or https URL");
  }
  for (char c : url) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte <= 0x20 || byte >= 0x7f || c == '\\' || c == '#') {
      return Fail(ErrorCode::kInvalid, "is malformed");
    }
  }
  // libcurl takes "https:///name" for "https://name".
  if (url.compare(scheme.size() + 3, 1, "/") == 0) return Fail(ErrorCode::kInvalid, "has no host");
  const Parsed parsed(::curl_url());
  const CURLUcode code = ::curl_url_set(parsed.get(), CURLUPART_URL, url.c_str(),
                                        CURLU_DISALLOW_USER | CURLU_PATH_AS_IS);
  if (code != CURLUE_OK) return Fail(ErrorCode::kInvalid, std::string(WhyNot(code)));
  Url parts{scheme == "https", LowerAscii(Part(parsed, CURLUPART_HOST)),
            Part(parsed, CURLUPART_PATH)};
  if (parts.authority.empty()) return Fail(ErrorCode::kInvalid, "has no host");
  const std::string port = Part(parsed, CURLUPART_PORT);
  if (!port.empty()) parts.authority += Cat(':', port);
  const std::size_t question = url.find('?');
  if (question != std::string::npos) parts.rest += url.substr(question);
  return parts;
}

std::string OriginOf(std::string_view url) {
  const std::size_t scheme = url.find("://");
  const std::size_t start = scheme == std::string_view::npos ? 0 : scheme + 3;
  const std::size_t end = std::min(url.find_first_of("/?#", start), url.size());
  std::string_view host = url.substr(start, end - start);
  host.remove_prefix(host.rfind('@') + 1);
  return Printable(Cat(url.substr(0, start), host));
}

std::string_view HostName(std::string_view authority) {
  const std::size_t colon = authority.rfind(':');
  const bool has_port =
      colon != std::string_view::npos && authority.find(']', colon) == std::string_view::npos;
  return has_port ? authority.substr(0, colon) : authority;
}

bool IsLoopback(std::string_view host_name) {
  const std::string name = LowerAscii(host_name);
  in_addr v4{};
  if (::inet_pton(AF_INET, name.c_str(), &v4) == 1) return (ntohl(v4.s_addr) >> 24) == 127;
  return name == "localhost" || name == "[::1]";
}

bool IsSafe(const Url& url) {
  return url.encrypted || IsLoopback(HostName(url.authority));
}

bool IsSafeUrl(const std::string& url) {
  const Result<Url> parsed = ParseUrl(url);
  return parsed && IsSafe(*parsed);
}

}  // namespace depot::http
