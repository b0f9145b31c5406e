#include "pool/web/response_text.h"

#include <algorithm>

#include "driver/base/text.h"

namespace depot::web {
namespace {

/// For people alone: clients go by the number (RFC 9110 15).
std::string_view Phrase(int status) {
  switch (status) {
    case 200:
      return "OK";
    case 204:
      return "No Content";
    case 303:
      return "See Other";
    case 400:
      return "Bad Request";
    case 401:
      return "Unauthorized";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 408:
      return "Request Timeout";
    case 413:
      return "Content Too Large";
    case 415:
      return "Unsupported Media Type";
    case 429:
      return "Too Many Requests";
    case 431:
      return "Request Header Fields Too Large";
    case 500:
      return "Internal Server Error";
    case 501:
      return "Not Implemented";
    case 503:
      return "Service Unavailable";
    case 504:
      return "Gateway Timeout";
    default:
      return "";
  }
}

void AppendHeader(std::string& out, std::string_view name, std::string value) {
  std::replace_if(
      value.begin(), value.end(), [](char c) { return c == '\r' || c == '\n' || c == '\0'; }, ' ');
  out += Cat(name, ": ", value, "\r\n");
}

}  // namespace

Secret ResponseText(const Response& response, const ResponseForm& form) {
  std::string head = Cat(form.old ? "HTTP/1.0 " : "HTTP/1.1 ", response.status, ' ',
                         Phrase(response.status), "\r\n");
  bool has_body = response.status != 204 && response.status != 304;
  if (has_body) {
    AppendHeader(head, "Content-Type", response.content_type);
    AppendHeader(head, "Content-Length", Cat(response.body.size()));
  }
  if (!form.keep_alive) AppendHeader(head, "Connection", "close");
  if (form.keep_alive && form.old) AppendHeader(head, "Connection", "keep-alive");
  for (const auto& [name, value] : response.headers)
    AppendHeader(head, name, value);
  head += "\r\n";
  if (form.head_only || !has_body) return Secret(std::move(head));
  std::string text;
  text.reserve(head.size() + response.body.size());  // a copy that grew would not be wiped
  text += head;
  text += response.body.Reveal();
  return Secret(std::move(text));
}

}  // namespace depot::web
