#include "driver/git/blob.h"

#include <cerrno>
#include <cstdlib>
#include <vector>

#include <openssl/evp.h>
#include <unistd.h>

#include "driver/base/openssl.h"
#include "driver/base/text.h"

namespace depot::git {
namespace {

class BlobHash {
 public:
  BlobHash(ObjectFormat format, std::int64_t size) : context_(EVP_MD_CTX_new()) {
    const EVP_MD* kind = format == ObjectFormat::kSha1 ? EVP_sha1() : EVP_sha256();
    // Only memory exhaustion can fail here, and in no case may a wrong name come out.
    if (!context_ || EVP_DigestInit_ex(context_.get(), kind, nullptr) != 1) std::abort();
    Update(Cat("blob ", size, '\0'));
  }

  void Update(std::string_view bytes) {
    if (EVP_DigestUpdate(context_.get(), bytes.data(), bytes.size()) != 1) std::abort();
  }

  std::string Finish() {
    std::string out(EVP_MAX_MD_SIZE, '\0');
    unsigned int size = 0;
    auto* bytes = reinterpret_cast<unsigned char*>(out.data());
    if (EVP_DigestFinal_ex(context_.get(), bytes, &size) != 1) std::abort();
    out.resize(size);
    return out;
  }

 private:
  OpenSslPtr<EVP_MD_CTX> context_;
};

}  // namespace

std::string BlobName(ObjectFormat format, std::string_view content) {
  BlobHash hash(format, static_cast<std::int64_t>(content.size()));
  hash.Update(content);
  return hash.Finish();
}

Result<std::string> BlobNameOfFile(ObjectFormat format,
                                   int file,
                                   std::int64_t size,
                                   const Cancel& cancel) {
  constexpr std::size_t kPiece = 256 << 10;
  BlobHash hash(format, size);
  std::vector<char> piece(kPiece);
  std::int64_t at = 0;
  while (true) {
    TRY(cancel.Check());
    const ssize_t count = ::pread(file, piece.data(), piece.size(), at);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return Fail(SystemError("reading a file", errno));
    if (count == 0) break;
    hash.Update({piece.data(), static_cast<std::size_t>(count)});
    at += count;
    if (at > size) break;
  }
  if (at != size) return Fail(ErrorCode::kInvalid, "the file changed while it was read");
  return hash.Finish();
}

}  // namespace depot::git
