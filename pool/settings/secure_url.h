#pragma once

#include <string_view>

namespace depot::settings {

/// Whether what this URL gives can be believed: https, or http to this machine itself (localhost,
/// 127.0.0.1, [::1]). A URL with user information, or with characters that no URL has, is not.
bool IsSecureUrl(std::string_view url);

}  // namespace depot::settings
