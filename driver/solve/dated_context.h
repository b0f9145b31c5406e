#pragma once

#include <cstddef>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "driver/base/result.h"
#include "driver/solve/local_sources.h"
#include "driver/solve/request.h"

/// Contexts as inputs of the frontend (BuildKit frontend/dockerui/context.go): a local source, or a
/// copy that the builder makes of one. Nothing here talks to anybody.
namespace depot::solve {

/// The frontend inputs, by name, each a pb.Definition as bytes.
using FrontendInputs = std::map<std::string, std::string>;

/// A local source that several solves ask for in one way.
struct SharedContext {
  std::string local;      ///< its name in the session, and as an input
  std::string attribute;  ///< as DatedContext::attribute
  SharedFilter filter;
};

struct ContextInputs {
  FrontendInputs inputs;                     ///< empty: the frontend is not to be asked again
  std::map<std::string, std::string> attrs;  ///< attributes that name them to the frontend
  std::set<std::string> names;               ///< DatedContext::input of those that are dated
  std::string reason;  ///< why a context that is to be dated is not among them; ""
};

/// The inputs for what is to be dated or is shared, with the same filters as the frontend itself
/// asked for in `sources`, or with the shared ones. An input takes .dockerignore and the list of
/// what is copied away from the frontend, so it is asked first.
ContextInputs MakeContextInputs(const LocalSources& sources,
                                const std::vector<DatedContext>& dated,
                                const std::vector<SharedContext>& shared);

/// What `result` says is to be run, as one text: two results with the same text ask the builder for
/// the same. "" = it does not say. kInvalid: the result is malformed.
Result<std::string> OperationsOf(const std::string& result);

/// Whether `result` still asks for one of `contexts` itself: a frontend that takes no inputs.
Result<bool> AsksItself(const std::string& result, const std::vector<DatedContext>& contexts);

}  // namespace depot::solve
