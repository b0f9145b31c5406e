#include "pool/fleet/lookup.h"

#include <algorithm>
#include <array>
#include <memory>

#include <arpa/inet.h>
#include <arpa/nameser.h>
#include <netdb.h>
#include <resolv.h>

#include "driver/base/shown.h"
#include "driver/base/text.h"

namespace depot::fleet {
namespace {

/// SRV answers of 256 names, with their addresses, have some 20 KB.
constexpr std::size_t kLargestAnswer = 65'535;

constexpr int kSecondsPerServer = 1;

Error NoAnswer(std::string_view why) {
  return Error(ErrorCode::kUnavailable, Cat("the name server ", why));
}

/// A name that may stand in an endpoint, without the dot at its end; "" when it may not.
std::string HostName(std::string name) {
  if (name.ends_with('.')) name.pop_back();
  const bool good = !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("-._").find(c) != std::string_view::npos;
  });
  return good ? LowerAscii(name) : "";
}

/// An SRV record without priority and weight: all its builders are used.
Result<Address> ReadService(const ns_msg& message, const ns_rr& record) {
  constexpr int kFixed = 6;
  std::array<char, NS_MAXDNAME> name{};
  if (ns_rr_rdlen(record) <= kFixed ||
      dn_expand(ns_msg_base(message), ns_msg_end(message), ns_rr_rdata(record) + kFixed,
                name.data(), static_cast<int>(name.size())) < 0) {
    return Fail(ErrorCode::kInvalid, "a SRV record is malformed");
  }
  const auto port = static_cast<std::uint16_t>(ns_get16(ns_rr_rdata(record) + 4));
  Address address{HostName(name.data()), port};
  if (address.host.empty() || port == 0) {
    return Fail(ErrorCode::kInvalid,
                Cat("a SRV record names no host with a port: ", Printable(name.data())));
  }
  return address;
}

Result<Address> ReadRecord(const ns_msg& message,
                           const ns_rr& record,
                           RecordType type,
                           std::uint16_t port) {
  if (type == RecordType::kSrv) return ReadService(message, record);
  const bool four = type == RecordType::kA;
  std::array<char, INET6_ADDRSTRLEN> text{};
  if (ns_rr_rdlen(record) != (four ? NS_INADDRSZ : NS_IN6ADDRSZ)) {
    return Fail(ErrorCode::kInvalid, "an address record is malformed");
  }
  ::inet_ntop(four ? AF_INET : AF_INET6, ns_rr_rdata(record), text.data(), text.size());
  return Address{text.data(), port};
}

Result<std::vector<Address>> AskServers(const std::string& name,
                                        RecordType type,
                                        std::uint16_t port) {
  struct __res_state state {};
  if (::res_ninit(&state) != 0) return Fail(NoAnswer("cannot be looked up in resolv.conf"));
  state.retrans = kSecondsPerServer;
  state.retry = 1;
  std::vector<unsigned char> bytes(kLargestAnswer);
  const int size = ::res_nquery(&state, name.c_str(), ns_c_in, static_cast<int>(type), bytes.data(),
                                static_cast<int>(bytes.size()));
  const int trouble = state.res_h_errno;
  ::res_nclose(&state);
  if (size < 0 && (trouble == HOST_NOT_FOUND || trouble == NO_DATA)) return std::vector<Address>();
  if (size < 0) return Fail(NoAnswer("does not answer"));
  const std::size_t used = std::min(bytes.size(), static_cast<std::size_t>(size));
  return ReadAnswer({reinterpret_cast<const char*>(bytes.data()), used}, type, port);
}

}  // namespace

std::string Address::Text() const {
  const bool brackets = host.find(':') != std::string::npos;
  return Cat(brackets ? "[" : "", host, brackets ? "]" : "", ':', port);
}

Result<std::vector<Address>> ReadAnswer(std::string_view bytes,
                                        RecordType type,
                                        std::uint16_t port) {
  ns_msg message;
  if (ns_initparse(reinterpret_cast<const unsigned char*>(bytes.data()),
                   static_cast<int>(bytes.size()), &message) != 0) {
    return Fail(ErrorCode::kInvalid, "the name server's answer is malformed");
  }
  const int code = ns_msg_getflag(message, ns_f_rcode);
  if (code == ns_r_nxdomain) return std::vector<Address>();
  if (code != ns_r_noerror) return Fail(NoAnswer(Cat("answers with error ", code)));
  std::vector<Address> addresses;
  for (int i = 0; i < ns_msg_count(message, ns_s_an); ++i) {
    ns_rr record;
    if (ns_parserr(&message, ns_s_an, i, &record) != 0) {
      return Fail(ErrorCode::kInvalid, "the name server's answer is malformed");
    }
    if (ns_rr_type(record) != static_cast<int>(type) || ns_rr_class(record) != ns_c_in) continue;
    TRY_ASSIGN(Address address, ReadRecord(message, record, type, port));
    addresses.push_back(std::move(address));
    if (addresses.size() > kMostAddresses) {
      return Fail(ErrorCode::kInvalid, Cat("the name has more than ", kMostAddresses, " builders"));
    }
  }
  std::sort(addresses.begin(), addresses.end());
  addresses.erase(std::unique(addresses.begin(), addresses.end()), addresses.end());
  return addresses;
}

Result<std::vector<Address>> Lookup(const Question& question) {
  in6_addr parsed{};
  if (::inet_pton(AF_INET, question.name.c_str(), &parsed) == 1 ||
      ::inet_pton(AF_INET6, question.name.c_str(), &parsed) == 1) {
    return std::vector<Address>{{question.name, question.port}};
  }
  if (question.port == 0) return AskServers(question.name, RecordType::kSrv, 0);
  TRY_ASSIGN(auto four, AskServers(question.name, RecordType::kA, question.port));
  TRY_ASSIGN(auto six, AskServers(question.name, RecordType::kAaaa, question.port));
  four.insert(four.end(), six.begin(), six.end());
  return four;
}

}  // namespace depot::fleet
