#pragma once

#include <string>
#include <string_view>
#include <utility>

namespace depot {

/// What kind of failure an Error is. Callers branch on it; people read the message.
enum class ErrorCode {
  kUsage,        ///< the command line, or a setting, is wrong; exit code 125
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

/// Where a failure happened, as far as somebody knows; the exit code says it to scripts.
enum class FailedAt {
  kUnsaid,          ///< a step, an input, or not known
  kSettings,        ///< a flag, a variable or a file of settings: nobody was asked yet
  kNoBuilder,       ///< no builder could be had
  kBuilderLost,     ///< a builder went away in the middle of a build
  kAuthentication,  ///< a registry or the API did not accept the credentials, or there are none
  kRegistry,        ///< a registry could not be read from or written to
  kEngine,          ///< the Docker Engine did not take or give an image
  kResources,       ///< a disk or a memory is full, here or on the builder
  kDefect,          ///< an internal error of the builder
  kEnded,           ///< wherever it was by then: the Depot API ended the build
};

/// What of a build failed, each "" when that is not known or goes without saying.
struct FailedPlace {
  std::string step;      ///< its name, as the builder calls it
  std::string platform;  ///< or several, joined by ", "
  std::string builder;   ///< its address, for people
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

  FailedAt at() const { return at_; }
  const FailedPlace& place() const { return place_; }

  /// What a peer said, word for word apart from control characters and logins in URLs, when
  /// message() says less and somebody may want it; often empty.
  const std::string& original() const { return original_; }

  /// The exit code of the program that a step ran, if that is why it failed and the user may want
  /// to end with it; 0 = none.
  int step_exit() const { return step_exit_; }

  /// Says what was being done: "while" is not part of the text. Outer contexts are added last.
  Error While(std::string_view doing) &&;

  /// What failed beside it is said, too: message and hint behind its own. The rest stays.
  Error And(const Error& other) &&;

  Error WithHint(std::string hint) &&;
  Error WithExcerpt(std::string excerpt) &&;
  Error WithOriginal(std::string original) &&;
  Error WithStepExit(int code) &&;

  /// What was said before stays: who is nearer to the cause knows better.
  Error At(FailedAt at) &&;
  Error WithPlace(FailedPlace place) &&;

 private:
  ErrorCode code_;
  std::string message_;
  std::string hint_;
  std::string excerpt_;
  FailedAt at_ = FailedAt::kUnsaid;
  FailedPlace place_;
  std::string original_;
  int step_exit_ = 0;
};

/// An Error from errno: `what` plus the system's text ("open /x: no such file or directory").
/// ENOENT, EACCES/EPERM, EEXIST and ETIMEDOUT get their own codes, the rest is kFailed; what is
/// full (ENOSPC, EDQUOT, ENOMEM) is At(kResources).
Error SystemError(std::string_view what, int error_number);

}  // namespace depot
