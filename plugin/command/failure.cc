#include "plugin/command/failure.h"

#include "driver/base/text.h"

namespace depot::command {
namespace {

constexpr int kFailed = 1;
constexpr int kDefect = 100;
constexpr int kResources = 102;
constexpr int kNoBuilder = 110;
constexpr int kBuilderLost = 111;
constexpr int kAuthentication = 112;
constexpr int kRegistry = 113;
constexpr int kEngine = 114;
constexpr int kUsage = 125;
constexpr int kCancelled = 130;

}  // namespace

int ExitCode(const Error& error) {
  if (error.code() == ErrorCode::kUsage) return kUsage;
  if (error.code() == ErrorCode::kCancelled) return kCancelled;
  if (error.code() == ErrorCode::kInternal) return kDefect;
  if (error.step_exit() != 0) return error.step_exit();
  switch (error.at()) {
    case FailedAt::kUnsaid:
    case FailedAt::kEnded:
      return kFailed;
    case FailedAt::kSettings:
      return kUsage;
    case FailedAt::kNoBuilder:
      return kNoBuilder;
    case FailedAt::kBuilderLost:
      return kBuilderLost;
    case FailedAt::kAuthentication:
      return kAuthentication;
    case FailedAt::kRegistry:
      return kRegistry;
    case FailedAt::kEngine:
      return kEngine;
    case FailedAt::kResources:
      return kResources;
    case FailedAt::kDefect:
      return kDefect;
  }
  return kFailed;
}

std::string FailureText(const Error& error) {
  std::string text = Cat(error.excerpt(), "ERROR: ", error.message(), '\n');
  const FailedPlace& place = error.place();
  if (!place.step.empty()) text += Cat("step: ", place.step, '\n');
  if (!place.builder.empty()) {
    text += Cat("builder: ", place.builder, place.platform.empty() ? "" : ", for ", place.platform,
                '\n');
  }
  if (!error.original().empty()) text += Cat("original: ", error.original(), '\n');
  if (!error.hint().empty()) text += Cat("hint: ", error.hint(), '\n');
  return text;
}

}  // namespace depot::command
