#include "driver/session/packets.h"

#include <functional>
#include <random>

#include <gtest/gtest.h>
#include <sys/stat.h>

#include "proto/control.pb.h"
#include "proto/fsutil.pb.h"

namespace depot::session::packets_test {
namespace {

/// Takes the gRPC prefix off and lets protobuf's own parser read the rest.
fsutil::types::Packet Parse(const std::string& framed) {
  fsutil::types::Packet packet;
  EXPECT_GE(framed.size(), 5U);
  std::size_t size = 0;
  for (char byte : framed.substr(1, 4))
    size = size << 8 | static_cast<unsigned char>(byte);
  EXPECT_EQ(framed[0], 0);
  EXPECT_EQ(size, framed.size() - 5);
  EXPECT_TRUE(packet.ParseFromString(framed.substr(5)));
  return packet;
}

files::FileEntry SomeEntry() {
  files::FileEntry entry;
  entry.path = "dir/na\xC3\xAFve \xFF name";
  entry.mode = S_IFREG | 0640;
  entry.uid = 1000;
  entry.gid = 1000;
  entry.size = 5'000'000'000;
  entry.mtime_ns = -1;
  entry.xattrs = {{"user.a", std::string("\0\xFF", 2)}};
  return entry;
}

TEST(Packets, StatIsWhatProtobufReads) {
  std::string out;
  AppendStat(out, SomeEntry());
  fsutil::types::Packet packet = Parse(out);
  EXPECT_EQ(packet.type(), fsutil::types::Packet::PACKET_STAT);
  EXPECT_EQ(packet.stat().path(), SomeEntry().path);
  EXPECT_EQ(packet.stat().mode(), 0640U);
  EXPECT_EQ(packet.stat().uid(), 0U);
  EXPECT_EQ(packet.stat().gid(), 0U);
  EXPECT_EQ(packet.stat().size(), 5'000'000'000);
  EXPECT_EQ(packet.stat().mod_time(), -1);
  EXPECT_EQ(packet.stat().xattrs().at("user.a"), std::string("\0\xFF", 2));
}

TEST(Packets, StatSurvivesOurOwnParser) {
  std::string out;
  AppendStat(out, SomeEntry());
  Result<Packet> packet = ParsePacket(std::string_view(out).substr(5));
  ASSERT_TRUE(packet && packet->stat);
  Result<files::FileEntry> entry = ParseStat(*packet->stat);
  ASSERT_TRUE(entry);
  EXPECT_EQ(entry->path, SomeEntry().path);
  EXPECT_EQ(entry->mode, SomeEntry().mode);
  EXPECT_EQ(entry->xattrs, SomeEntry().xattrs);
}

TEST(Packets, SmallPacketsAreWhatProtobufReads) {
  std::string end;
  AppendEndOfStats(end);
  EXPECT_FALSE(Parse(end).has_stat());
  EXPECT_EQ(Parse(end).type(), fsutil::types::Packet::PACKET_STAT);
  for (std::uint32_t id : {0U, 1U, 127U, 128U, 4'000'000'000U}) {
    std::string request;
    AppendRequest(request, id);
    EXPECT_EQ(Parse(request).type(), fsutil::types::Packet::PACKET_REQ);
    EXPECT_EQ(Parse(request).id(), id);
  }
  std::string fin;
  AppendFin(fin);
  EXPECT_EQ(Parse(fin).type(), fsutil::types::Packet::PACKET_FIN);
  std::string error;
  AppendError(error, "no luck");
  EXPECT_EQ(Parse(error).type(), fsutil::types::Packet::PACKET_ERR);
  EXPECT_EQ(Parse(error).data(), "no luck");
}

TEST(Packets, DataHeaderFitsItsPayload) {
  for (std::uint32_t id : {0U, 300U, UINT32_MAX}) {
    for (std::size_t size : {0UL, 1UL, 127UL, 128UL, 524'288UL}) {
      char header[kMaxDataHeader];
      std::size_t length = WriteDataHeader(header, id, size);
      ASSERT_LE(length, kMaxDataHeader);
      fsutil::types::Packet packet = Parse(std::string(header, length) + std::string(size, 'x'));
      EXPECT_EQ(packet.type(), fsutil::types::Packet::PACKET_DATA);
      EXPECT_EQ(packet.id(), id);
      EXPECT_EQ(packet.data().size(), size);
    }
  }
}

TEST(Packets, ParsesWhatProtobufWrites) {
  fsutil::types::Packet message;
  message.set_type(fsutil::types::Packet::PACKET_DATA);
  message.set_id(77);
  message.set_data("payload");
  std::string wire = message.SerializeAsString();
  Result<Packet> packet = ParsePacket(wire);
  ASSERT_TRUE(packet);
  EXPECT_EQ(packet->type, PacketType::kData);
  EXPECT_EQ(packet->id, 77U);
  EXPECT_EQ(packet->data, "payload");
}

TEST(Packets, SkipsUnknownFields) {
  std::string wire(
      "\x29"
      "12345678"
      "\x35"
      "1234"
      "\x38\x01"
      "\x42\x03"
      "abc"
      "\x08\x03",
      23);
  Result<Packet> packet = ParsePacket(wire);
  ASSERT_TRUE(packet);
  EXPECT_EQ(packet->type, PacketType::kFin);
}

TEST(Packets, RefusesMalformedMessages) {
  using std::string_view_literals::operator""sv;
  for (std::string_view wire :
       {"\x08"sv,
        "\x22\x05"
        "abc"sv,
        "\x00\x01"sv, "\x0B"sv, "\x08\x05"sv, "\x08\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x01"sv,
        "\x22\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x7F"sv}) {
    EXPECT_FALSE(ParsePacket(wire));
  }
}

TEST(Packets, RandomBytesNeverCrashTheParsers) {
  std::mt19937 random(7);
  for (int round = 0; round < 20'000; ++round) {
    std::string bytes(random() % 40, '\0');
    for (char& byte : bytes)
      byte = static_cast<char>(random() % 4 == 0 ? random() : random() % 48);
    Result<Packet> packet = ParsePacket(bytes);
    if (packet && packet->stat) (void)ParseStat(*packet->stat);
    (void)ParseBytesMessage(bytes);
  }
}

TEST(BytesMessage, IsWhatProtobufReadsAndWrites) {
  moby::buildkit::v1::BytesMessage message;
  message.set_data("some bytes");
  std::string wire = message.SerializeAsString();
  Result<std::string_view> data = ParseBytesMessage(wire);
  ASSERT_TRUE(data);
  EXPECT_EQ(*data, "some bytes");
  EXPECT_EQ(BytesMessageHeader(10).substr(5) + "some bytes", wire);
  EXPECT_EQ(BytesMessageHeader(0), std::string(5, '\0'));
}

TEST(Packets, NamesAndNumbersThatNoFileHasAreRefused) {
  auto announce = [](const std::function<void(fsutil::types::Stat&)>& change) {
    fsutil::types::Stat stat;
    stat.set_path("a");
    stat.set_mode(0644);
    change(stat);
    return ParseStat(stat.SerializeAsString());
  };
  EXPECT_TRUE(announce([](auto& stat) { stat.set_path(std::string(4095, 'x')); }));
  EXPECT_FALSE(announce([](auto& stat) { stat.set_path(std::string(4096, 'x')); }));
  EXPECT_FALSE(announce([](auto& stat) { stat.set_linkname(std::string(4096, 'x')); }));
  EXPECT_FALSE(announce([](auto& stat) { stat.set_size(-1); }));
  EXPECT_FALSE(announce([](auto& stat) { stat.set_devmajor(-1); }));
  EXPECT_FALSE(announce([](auto& stat) { stat.set_devminor(std::int64_t{1} << 32); }));
  auto huge = announce([](auto& stat) { (*stat.mutable_xattrs())["a"].resize(2 << 20); });
  ASSERT_FALSE(huge);
  EXPECT_LT(huge.error().message().size(), 300U);
  EXPECT_FALSE(ParsePacket("\x08\x02\x18\xff\xff\xff\xff\xff\x01")) << "an id of 40 bits";
}

}  // namespace
}  // namespace depot::session::packets_test
