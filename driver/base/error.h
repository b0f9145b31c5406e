#pragma once

#include <string>
#include <string_view>
#include <utility>

namespace depot {

/// What kind of failure an Error is. Callers branch on it; people read the message.
enum class ErrorCode {
  kUsage,        ///< the command line is wrong; exit code 125
  kInvalid,      ///< an input (file, variable, answer of a peer) has the wrong form
  kNotFound,     ///< the thing asked for does not exist
  kExists,       ///< the thing to be made exists already
  kDenied,       ///< credentials missing, wrong or not sufficient; a TLS refusal; a file permission
  kUnavailable,  ///< a peer cannot be reached, or went away
  kTimeout,      ///< a bounded wait ended
  kCancelled,    ///< the user asked to stop; exit code 130
  kUnsupported,  ///< the peer, or this program, does not do that
  kFailed,       ///< the work itself failed (a RUN step, a push)
  kInternal,     ///< a defect or a broken invariant
};

/// A failure as a value: what failed, why, and what to do next. It is plain data: copyable,
/// and every thread may own its own. It never carries a secret (see Secret).
class Error {
 public:
  Error(ErrorCode code, std::string message) : code_(code), message_(std::move(message)) {}

  ErrorCode code() const { return code_; }

  /// One line for people, without a final newline: the contexts given to While() from the outermost
  /// to the innermost, then the cause, joined by ": ".
  const std::string& message() const { return message_; }

  /// What the user can do about it, one line; empty when we do not know.
  const std::string& hint() const { return hint_; }

  /// Lines to show above the message (a Dockerfile excerpt), each ending in a newline; often empty.
  const std::string& excerpt() const { return excerpt_; }

  /// Says what was being done: "while" is not part of the text. Outer contexts are added last.
  Error While(std::string_view doing) &&;

  Error WithHint(std::string hint) &&;
  Error WithExcerpt(std::string excerpt) &&;

 private:
  ErrorCode code_;
  std::string message_;
  std::string hint_;
  std::string excerpt_;
};

/// An Error from errno: `what` plus the system's text ("open /x: no such file or directory").
/// ENOENT, EACCES/EPERM, EEXIST and ETIMEDOUT get their own codes, the rest is kFailed.
Error SystemError(std::string_view what, int error_number);

}  // namespace depot
