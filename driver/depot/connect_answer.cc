#include "driver/depot/connect_answer.h"

#include <algorithm>

#include "driver/base/json.h"
#include "driver/base/shown.h"
#include "driver/base/text.h"
#include "driver/http/retry_after.h"

namespace depot::api {
namespace {

constexpr std::size_t kMaxText = 1000;
constexpr std::size_t kMaxType = 100;

struct CodeName {
  std::string_view name;
  ErrorCode code;
};

constexpr CodeName kCodes[] = {
    {"canceled", ErrorCode::kUnavailable},  // nobody here has cancelled anything
    {"unknown", ErrorCode::kFailed},
    {"invalid_argument", ErrorCode::kInvalid},
    {"deadline_exceeded", ErrorCode::kTimeout},
    {"not_found", ErrorCode::kNotFound},
    {"already_exists", ErrorCode::kExists},
    {"permission_denied", ErrorCode::kDenied},
    {"resource_exhausted", ErrorCode::kUnavailable},
    {"failed_precondition", ErrorCode::kFailed},
    {"aborted", ErrorCode::kFailed},
    {"out_of_range", ErrorCode::kInvalid},
    {"unimplemented", ErrorCode::kUnsupported},
    {"internal", ErrorCode::kFailed},
    {"unavailable", ErrorCode::kUnavailable},
    {"data_loss", ErrorCode::kFailed},
    {"unauthenticated", ErrorCode::kDenied},
};

const CodeName* FindCode(std::string_view name) {
  const auto* found = std::find_if(std::begin(kCodes), std::end(kCodes),
                                   [&](const CodeName& entry) { return entry.name == name; });
  return found == std::end(kCodes) ? nullptr : found;
}

/// connectrpc.com/docs/protocol, "HTTP to error code".
std::string_view CodeOfStatus(int status) {
  switch (status) {
    case 400:
      return "internal";
    case 401:
      return "unauthenticated";
    case 403:
      return "permission_denied";
    case 404:
      return "unimplemented";
    case 429:
    case 502:
    case 503:
    case 504:
      return "unavailable";
    default:
      return "unknown";
  }
}

std::string TypeOf(const http::Response& answer) {
  std::string type = answer.Header("content-type");
  return LowerAscii(Trim(type.substr(0, type.find(';'))));
}

/// Text of the API's for people; never the token, whoever may have echoed it.
std::string Clean(std::string text, const Caller& caller) {
  std::string_view token = caller.token.Reveal();
  for (std::size_t at = 0; !token.empty() && (at = text.find(token)) != std::string::npos;) {
    text.replace(at, token.size(), "***");
  }
  return RedactUrls(Printable(Trim(std::string_view(text).substr(0, kMaxText))));
}

std::string HintFor(std::string_view code, const Asked& asked) {
  const std::string& source = asked.caller.source;
  if (code == "unauthenticated" && source.empty()) return "log in first: docker depot login";
  if (code == "unauthenticated") {
    return Cat("check that the token of ", source,
               " is whole, not revoked and not expired, and belongs to this API");
  }
  if (code == "permission_denied") {
    return "check the project, and that the token may use it; `docker depot list projects` shows "
           "what it may";
  }
  if (code == "not_found") {
    return "check the id; `docker depot list projects` shows what the token may see";
  }
  if (code == "unimplemented") return "check that DEPOT_API_URL is the address of a Depot API";
  if (FindCode(code)->code == ErrorCode::kUnavailable) return "try again later";
  return "";
}

Error ErrorOf(const Asked& asked, std::string_view code, const std::string& text) {
  const std::string& source = asked.caller.source;
  std::string verb = " answers ";
  if (code == "unauthenticated" && !source.empty())
    verb = Cat(" refuses the token of ", source, ": ");
  if (code == "permission_denied" && !source.empty()) {
    verb = Cat(" does not allow this with the token of ", source, ": ");
  }
  return Error(FindCode(code)->code,
               Cat("the Depot API ", asked.api, verb, code, text.empty() ? "" : ": ", text))
      .While(asked.method)
      .WithHint(HintFor(code, asked))
      .At(FindCode(code)->code == ErrorCode::kDenied ? FailedAt::kAuthentication
                                                     : FailedAt::kUnsaid);
}

/// What a proxy says too, in words of its own, as long as it does not reach the API.
bool IsBusy(int status) {
  return status == 429 || status == 502 || status == 503 || status == 504;
}

/// What a firewall says, too: in a web page it is no verdict about the token.
bool IsDenial(int status) {
  return status == 401 || status == 403;
}

/// `type` is in lower case, and so may be a token that it echoes.
std::string Kind(const Asked& asked, const std::string& type) {
  if (type.empty()) return "an answer without a content type";
  const std::string token = LowerAscii(asked.caller.token.Reveal());
  const bool echoes = !token.empty() && type.find(token) != std::string::npos;
  return echoes ? "an odd content type" : Printable(type.substr(0, kMaxType));
}

/// `what`: the kind of its answer, for people.
Failure NoDepotApi(const Asked& asked, const std::string& what, ErrorCode code) {
  Error error(code, Cat(asked.method, ": ", asked.api, " answers with ", what,
                        ": this is not a Depot API"));
  return {std::move(error).WithHint("check DEPOT_API_URL, and what stands between here and there")};
}

}  // namespace

std::optional<Failure> CheckAnswer(const Asked& asked,
                                   const http::Response& answer,
                                   std::string_view type) {
  const std::string got = TypeOf(answer);
  if (answer.status == 200) {
    const std::string encoding = LowerAscii(answer.Header("content-encoding"));
    if (got == type && (encoding.empty() || encoding == "identity")) return std::nullopt;
    const std::string odd = got == type ? Cat(encoding, " data") : got;
    return NoDepotApi(asked, Kind(asked, odd), ErrorCode::kInvalid);
  }
  std::string_view code = CodeOfStatus(answer.status);
  std::string text;
  const Result<Json> json = Json::Parse(answer.body);
  const CodeName* said =
      json && got == "application/json" ? FindCode((*json)["code"].AsString()) : nullptr;
  if (said != nullptr) {
    code = said->name;
    text = Clean((*json)["message"].AsString(), asked.caller);
  } else if (IsDenial(answer.status) && got == "text/html") {
    return NoDepotApi(asked, Cat("status ", answer.status, " and a web page"),
                      FindCode(code)->code);
  } else {
    text = Cat("status ", answer.status, " with ", Kind(asked, got),
               IsBusy(answer.status) ? "" : ": this is not a Depot API");
  }
  Failure failure{ErrorOf(asked, code, text)};
  failure.reason = Cat("the Depot API answers ", answer.status, " (",
                       said != nullptr && !text.empty() ? text : code, ")");
  failure.may_pass = IsBusy(answer.status) || (said != nullptr && answer.status == 500);
  failure.undone = answer.status == 429 || answer.status == 503;
  failure.retry_after = http::RetryAfter(answer);
  return failure;
}

std::string Envelope(std::string_view message) {
  std::string out(1, '\0');
  for (int shift = 24; shift >= 0; shift -= 8) {
    out.push_back(static_cast<char>(message.size() >> shift & 0xff));
  }
  return out.append(message);
}

StreamContent ReadStream(std::string_view body) {
  constexpr std::size_t kHeader = 5;
  constexpr unsigned char kEnd = 2;
  StreamContent content;
  while (!body.empty() && !content.end) {
    const auto flags = static_cast<unsigned char>(body[0]);
    if (flags != 0 && flags != kEnd) {
      content.malformed = true;
      return content;
    }
    if (body.size() < kHeader) return content;
    std::size_t size = 0;
    for (std::size_t i = 1; i < kHeader; ++i) {
      size = size << 8 | static_cast<unsigned char>(body[i]);
    }
    body.remove_prefix(kHeader);
    if (body.size() < size) return content;
    std::string payload(body.substr(0, size));
    body.remove_prefix(size);
    if (flags == kEnd) {
      content.end = std::move(payload);
    } else if (!content.message) {
      content.message = std::move(payload);
    }
  }
  return content;
}

std::optional<Failure> CheckEnd(const Asked& asked, const std::string& end) {
  const Result<Json> json = Json::Parse(end);
  if (!json || !json->is_object()) {
    Error error(ErrorCode::kInvalid, Cat(asked.method, ": the end of the answer of ", asked.api,
                                         " is malformed: this is not a Depot API"));
    return Failure{std::move(error)};
  }
  if (!json->Has("error")) return std::nullopt;
  const Json error = (*json)["error"];
  const CodeName* said = FindCode(error["code"].AsString());
  const std::string text = Clean(error["message"].AsString(), asked.caller);
  return Failure{ErrorOf(asked, said != nullptr ? said->name : "unknown", text)};
}

}  // namespace depot::api
