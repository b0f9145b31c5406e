#include "driver/solve/frontend_call.h"

#include "proto/gateway.pb.h"

#include "driver/base/text.h"
#include "driver/solve/gateway_result.h"

namespace depot::solve {
namespace {

constexpr LaterFrontend kLint = {
    "docker/dockerfile:1.8.1@sha256:"
    "e87caa74dcb7d46cd820352bfea12591f3dba3ddc4285e19c7dcd13359f7cefd",
    "BuildKit 0.14 (Docker 27)"};
constexpr LaterFrontend kOutline = {
    "docker/dockerfile:1.7.1@sha256:"
    "a57df69d0ea827fb7266491f2813635de6f17269be881f696fbfdf2d83dda33e",
    "BuildKit 0.11 (Docker 24)"};

}  // namespace

const LaterFrontend* WhoKnows(std::string_view call, const rpc::Status& status) {
  // The text is older than the typed error (errdefs.Subrequest), and newer builders have both. One
  // older than these questions does not even know the capability to ask them.
  const bool unknown =
      status.message.find(Cat("unsupported request frontend.", call)) != std::string::npos ||
      status.message.find("unsupported frontend capability moby.buildkit.frontend.subrequests") !=
          std::string::npos;
  if (!unknown) return nullptr;
  if (call == "lint") return &kLint;
  return call == "outline" || call == "targets" ? &kOutline : nullptr;
}

std::string ShownCall(std::string_view call) {
  return call == "lint" ? "a check of the Dockerfile (--check, --lint)" : Cat("--call=", call);
}

std::string WhyNeither(std::string_view call,
                       const LaterFrontend& later,
                       const rpc::Status& status) {
  // The builder names the image, digest and all, each time it says what it was doing.
  const std::string mark = Cat(later.image, ": ");
  std::string_view why = status.message;
  const std::size_t at = why.rfind(mark);
  if (at != std::string_view::npos) why.remove_prefix(at + mark.size());
  return Cat(ShownCall(call), " needs ", later.version, " or newer; this builder is older, and ",
             later.image.substr(0, later.image.find('@')),
             ", which does it on older ones, cannot be had: ", why);
}

Result<std::map<std::string, std::string>> AnswerOf(const std::string& result) {
  TRY_ASSIGN(const auto parsed, ReadGatewayResult(result));
  return std::map<std::string, std::string>(parsed.metadata().begin(), parsed.metadata().end());
}

}  // namespace depot::solve
