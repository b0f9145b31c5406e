#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "driver/base/text.h"
#include "driver/depot/api.h"
#include "driver/depot/connect_client.h"

namespace depot::api {

// What the clients of the API's services share. For .cc files that know the messages.

/// kInvalid: "METHOD: the Depot API's answer WHAT".
Error Malformed(std::string_view method, std::string_view what);

/// Who calls with the token.
Caller CallerOf(const Token& token);

/// The API's address without slashes at its end; kInvalid when it is none, or a token would travel
/// in clear.
Result<std::string> CheckedAddress(std::string url);

/// How one call is made.
struct Manner {
  Retry retry;
  const Cancel& cancel;
  PoolNote* note = nullptr;
};

template <typename Message>
Result<Message> ParseAnswer(std::string_view method, const Result<std::string>& answer) {
  if (!answer) return Fail(answer.error());
  Message message;
  if (message.ParseFromString(*answer)) return message;
  return Fail(Malformed(method, "is malformed"));
}

/// A unary call. `service` is its path, with slashes around it.
template <typename Answer, typename Request>
Result<Answer> Ask(ConnectClient& connect,
                   std::string_view service,
                   std::string_view method,
                   const Request& request,
                   const Caller& caller,
                   const Manner& manner) {
  const Call call{Cat(service, method), request.SerializeAsString(), manner.retry, manner.note};
  return ParseAnswer<Answer>(method, connect.Unary(call, caller, manner.cancel));
}

}  // namespace depot::api
