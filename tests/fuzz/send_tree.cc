// fsutil packets of a builder that receives a context: whatever it asks for, the sender comes to an
// end, and nothing that it asks for counts as an error of ours.

#include "driver/session/diffcopy_send.h"
#include "tests/fuzz/packet_call.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const auto tree = depot::files::MakeMemoryTree(
      {{"Dockerfile", "FROM scratch\n"}, {"a", ""}, {"b", std::string(2000, 'x')}});
  depot::session::Faults faults;
  depot::fuzz::PacketCall call(data, size);
  (void)depot::session::SendTree(call, *tree, {}, faults, depot::Cancel::Never());
  depot::fuzz::Expect(!faults.first());
  return 0;
}
