#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "pool/fleet/lookup.h"

// What a name server, or who answers in its place, says of a pool's builders. The first byte is the
// type of record that was asked for.

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data + 1), size - 1);
  using depot::fleet::RecordType;
  constexpr RecordType kTypes[] = {RecordType::kA, RecordType::kAaaa, RecordType::kSrv};
  const auto addresses = depot::fleet::ReadAnswer(bytes, kTypes[data[0] % 3], 8372);
  if (!addresses) return 0;
  if (addresses->size() > depot::fleet::kMostAddresses) std::abort();
  for (const auto& address : *addresses) {
    if (address.port == 0 || address.host.empty()) std::abort();
    constexpr std::string_view kGood = "abcdefghijklmnopqrstuvwxyz0123456789-._:";
    if (address.host.find_first_not_of(kGood) != std::string::npos) std::abort();
  }
  return 0;
}
