// fsutil packets of a builder that sends a result: whatever comes, only clean paths below the root
// reach the writer, in order, and the receiver comes to an end.

#include "driver/files/tree_writer.h"
#include "driver/session/diffcopy_receive.h"
#include "tests/fuzz/packet_call.h"

namespace depot {
namespace {

class NoSink final : public EventSink {
 public:
  void Emit(Event /*event*/) override {}
};

class CheckingWriter final : public files::TreeWriter {
 public:
  Result<> Make(const files::FileEntry& entry) override {
    Check(entry);
    return {};
  }
  Result<std::unique_ptr<File>> Create(const files::FileEntry& entry) override {
    Check(entry);
    return std::make_unique<Nothing>();
  }
  Result<> Finish() override { return {}; }

 private:
  class Nothing final : public File {
   public:
    Result<> Write(std::string_view /*data*/) override { return {}; }
    Result<> Commit() override { return {}; }
  };

  static void Check(const files::FileEntry& entry) {
    const std::string around = "/" + entry.path + "/";
    fuzz::Expect(entry.path.size() < 4096 && entry.linkname.size() < 4096);
    fuzz::Expect(around.find('\0') == std::string::npos);
    for (const char* bad : {"//", "/./", "/../"})
      fuzz::Expect(around.find(bad) == std::string::npos);
  }
};

}  // namespace
}  // namespace depot

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  depot::NoSink sink;
  depot::session::Faults faults;
  depot::session::Refusals refusals(sink);
  std::atomic<std::size_t> held{0};
  depot::CheckingWriter writer;
  depot::fuzz::PacketCall call(data, size);
  (void)depot::session::ReceiveTree(call, writer, faults, refusals, held, depot::Cancel::Never());
  depot::fuzz::Expect(held == 0);
  return 0;
}
