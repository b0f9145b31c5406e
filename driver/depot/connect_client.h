#pragma once

#include <functional>
#include <string>

#include "driver/base/cancel.h"
#include "driver/base/secret.h"
#include "driver/depot/times.h"
#include "driver/http/client.h"

namespace depot::api {

/// Who makes a call; an empty token = nobody in particular.
struct Caller {
  Secret token;
  std::string source;  ///< of the token, for people
};

/// When a call that failed for a reason that may pass is made again.
enum class Retry {
  kNever,
  kUndone,          ///< up to three times, if the API surely did nothing
  kThrice,          ///< up to three times
  kUntilCancelled,  ///< as long as its Cancel allows
};

/// What a pool says beside an answer, safe to show and bounded; "" where it says nothing.
struct PoolNote {
  std::string queue;   ///< the place in its queue
  std::string reason;  ///< why it is this machine, or none yet, or why the build is to end
  std::string barred;  ///< why the build has lost the right to go on
};

/// One RPC with one message each way.
struct Call {
  std::string path;     ///< "/depot.cli.v1.BuildService/CreateBuild"
  std::string message;  ///< serialized
  Retry retry = Retry::kThrice;
  /// Gets what a pool says in headers of a unary answer; may be null.
  PoolNote* note = nullptr;
};

/// A client of the Connect protocol (connectrpc.com/docs/protocol) with protobuf messages. Any
/// thread; each call blocks. What the Api promises about retries and errors is kept here.
class ConnectClient {
 public:
  /// `base` has no slash at its end. `client` must outlive this.
  ConnectClient(http::HttpClient& client,
                std::string base,
                std::function<void(std::string)> say,
                const Times& times);

  /// The serialized answer of a unary call.
  Result<std::string> Unary(const Call& call, const Caller& caller, const Cancel& cancel);

  /// A client stream of one message; the one message of the answer.
  Result<std::string> ClientStream(const Call& call, const Caller& caller, const Cancel& cancel);

  /// The first message of a server stream, which may come late: waits for up to Times::login.
  Result<std::string> ServerStream(const Call& call, const Caller& caller, const Cancel& cancel);

 private:
  enum class Kind { kUnary, kClientStream, kServerStream };

  Result<std::string> Run(Kind kind, const Call& call, const Caller& caller, const Cancel& cancel);

  http::HttpClient& client_;
  const std::string base_;
  const bool loopback_;
  const std::function<void(std::string)> say_;
  const Times times_;
};

}  // namespace depot::api
