#include "driver/depot/connect_answer.h"

#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

// Answers of a Depot API. The first line is the status and the content type, the rest the body.

namespace {

constexpr std::string_view kToken = "depot_t0ken-s3cr3t";

void Require(bool holds) {
  if (!holds) std::abort();
}

void CheckFailure(const std::optional<depot::api::Failure>& failure) {
  if (!failure) return;
  for (const std::string& text :
       {failure->error.message(), failure->error.hint(), failure->reason}) {
    Require(text.find(kToken) == std::string::npos);
    for (char c : text)
      Require(static_cast<unsigned char>(c) >= 0x20 || c == '\t');
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view all(reinterpret_cast<const char*>(data), size);
  const std::string_view line = all.substr(0, all.find('\n'));
  const std::string_view body = all.substr(line.size() < size ? line.size() + 1 : size);
  const depot::api::Caller caller{depot::Secret(std::string(kToken)), "DEPOT_TOKEN"};
  const depot::api::Asked asked{"CreateBuild", "https://api.test", caller};
  depot::http::Response answer;
  for (char c : line.substr(0, 3))
    answer.status = answer.status * 10 + (c >= '0' && c <= '9' ? c - '0' : 0);
  const std::string type(line.substr(line.size() < 4 ? line.size() : 4));
  answer.headers = {{"content-type", type},
                    {"retry-after", type},
                    {"content-encoding", body.empty() ? type : ""}};
  answer.body = body;
  CheckFailure(depot::api::CheckAnswer(asked, answer, "application/proto"));
  const depot::api::StreamContent content = depot::api::ReadStream(body);
  Require(!content.message || content.message->size() <= body.size());
  if (content.end) CheckFailure(depot::api::CheckEnd(asked, *content.end));
  CheckFailure(depot::api::CheckEnd(asked, std::string(body)));
  // What is sent is read back.
  const depot::api::StreamContent back = depot::api::ReadStream(depot::api::Envelope(body));
  Require(!back.malformed && back.message == std::string(body) && !back.end);
  return 0;
}
