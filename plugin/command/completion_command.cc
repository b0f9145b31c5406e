#include "plugin/command/completion_command.h"

#include "driver/base/shown.h"
#include "driver/base/text.h"
#include "plugin/command/command_line.h"

namespace depot::command {
namespace {

// COMP_WORDS would be cut at '=' and ':'. What readline replaces begins behind the last '='.
constexpr std::string_view kBash = R"sh(# bash completion of depot and docker-depot: load it with
#   source <(depot completion bash)
_depot() {
  local words answer IFS=$' \t\n'
  read -ra words <<<"${COMP_LINE:0:COMP_POINT}"
  [[ ${COMP_LINE:0:COMP_POINT} == *[[:space:]] ]] && words+=('')
  mapfile -t answer < <("${words[0]}" __completeNoDesc "${words[@]:1}" 2>/dev/null)
  COMPREPLY=()
  [ ${#answer[@]} -gt 0 ] || return
  local last=$((${#answer[@]} - 1))
  local directive=${answer[last]#:}
  unset "answer[$last]"
  COMPREPLY=("${answer[@]}")
  ((directive & 2)) && compopt -o nospace
  ((directive & 16)) && compopt -o dirnames
  ((directive & 20)) || compopt -o default
}
complete -F _depot depot docker-depot
)sh";

constexpr std::string_view kZsh = R"sh(#compdef depot docker-depot
# zsh completion of depot and docker-depot: put it into a folder of $fpath as _depot, or load it with
#   source <(depot completion zsh)
_depot() {
  local -a answer candidates options
  local line
  answer=("${(@f)$("${words[1]}" __complete "${(@)words[2,CURRENT]}" 2>/dev/null)}")
  local directive=${answer[-1]#:}
  for line in "${(@)answer[1,-2]}"; do
    candidates+=("${${line//:/\\:}/$'\t'/:}")
  done
  [[ $PREFIX == --*=* ]] && compset -P '*='
  ((directive & 2)) && options=(-S '')
  if ((${#candidates})); then
    _describe -t depot depot candidates "${options[@]}"
  elif ((directive & 16)); then
    _files -/
  elif ! ((directive & 4)); then
    _files
  fi
}
if [ "${funcstack[1]}" = _depot ]; then _depot "$@"; else compdef _depot depot docker-depot; fi
)sh";

constexpr std::string_view kFish = R"sh(# fish completion of depot and docker-depot: load it with
#   depot completion fish | source
function __depot_complete
    set -l words (commandline -opc)
    set -l part (commandline -ct)
    set -l answer ($words[1] __complete $words[2..-1] "$part" 2>/dev/null)
    set -l directive (string replace : '' -- $answer[-1])
    # fish replaces the whole word, the value's flag too.
    set -l before (string match -r -- '^--[^=]*=' $part)
    if test (count $answer) -gt 1
        for line in $answer[1..-2]
            echo "$before$line"
        end
    else if test "$directive" = 16
        __fish_complete_directories (string replace -r -- '^--[^=]*=' '' $part)
    else if test "$directive" = 0
        __fish_complete_path (string replace -r -- '^--[^=]*=' '' $part)
    end
end
for name in depot docker-depot
    complete -c $name -f -a '(__depot_complete)'
end
)sh";

}  // namespace

Result<> RunCompletion(const Call& call) {
  std::string shell;
  TRY_ASSIGN(bool runs, ReadCommandLine({.words = "completion",
                                         .description = "Print the completion script for a shell",
                                         .argument = "bash|zsh|fish",
                                         .target = &shell},
                                        call));
  if (!runs) return {};
  if (shell == "bash") return call.terminal.WriteResult(std::string(kBash), call.cancel);
  if (shell == "zsh") return call.terminal.WriteResult(std::string(kZsh), call.cancel);
  if (shell == "fish") return call.terminal.WriteResult(std::string(kFish), call.cancel);
  const std::string what =
      shell.empty() ? "which shell?" : Cat("no completion for ", Printable(shell));
  return Fail(
      Error(ErrorCode::kUsage, what).WithHint(Cat(call.program, " completion bash, zsh or fish")));
}

}  // namespace depot::command
