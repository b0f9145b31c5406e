#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <vector>

#include "driver/base/result.h"
#include "driver/solve/request.h"

/// The context as an input of the frontend (BuildKit frontend/dockerui/context.go): a copy that the
/// builder makes of a local source. Nothing here talks to anybody.
namespace depot::solve {

/// The frontend inputs, by name, each a pb.Definition as bytes.
using FrontendInputs = std::map<std::string, std::string>;

/// What was read from a frontend's result.
struct DatedInputs {
  FrontendInputs inputs;           ///< empty: the frontend needs none of the contexts
  std::vector<std::string> names;  ///< DatedContext::input of those
  std::string reason;              ///< why a context that is needed is not among them; ""
};

/// The inputs for `contexts`, with the same filters as the frontend itself asked for in `result`
/// (gateway.proto, Result). An input takes .dockerignore and the list of what is copied away from
/// the frontend, so it is asked first. kInvalid: the result is malformed.
Result<DatedInputs> MakeDatedInputs(const std::string& result,
                                    const std::vector<DatedContext>& contexts);

/// What `result` says is to be run, as one text: two results with the same text ask the builder for
/// the same. "" = it does not say. kInvalid: the result is malformed.
Result<std::string> OperationsOf(const std::string& result);

/// Whether `result` still asks for one of `contexts` itself: a frontend that takes no inputs.
Result<bool> AsksItself(const std::string& result, const std::vector<DatedContext>& contexts);

}  // namespace depot::solve
