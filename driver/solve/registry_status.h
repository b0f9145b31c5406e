#pragma once

#include <string>
#include <string_view>

namespace depot::solve {

/// `text` of a builder, with the standard words of the HTTP status that a registry gave behind it,
/// as "429 Too Many Requests". Registries and proxies answer with words of their own, or with none
/// at all (RFC 9112, section 4: they mean nothing); a builder gives whatever they were, behind
/// "unexpected status" (containerd core/remotes/docker). As it was where there is no such status.
std::string WithStandardStatus(std::string_view text);

}  // namespace depot::solve
