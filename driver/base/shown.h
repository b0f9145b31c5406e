#pragma once

#include <string>
#include <string_view>

/// Text as people may see it.
namespace depot {

/// For text of unknown origin that goes to a terminal or a log as part of a line of ours: control
/// characters (C0 without tab, DEL) become `?`, and invalid UTF-8 becomes U+FFFD.
std::string Printable(std::string_view text);

/// Hides what a URL of unknown origin may carry in front of the host: `https://u:p@h/x` becomes
/// `https://xxxxx:xxxxx@h/x`, and the value of a query parameter that is a credential by its name
/// (`?private_token=`, `&X-Amz-Signature=`) becomes xxxxx. Applies to every URL inside `text`;
/// other text is left alone.
std::string RedactUrls(std::string_view text);

}  // namespace depot
