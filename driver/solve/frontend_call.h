#pragma once

#include <map>
#include <string>
#include <string_view>

#include "driver/base/result.h"
#include "driver/rpc/status.h"

/// Questions to a frontend that build nothing (BuildKit frontend/subrequests).
namespace depot::solve {

/// A frontend that has a question which the asked one lacks.
struct LaterFrontend {
  std::string_view image;    ///< by digest, as docker buildx takes it (build/build.go)
  std::string_view version;  ///< since when every builder has the question, for people
};

/// Who has the question `call` when `status` says that the frontend which was asked does not know
/// it; nullptr when it says something else, or when nobody is known to have it.
const LaterFrontend* WhoKnows(std::string_view call, const rpc::Status& status);

/// For people: what asks `call`, in the words of the command line.
std::string ShownCall(std::string_view call);

/// For people: that the builder does not know `call`, and `later` failed with `status`.
std::string WhyNeither(std::string_view call,
                       const LaterFrontend& later,
                       const rpc::Status& status);

/// The metadata of a frontend's result, from its wire form (gateway.proto, Result); kInvalid when
/// that is malformed.
Result<std::map<std::string, std::string>> AnswerOf(const std::string& result);

}  // namespace depot::solve
