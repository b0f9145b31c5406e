#include "pool/fleet/lookup.h"

#include <gtest/gtest.h>

#include "driver/base/text.h"

namespace depot::fleet::lookup_test {
namespace {

std::string Short(int number) {
  return {static_cast<char>(number >> 8), static_cast<char>(number & 0xff)};
}

std::string Name(std::string_view name) {
  std::string bytes;
  for (std::string_view label : Split(name, '.'))
    bytes += Cat(std::string(1, static_cast<char>(label.size())), label);
  return bytes + '\0';
}

/// An answer with these records to a question for the name "b.test".
class Answer {
 public:
  Answer& Add(int type, const std::string& data) {
    records_ += Name("b.test") + Short(type) + Short(1) + Short(0) + Short(60) +
                Short(static_cast<int>(data.size())) + data;
    ++count_;
    return *this;
  }

  std::string Bytes(int code = 0) const {
    return Short(1) + Short(0x8180 | code) + Short(1) + Short(count_) + Short(0) + Short(0) +
           Name("b.test") + Short(1) + Short(1) + records_;
  }

 private:
  std::string records_;
  int count_ = 0;
};

std::string Service(int port, const std::string& name) {
  return Short(0) + Short(0) + Short(port) + Name(name);
}

std::string Shown(const Result<std::vector<Address>>& addresses) {
  if (!addresses) return addresses.error().message();
  std::string text;
  for (const Address& address : *addresses)
    text += Cat(text.empty() ? "" : " ", address.Text());
  return text;
}

TEST(Lookup, AddressesAreSortedAndTheirOrderMeansNothing) {
  Answer answer;
  answer.Add(1, "\x0a\x02\x03\x04").Add(1, "\x0a\x01\x03\x04").Add(1, "\x0a\x02\x03\x04");
  EXPECT_EQ(Shown(ReadAnswer(answer.Bytes(), RecordType::kA, 8372)), "10.1.3.4:8372 10.2.3.4:8372");
  EXPECT_EQ(Shown(ReadAnswer(answer.Bytes(), RecordType::kAaaa, 8372)), "") << "of another type";
}

TEST(Lookup, Ipv6HasBrackets) {
  Answer answer;
  answer.Add(28, std::string("\xfd", 1) + std::string(14, '\0') + "\x05");
  EXPECT_EQ(Shown(ReadAnswer(answer.Bytes(), RecordType::kAaaa, 1)), "[fd00::5]:1");
}

TEST(Lookup, ServicesSayTheirPorts) {
  Answer answer;
  answer.Add(5, Name("alias.test")).Add(33, Service(8372, "Pod-1.b.test"));
  answer.Add(33, Service(9000, "pod-0.b.test"));
  EXPECT_EQ(Shown(ReadAnswer(answer.Bytes(), RecordType::kSrv, 0)),
            "pod-0.b.test:9000 pod-1.b.test:8372");
}

TEST(Lookup, NoSuchNameIsAnAnswerAndAFailureIsNone) {
  EXPECT_EQ(Shown(ReadAnswer(Answer().Bytes(3), RecordType::kA, 1)), "");
  auto failed = ReadAnswer(Answer().Bytes(2), RecordType::kA, 1);
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code(), ErrorCode::kUnavailable);
}

TEST(Lookup, WhatIsMalformedIsNoAnswer) {
  for (const std::string& data : {std::string(3, 'x'), std::string(5, 'x'), std::string()}) {
    auto addresses = ReadAnswer(Answer().Add(1, data).Bytes(), RecordType::kA, 1);
    EXPECT_FALSE(addresses) << Shown(addresses);
  }
  for (const std::string& data :
       {Service(0, "a.test"), Service(1, ""), Service(1, "a b"), Service(1, "<script>"),
        std::string(6, '\0'), std::string(7, '\xc0'), Short(0)}) {
    auto addresses = ReadAnswer(Answer().Add(33, data).Bytes(), RecordType::kSrv, 0);
    EXPECT_FALSE(addresses) << Shown(addresses);
  }
  EXPECT_FALSE(ReadAnswer("", RecordType::kA, 1));
  std::string cut = Answer().Add(1, "\x0a\x02\x03\x04").Bytes();
  cut.pop_back();
  EXPECT_FALSE(ReadAnswer(cut, RecordType::kA, 1));
}

TEST(Lookup, AnAnswerOfTooManyIsNone) {
  Answer answer;
  for (int i = 0; i <= static_cast<int>(kMostAddresses); ++i)
    answer.Add(1, "\x0a\x01" + Short(i));
  EXPECT_FALSE(ReadAnswer(answer.Bytes(), RecordType::kA, 1));
}

TEST(Lookup, AnAddressStandsForItself) {
  EXPECT_EQ(Shown(Lookup({"10.1.2.3", 8372})), "10.1.2.3:8372");
}

}  // namespace
}  // namespace depot::fleet::lookup_test
