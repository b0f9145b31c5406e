#pragma once

#include <string>
#include <string_view>

/// Text as people may see it.
namespace depot {

/// For text of unknown origin that goes to a terminal or a log as part of a line of ours: control
/// characters (C0 without tab, DEL, C1) become `?`, invalid UTF-8 becomes U+FFFD, and what is not
/// seen but deceives is made visible, as `<U+202E>`: characters that reorder text (UAX #9), that
/// have no width, or that end a line in some viewers. Applying it twice changes nothing more.
std::string Printable(std::string_view text);

/// The same for what a build step prints, which may be in any script and is not to be made
/// unreadable: such characters are left out, and the line separators become blanks.
std::string PrintableOutput(std::string_view text);

/// Hides what a URL of unknown origin may carry in front of the host: `https://u:p@h/x` becomes
/// `https://xxxxx:xxxxx@h/x`, and the value of a query parameter that is a credential by its name
/// (`?private_token=`, `&X-Amz-Signature=`) becomes xxxxx. A login name alone stays in `ssh://`
/// URLs. Applies to every URL inside `text`;
/// other text is left alone.
std::string RedactUrls(std::string_view text);

}  // namespace depot
