#include "driver/base/host_port.h"

#include <gtest/gtest.h>

namespace depot::host_port_test {
namespace {

TEST(HostPort, IsSplitAtTheColonThatIsOutsideOfBrackets) {
  HostPort parts = SplitHostPort("example.test:2375");
  EXPECT_EQ(parts.host, "example.test");
  EXPECT_EQ(parts.port, "2375");
  EXPECT_FALSE(parts.brackets);
  parts = SplitHostPort("[fd00::1]:2375");
  EXPECT_EQ(parts.host, "fd00::1");
  EXPECT_EQ(parts.port, "2375");
  EXPECT_TRUE(parts.brackets);
  parts = SplitHostPort("[fd00::1]");
  EXPECT_EQ(parts.host, "fd00::1");
  EXPECT_FALSE(parts.port);
  EXPECT_FALSE(SplitHostPort("example.test").port);
}

TEST(HostPort, WhatIsNoneIsLeftToTheCaller) {
  EXPECT_EQ(SplitHostPort("").host, "");
  EXPECT_EQ(SplitHostPort(":").host, "");
  EXPECT_EQ(SplitHostPort("host:").port, "");
  EXPECT_EQ(SplitHostPort("[").host, "[");
  EXPECT_EQ(SplitHostPort("[]:1").host, "");
  EXPECT_EQ(SplitHostPort("[a:1").host, "[a");
  EXPECT_EQ(SplitHostPort("a]b:1").host, "a]b");
}

TEST(HostPort, APortIsANumberOfSixteenBitsButZero) {
  EXPECT_EQ(ParsePort("1"), 1);
  EXPECT_EQ(ParsePort("65535"), 65535);
  for (std::string_view none :
       {"", "0", "65536", "-1", "+1", "1 ", "0x1", "99999999999999999999"}) {
    EXPECT_FALSE(ParsePort(none)) << none;
  }
}

TEST(HostPort, IsJoinedAsItWasSplit) {
  for (std::string_view text :
       {"example.test:1", "127.0.0.1:80", "[::1]:443", "[fe80::1%eth0]:9"}) {
    const HostPort parts = SplitHostPort(text);
    EXPECT_EQ(JoinHostPort(parts.host, *parts.port), text);
  }
}

}  // namespace
}  // namespace depot::host_port_test
