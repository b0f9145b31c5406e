#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>

#include "driver/base/cancel.h"
#include "driver/session/targets.h"

namespace depot::deliver {

/// One member of a tar archive in a file (POSIX pax, with the GNU long names that Go writes too).
struct TarMember {
  std::string path;          ///< as the archive says it
  std::string link;          ///< of hard and symbolic links
  char type = '0';           ///< the typeflag: '0' file, '1' hard link, '5' directory, ...
  std::uint64_t size = 0;    ///< bytes of content
  std::uint64_t offset = 0;  ///< of the content in the file
  std::string header;        ///< its block of 512 bytes
  std::map<std::string, std::string> extended;  ///< pax records, without path, linkpath and size
};

/// Calls `visit` for every member of the archive in `descriptor`, from its beginning, by pread().
/// What is not a whole tar archive is kInvalid.
Result<> ReadTar(int descriptor,
                 const std::function<Result<>(const TarMember&)>& visit,
                 const Cancel& cancel);

/// Content of a member, of at most `limit` bytes; more is kInvalid.
Result<std::string> ReadContent(int descriptor, const TarMember& member, std::size_t limit);

/// What stands in front of the content of a plain file, mode 0644 and time 0, that has `size`
/// bytes.
std::string TarFileHeader(const std::string& path, std::uint64_t size);

/// How many zero bytes follow a content of `size` bytes.
std::uint64_t TarPadding(std::uint64_t size);

/// How many zero bytes end an archive.
inline constexpr std::size_t kTarEnd = 1024;

/// Writes members to `target`, which it does not own. One thread.
class TarWriter {
 public:
  TarWriter(session::StreamTarget& target, const Cancel& cancel)
      : target_(target), cancel_(cancel) {}

  /// A member with another path and link, its content copied from `descriptor`.
  Result<> Copy(const TarMember& member,
                const std::string& path,
                const std::string& link,
                int descriptor);
  /// A plain file of mode 0644 and time 0.
  Result<> AddFile(const std::string& path, std::string_view content);
  Result<> AddDirectory(const std::string& path);
  /// The end of the archive; ends the target.
  Result<> Finish();

 private:
  Result<> AddHeader(std::string header,
                     std::map<std::string, std::string> extended,
                     const std::string& path,
                     const std::string& link);
  Result<> Pad(std::uint64_t size);

  session::StreamTarget& target_;
  const Cancel& cancel_;
};

}  // namespace depot::deliver
