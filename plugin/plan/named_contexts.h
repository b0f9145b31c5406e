#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "driver/base/result.h"
#include "driver/session/layout_store.h"
#include "plugin/options/source_options.h"

namespace depot::plan {

/// What --build-context asks of a builder and offers to it.
struct NamedContexts {
  std::map<std::string, std::string> attrs;  ///< frontend attributes, "context:NAME" and its value
  std::set<std::string> caps;                ///< what the frontend must know, for "frontend.caps"
  std::map<std::string, std::string> directories;  ///< name in the session, and absolute path
  /// Base name of each directory, by the context's name, for its shared key.
  std::map<std::string, std::string> shared_names;
  /// By the name that the builder asks for, "oci:ID".
  std::map<std::string, std::shared_ptr<session::LayoutStore>> stores;
  std::vector<std::string> notices;  ///< one line each, for the user
};

/// Looks at what each context names, as buildx does (build/opt.go, loadInputs): what is remote or
/// an image is the builder's to fetch; of an image layout the digest is found here, for its tag,
/// "latest" or the only image that it lists; all else is a directory, whose .dockerignore the
/// builder reads. Errors begin with the flag and say what is missing or has the wrong form.
Result<NamedContexts> PlanNamedContexts(const std::vector<options::NamedContext>& contexts);

/// The directory of this machine that PlanNamedContexts() reads for it, as written; nullopt for
/// what is the builder's to fetch.
std::optional<std::string> LocalPathOf(const options::NamedContext& context);

}  // namespace depot::plan
