#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "driver/base/cancel.h"
#include "driver/files/tree.h"
#include "driver/session/services.h"
#include "plugin/plan/source.h"

/// The half of source.h that touches the disk and standard input.
namespace depot::plan {

/// Looks at what `options` names: the context, the Dockerfile and its neighbours, and standard
/// input
/// (`standard_input`, not owned) when it is the context or the Dockerfile: a Dockerfile is read to
/// its end, of an archive only the first 1024 bytes. Blocks for standard input. That something is
/// missing is not an error here; that a read fails or a Dockerfile is larger than 16 MiB is.
Result<SourceFacts> InspectSource(const options::BuildOptions& options,
                                  int standard_input,
                                  const Cancel& cancel);

/// A directory that is a context under a name: kNotFound when it is not there, kInvalid when it is
/// something else, or has an ignore file that cannot be read. `notices` gets lines for the user.
Result<> CheckContextDirectory(const std::string& path, std::vector<std::string>& notices);

/// A pipe gives what it has once: kUsage when one is to be two of standard input as context or
/// Dockerfile, -f, and a secret (several secrets may share one). Opens nothing.
Result<> CheckPipes(const options::BuildOptions& options,
                    const std::vector<session::SecretSpec>& secrets,
                    int standard_input);

/// Opens the trees for session::AddFileSync(), under their names; those of named contexts, too.
Result<std::map<std::string, std::unique_ptr<files::FileTree>>> OpenTrees(const Source& source);

}  // namespace depot::plan
