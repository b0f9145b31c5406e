#include "driver/http/curl_headers.h"

#include <utility>

#include <curl/curl.h>

#include "driver/base/encode.h"
#include "driver/base/shown.h"
#include "driver/base/text.h"

namespace depot::http {
namespace {

class HeaderBuilder {
 public:
  void Add(const std::string& name, std::string_view value) {
    std::string line = value.empty() ? Cat(name, ';') : Cat(name, ": ", value);
    Append(line);
  }
  /// Keeps libcurl from adding a header of its own accord.
  void Omit(const std::string& name) { Append(Cat(name, ':')); }
  HeaderList Take() { return std::move(list_); }

 private:
  void Append(const std::string& line) {
    curl_slist* longer = ::curl_slist_append(list_.get(), line.c_str());
    if (longer == nullptr) return;
    (void)list_.release();
    list_.reset(longer);
  }
  HeaderList list_;
};

Result<> CheckHeader(std::string_view name, std::string_view value) {
  constexpr std::string_view kBreaks("\r\n\0", 3);
  if (!name.empty() && name.find_first_of(kBreaks) == std::string_view::npos &&
      name.find_first_of(": ") == std::string_view::npos &&
      value.find_first_of(kBreaks) == std::string_view::npos) {
    return {};
  }
  return Fail(ErrorCode::kInvalid,
              Cat("the value of the HTTP header ", Printable(name), " contains a line break"));
}

}  // namespace

void FreeHeaderList::operator()(curl_slist* list) const {
  ::curl_slist_free_all(list);
}

Result<HeaderList> MakeHeaders(const Request& request) {
  HeaderBuilder headers;
  bool has_type = false;
  for (const auto& [name, value] : request.headers) {
    TRY(CheckHeader(name, value));
    has_type = has_type || LowerAscii(name) == "content-type";
    headers.Add(name, value);
  }
  for (const auto& [name, value] : request.secret_headers) {
    TRY(CheckHeader(name, value.Reveal()));
    headers.Add(name, value.Reveal());
  }
  if (request.bearer) {
    TRY(CheckHeader("Authorization", request.bearer->Reveal()));
    headers.Add("Authorization", Cat("Bearer ", request.bearer->Reveal()));
  }
  if (request.basic_auth) {
    const auto& [user, password] = *request.basic_auth;
    headers.Add("Authorization", Cat("Basic ", Base64(Cat(user, ':', password.Reveal()))));
  }
  if (!has_type) headers.Omit("Content-Type");
  // Waiting for "100 Continue" costs a second with servers that do not know it.
  headers.Omit("Expect");
  if (request.body_source) headers.Add("Transfer-Encoding", "chunked");
  return headers.Take();
}

}  // namespace depot::http
