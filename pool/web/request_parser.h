#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "pool/web/server.h"

namespace depot::web {

/// Takes one HTTP/1.x request from bytes as they come (RFC 9112): first the head, then the body. It
/// does no I/O. Whatever two readers could understand differently is refused: both lengths, a
/// transfer coding other than chunked, a missing or second Host.
class RequestParser {
 public:
  /// kMore: all of `in` was looked at and it is not enough.
  enum class Progress { kMore, kDone, kBad, kTooBig };

  virtual ~RequestParser() = default;

  /// Takes the head from the front of `in`, and nothing behind it. kTooBig: longer than
  /// `header_bytes`.
  virtual Progress ReadHead(std::string& in) = 0;

  /// After ReadHead() was kDone, until it is kDone: takes from the front of `in` and adds what is
  /// body, without its framing, to `body`. How much that is, the caller bounds by bounding `in`.
  virtual Progress ReadBody(std::string& in, std::string& body) = 0;

  /// Why it was kBad, for the client to read.
  virtual const std::string& reason() const = 0;

  /// The head without `peer`, from when ReadHead() was kDone.
  virtual const Request& head() const = 0;

  /// The client would take another request's answer on this connection.
  virtual bool keep_alive() const = 0;

  /// It is HTTP/1.0, which is told when a connection is kept.
  virtual bool old() const = 0;

  /// The client waits for "100 Continue" before it sends the body.
  virtual bool expects_continue() const = 0;

  /// As Content-Length says; nullopt for a chunked body.
  virtual std::optional<std::uint64_t> content_length() const = 0;

  /// All of the request was taken.
  virtual bool complete() const = 0;
};

/// One for each request.
std::unique_ptr<RequestParser> MakeRequestParser(std::size_t header_bytes);

}  // namespace depot::web
