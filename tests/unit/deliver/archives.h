#pragma once

#include <string>
#include <string_view>

#include <gtest/gtest.h>
#include <unistd.h>

#include "driver/base/fd.h"
#include "driver/disk/whole_file.h"
#include "driver/session/services.h"

namespace depot::deliver {

/// Keeps what is written to it.
class MemoryTarget final : public session::StreamTarget {
 public:
  Result<> Write(std::string_view data, const Cancel& /*cancel*/) override {
    bytes.append(data);
    return {};
  }
  Result<> End(const Cancel& /*cancel*/) override {
    ended = true;
    return {};
  }
  Result<> StartOver() override { return {}; }

  std::string bytes;
  bool ended = false;
};

/// A file with this content and no name.
inline Fd FileWith(std::string_view content) {
  auto file = disk::OpenNamelessFile(::testing::TempDir());
  EXPECT_TRUE(file) << file.error().message();
  EXPECT_EQ(::write(file->get(), content.data(), content.size()),
            static_cast<ssize_t>(content.size()));
  return *std::move(file);
}

}  // namespace depot::deliver
