#include "driver/http/curl_failure.h"

#include <cerrno>

#include <curl/curl.h>

#include "driver/base/shown.h"
#include "driver/base/text.h"

namespace depot::http {
namespace {

std::string Cause(const CurlFailure& failure) {
  if (failure.os_error != 0) return SystemError("", failure.os_error).message().substr(2);
  // libcurl's way of saying that the peer had gone before its first read.
  if (failure.text.find("getpeername") != std::string::npos) return "connection reset by peer";
  std::string_view text = failure.text;
  // "OpenSSL SSL_read: ...: error:0A00045C:SSL routines::REASON, errno 0"
  constexpr std::string_view kReason = " routines::";
  std::size_t reason = text.rfind(kReason);
  if (reason != std::string_view::npos) {
    text.remove_prefix(reason + kReason.size());
    text = text.substr(0, text.find(", errno"));
  }
  return RedactUrls(Printable(Trim(text)));
}

Error Unreachable(const CurlFailure& failure) {
  // Nobody was asked. The text has the whole variable, where a password may stand unlike in a URL.
  if (failure.text.find("Unsupported proxy") != std::string::npos) {
    return Error(ErrorCode::kInvalid, Cat("cannot reach ", failure.peer,
                                          ": what names the proxy is not the address of one"))
        .WithHint("HTTPS_PROXY, HTTP_PROXY and ALL_PROXY name a proxy as http://HOST:PORT")
        .At(FailedAt::kSettings);
  }
  // A socket without permission is the one failure to connect that no waiting cures.
  ErrorCode code = failure.os_error == EACCES || failure.os_error == EPERM
                       ? ErrorCode::kDenied
                       : ErrorCode::kUnavailable;
  return Error(code, Cat("cannot reach ", failure.peer, ": ", Cause(failure)));
}

Error TlsRefusal(const CurlFailure& failure) {
  Error error(ErrorCode::kDenied, Cat("TLS with ", failure.peer, " failed: ", Cause(failure)));
  // What is no TLS record has no version either (OpenSSL ssl/record).
  if (failure.text.find("wrong version number") != std::string::npos) {
    return std::move(error).WithHint(
        "what listens there speaks no TLS: plain HTTP, or it is another service");
  }
  if (failure.code == CURLE_SSL_CACERT_BADFILE) {
    return std::move(error).WithHint(failure.roots_hint).At(FailedAt::kSettings);
  }
  const bool untrusted = failure.code == CURLE_PEER_FAILED_VERIFICATION;
  return untrusted ? std::move(error).WithHint(failure.roots_hint) : error;
}

/// With TLS 1.3 a server refuses our certificate after the handshake, so that it looks like a
/// failure to read.
bool IsTlsAlert(const CurlFailure& failure) {
  return failure.text.find("SSL_") != std::string::npos &&
         failure.text.find("alert") != std::string::npos;
}

Error LostConnection(const CurlFailure& failure) {
  Error error(ErrorCode::kUnavailable,
              Cat(failure.peer, " closed the connection ",
                  failure.answer_begun ? "in the middle of its answer" : "without an answer", ": ",
                  Cause(failure)));
  if (!failure.encrypted || failure.answer_begun) return error;
  return std::move(error).WithHint(
      "a server that wants another client certificate, or one at all, may end like this");
}

/// A server that went away in the middle of the handshake refused nothing: it restarts, or is full.
bool IsLostInHandshake(const CurlFailure& failure) {
  for (std::string_view sign : {"Connection reset", "SSL_ERROR_SYSCALL", "unexpected eof"}) {
    if (failure.text.find(sign) != std::string::npos) return true;
  }
  return false;
}

}  // namespace

Error TranslateCurlFailure(const CurlFailure& failure) {
  switch (failure.code) {
    case CURLE_COULDNT_CONNECT:
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_PROXY:
      return Unreachable(failure);
    case CURLE_OPERATION_TIMEDOUT:
      return Error(ErrorCode::kTimeout, Cat("cannot reach ", failure.peer, ": no answer within ",
                                            failure.connect_seconds, " s"));
    case CURLE_SSL_CONNECT_ERROR:
      if (IsLostInHandshake(failure)) return LostConnection(failure);
      return TlsRefusal(failure);
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_CIPHER:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_INVALIDCERTSTATUS:
    case CURLE_USE_SSL_FAILED:
      return TlsRefusal(failure);
    case CURLE_RECV_ERROR:
    case CURLE_SEND_ERROR:
    case CURLE_GOT_NOTHING:
    case CURLE_PARTIAL_FILE:
    case CURLE_SEND_FAIL_REWIND:
    case CURLE_HTTP2:
    case CURLE_HTTP2_STREAM:
      if (IsTlsAlert(failure)) return TlsRefusal(failure);
      return LostConnection(failure);
    case CURLE_URL_MALFORMAT:
    case CURLE_UNSUPPORTED_PROTOCOL:
      return Error(ErrorCode::kInvalid, Cat("not an http or https URL: ", failure.peer));
    case CURLE_WEIRD_SERVER_REPLY:
    case CURLE_BAD_CONTENT_ENCODING:
      return Error(ErrorCode::kInvalid,
                   Cat(failure.peer, " does not answer in HTTP: ", Cause(failure)));
    default:
      return Error(ErrorCode::kFailed,
                   Cat("the request to ", failure.peer, " failed: ", Cause(failure)));
  }
}

}  // namespace depot::http
