#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "driver/base/result.h"
#include "plugin/options/build_options.h"
#include "plugin/plan/named_contexts.h"

namespace depot::plan {

/// What is found at a path, with symlinks followed (files/lookup.h says where to); kOther is a
/// fifo, a socket or a device.
enum class PathKind { kMissing, kFile, kDirectory, kOther };

/// What InspectSource() found on disk and on standard input, so that DecideSource() needs neither.
struct SourceFacts {
  std::string working_directory;          ///< absolute
  PathKind context = PathKind::kMissing;  ///< what the PATH argument is

  /// The local Dockerfile that was looked at, absolute; "" when none is meant (it is inside a
  /// remote context or on standard input).
  std::string dockerfile_path;
  PathKind dockerfile = PathKind::kMissing;  ///< with symlinks followed
  bool dockerfile_readable = true;
  bool dockerfile_is_link = false;
  bool directory_exists = true;  ///< of dockerfile_path
  std::string nearest;           ///< another file beside it that may be meant; ""
  std::string inside;            ///< of a directory: the file in it that may be meant; ""

  bool has_own_ignore_file = false;  ///< NAME.dockerignore is beside it: the context's is not read

  /// The Dockerfile's text when it cannot be served from its directory: it, or its ignore file, is
  /// a symlink (which may lead out of that) or it is a fifo.
  std::optional<std::string> dockerfile_text;
  std::optional<std::string> ignore_text;  ///< of NAME.dockerignore, in the same case

  std::string fetched_dockerfile;    ///< what -f URL gave
  std::vector<std::string> notices;  ///< one line each, for the user

  /// Standard input: everything when it is a Dockerfile, the first bytes when it is an archive.
  std::string standard_input;
};

/// A tree that the session serves.
struct SourceTree {
  std::string directory;                     ///< absolute; "" = the files below, in memory
  std::map<std::string, std::string> files;  ///< name to content
};

/// Where the context and the Dockerfile come from.
struct Source {
  std::string context_url;  ///< what the builder fetches by itself; "" = a tree or an upload
  /// Standard input is a tar archive to be uploaded: session::AddUpload() offers `already_read` and
  /// the rest of standard input, and what it gives is FrontendFacts::upload_url.
  bool upload = false;
  std::string already_read;
  std::map<std::string, SourceTree> trees;  ///< "context", "dockerfile"
  std::string filename;                     ///< frontend attribute, always sent
  /// The Dockerfile is in tree "dockerfile" although the context is not local.
  bool dockerfile_key = false;
  std::string shared_name;  ///< base name of a local context, for the session's shared key; ""
  NamedContexts named;      ///< DecideSource() leaves it empty: PlanNamedContexts()
};

/// A directory that frontends may copy from.
struct LocalContext {
  std::string local;      ///< its name in the session
  std::string attribute;  ///< names it to the frontend, `context:NAME`; "" = the main context
  std::string directory;  ///< absolute
};

std::vector<LocalContext> LocalContexts(const Source& source);

/// Whether the first bytes of standard input are an archive: tar, plain or packed by gzip, bzip2 or
/// xz (the same test as BuildKit's, frontend/dockerui/context.go), or by zstd, which is unpacked
/// on the way.
bool IsArchive(std::string_view head);

/// Decides what is built from where; pure. What is missing or has the wrong kind is an error that
/// says what was looked at.
Result<Source> DecideSource(const options::BuildOptions& options, const SourceFacts& facts);

}  // namespace depot::plan
