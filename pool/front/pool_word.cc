#include "pool/front/pool_word.h"

#include "driver/base/shown.h"
#include "driver/base/text.h"

namespace depot::front {
namespace {

constexpr std::chrono::seconds kPatience(5);
constexpr std::size_t kLongestAnswer = 4 << 10;

Word Ask(http::HttpClient& client,
         const std::string& url,
         const std::string& path,
         const Cancel& cancel) {
  http::Request request;
  request.url = url + path;
  request.max_body = kLongestAnswer;
  request.peer = Cat("the pool at ", url);
  auto response = client.Send(request, cancel.WithTimeout(kPatience, "no answer of the pool"));
  if (!response) return {Word::Kind::kUnknown, response.error().message()};
  const std::string_view text = Trim(response->body);
  if (response->status == 200 && text == "yes") return {Word::Kind::kYes, ""};
  constexpr std::string_view kNo = "no: ";
  if (response->status == 200 && text.starts_with(kNo)) {
    return {Word::Kind::kNo, Printable(text.substr(kNo.size()))};
  }
  return {Word::Kind::kUnknown, Cat(url, " answers as no pool does, with ", response->status)};
}

}  // namespace

Word AskPool(http::HttpClient& client,
             const std::string& url,
             const std::string& build,
             const std::string& builder,
             const Cancel& cancel) {
  return Ask(client, url, Cat("/builds/", build, "/on/", builder), cancel);
}

Word AskForBuilder(http::HttpClient& client,
                   const std::string& url,
                   const std::string& builder,
                   const Cancel& cancel) {
  return Ask(client, url, Cat("/builders/", builder), cancel);
}

}  // namespace depot::front
