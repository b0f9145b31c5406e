#pragma once

#include <string>
#include <vector>

#include "plugin/command/command.h"

namespace depot::command {

/// What a shell asks for: `__complete WORD... PART` of spf13/cobra, which docker and our own
/// completion scripts speak.
struct CompletionRequest {
  std::vector<std::string>
      words;                 ///< the line so far without the program; the last one is unfinished
  bool descriptions = true;  ///< candidates are told with what they are
};

/// The answer as cobra writes it: a line for each candidate, a tab before its description, then
/// ":N", a sum of 2 (no blank behind it), 4 (files are no candidates) and 16 (folders alone are).
/// Whatever the words are, there is an answer, and it asks nobody: it reads the Dockerfile and
/// docker buildx's own files. `call` is one without arguments.
std::string Complete(const CompletionRequest& request, const Call& call);

}  // namespace depot::command
