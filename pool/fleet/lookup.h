#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "driver/base/result.h"

/// The builders there are at the moment: where they are, what they are, and how they are.
namespace depot::fleet {

/// Where one builder listens.
struct Address {
  std::string host;  ///< IPv4, IPv6 without brackets, or a name
  std::uint16_t port = 0;

  /// HOST:PORT, with brackets where they belong.
  std::string Text() const;

  friend bool operator==(const Address&, const Address&) = default;
  friend bool operator<(const Address& one, const Address& other) {
    return one.host != other.host ? one.host < other.host : one.port < other.port;
  }
};

/// What DNS is asked for.
struct Question {
  std::string name;
  std::uint16_t port = 0;  ///< of A and AAAA records; 0: ask for SRV records, which say it

  friend bool operator==(const Question&, const Question&) = default;
};

/// A record type that we read (RFC 1035, RFC 3596, RFC 2782).
enum class RecordType { kA = 1, kAaaa = 28, kSrv = 33 };

/// No source has more builders than this.
constexpr std::size_t kMostAddresses = 256;

/// The addresses in an answer of a name server, sorted, each once; other records are passed over. A
/// name that there is not is an answer without any. `port` is for records that have none. kInvalid
/// for bytes that are no answer, for names that are none, and for more than kMostAddresses;
/// kUnavailable when the server could not answer.
Result<std::vector<Address>> ReadAnswer(std::string_view bytes,
                                        RecordType type,
                                        std::uint16_t port);

/// Asks the name servers of resolv.conf, for a few seconds at most: it cannot be interrupted.
/// `question.name` is looked up as it is, without search domains; an IP address stands for itself.
/// kUnavailable when none of them answers.
Result<std::vector<Address>> Lookup(const Question& question);

}  // namespace depot::fleet
