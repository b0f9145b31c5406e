#include "driver/session/zstd_reader.h"

#include <zstd.h>

#include "driver/base/text.h"

namespace depot::session {
namespace {

struct FreeStream {
  void operator()(ZSTD_DStream* stream) const { ZSTD_freeDStream(stream); }
};

}  // namespace

/// Where the work stands.
struct ZstdReader::State {
  std::unique_ptr<ZSTD_DStream, FreeStream> stream{ZSTD_createDStream()};
  std::string packed = std::string(ZSTD_DStreamInSize(), '\0');
  ZSTD_inBuffer input{packed.data(), 0, 0};
  bool in_frame = false;
};

bool IsZstd(std::string_view head) {
  return head.starts_with("\x28\xb5\x2f\xfd");
}

ZstdReader::ZstdReader() : state_(std::make_unique<State>()) {}
ZstdReader::~ZstdReader() = default;

/// Whether there is more.
Result<bool> ZstdReader::Fill(const Source& source) {
  State& state = *state_;
  if (state.input.pos < state.input.size) return true;
  TRY_ASSIGN(state.input.size, source(state.packed.data(), state.packed.size()));
  state.input.pos = 0;
  return state.input.size > 0;
}

Result<std::size_t> ZstdReader::Read(char* into, std::size_t size, const Source& source) {
  State& state = *state_;
  ZSTD_outBuffer output{into, size, 0};
  while (output.pos == 0) {
    TRY_ASSIGN(const bool more, Fill(source));
    if (!more && !state.in_frame) return 0;
    // What is in there already may come without more of it.
    const std::size_t left = ZSTD_decompressStream(state.stream.get(), &output, &state.input);
    if (ZSTD_isError(left) != 0) {
      return Fail(ErrorCode::kInvalid, Cat("the zstd archive: ", ZSTD_getErrorName(left)));
    }
    state.in_frame = left != 0;
    if (!more && output.pos == 0 && state.in_frame) {
      return Fail(ErrorCode::kInvalid, "the zstd archive is cut off");
    }
  }
  return output.pos;
}

}  // namespace depot::session
