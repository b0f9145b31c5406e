#pragma once

#include <string>
#include <string_view>

namespace depot::service {

// `nonce` is that of the response's policy.

/// The page that asks for a token; it has no script. `said` is a line of ours about the last try.
std::string SignInPage(std::string_view nonce, std::string_view said);

/// The page of the pool: it fetches /fleet.json every five seconds and shows it, as text alone, so
/// that no name can be more than a name.
std::string BoardPage(std::string_view nonce);

/// The Content-Security-Policy for both: nothing but what came with the page.
std::string PagePolicy(std::string_view nonce);

}  // namespace depot::service
