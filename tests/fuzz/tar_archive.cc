// A builder's tar archive: its members lie within it, and a copy of them reads back as the same.

#include "plugin/deliver/tar_archive.h"

#include <cstdint>
#include <cstdlib>
#include <vector>

#include <sys/mman.h>
#include <unistd.h>

#include "driver/base/fd.h"

namespace {

using depot::Cancel;
using depot::Fd;
using depot::Result;
using depot::deliver::TarMember;

constexpr std::size_t kContent = 1 << 20;

void Expect(bool holds) {
  if (!holds) std::abort();
}

Fd FileOf(std::string_view bytes) {
  Fd file(memfd_create("archive", MFD_CLOEXEC));
  Expect(file.valid());
  Expect(write(file.get(), bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size()));
  return file;
}

class MemoryTarget final : public depot::session::StreamTarget {
 public:
  Result<> Write(std::string_view data, const Cancel&) override {
    bytes_.append(data);
    return {};
  }
  Result<> End(const Cancel&) override { return {}; }
  Result<> StartOver() override { return {}; }

  const std::string& bytes() const { return bytes_; }

 private:
  std::string bytes_;
};

Result<std::vector<TarMember>> MembersOf(const Fd& file) {
  std::vector<TarMember> members;
  auto keep = [&](const TarMember& member) -> Result<> {
    members.push_back(member);
    return {};
  };
  TRY(depot::deliver::ReadTar(file.get(), keep, Cancel::Never()));
  return members;
}

/// A name with a NUL in it has no form in an archive.
bool CanBeCopied(const TarMember& member) {
  return member.path.find('\0') == std::string::npos && member.link.find('\0') == std::string::npos;
}

void CheckCopy(const Fd& file, const std::vector<TarMember>& members) {
  MemoryTarget target;
  depot::deliver::TarWriter writer(target, Cancel::Never());
  std::vector<TarMember> copied;
  for (const TarMember& member : members) {
    if (!CanBeCopied(member)) continue;
    Expect(writer.Copy(member, member.path, member.link, file.get()).has_value());
    copied.push_back(member);
  }
  Expect(writer.Finish().has_value());
  const Fd again = FileOf(target.bytes());
  const auto read = MembersOf(again);
  Expect(read.has_value() && read->size() == copied.size());
  for (std::size_t i = 0; i < copied.size(); ++i) {
    const TarMember& was = copied[i];
    const TarMember& is = (*read)[i];
    Expect(is.path == was.path && is.link == was.link && is.type == was.type);
    Expect(is.size == was.size && is.extended == was.extended);
    Expect(depot::deliver::ReadContent(again.get(), is, kContent).value_or("!") ==
           depot::deliver::ReadContent(file.get(), was, kContent).value_or("!"));
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const Fd file = FileOf({reinterpret_cast<const char*>(data), size});
  const auto members = MembersOf(file);
  if (!members) return 0;
  for (const TarMember& member : *members)
    Expect(member.size <= size && member.offset <= size && member.offset + member.size <= size);
  CheckCopy(file, *members);
  return 0;
}
