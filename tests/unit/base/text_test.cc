#include "driver/base/text.h"

#include <gtest/gtest.h>

#include "driver/base/encode.h"
#include "driver/base/shown.h"

namespace depot::text_test {
namespace {

using Parts = std::vector<std::string_view>;

TEST(Cat, JoinsTextCharactersAndNumbers) {
  EXPECT_EQ(Cat("port ", 8080, '.', std::string("x"), INT64_MIN, UINT64_MAX),
            "port 8080.x-922337203685477580818446744073709551615");
}

TEST(Split, KeepsEmptyParts) {
  EXPECT_EQ(Split("a,,b", ','), (Parts{"a", "", "b"}));
  EXPECT_EQ(Split("", ','), Parts{""});
  EXPECT_EQ(Split(",", ','), (Parts{"", ""}));
}

TEST(Join, PutsSeparatorsBetween) {
  EXPECT_EQ(Join({"a", "b", ""}, ", "), "a, b, ");
  EXPECT_EQ(Join({}, ","), "");
}

TEST(Trim, TakesBlanksFromBothEnds) {
  EXPECT_EQ(Trim(" \t\r\na b\n "), "a b");
  EXPECT_EQ(Trim(" \n"), "");
  EXPECT_EQ(Trim(""), "");
}

TEST(LowerAscii, LeavesOtherBytesAlone) {
  EXPECT_EQ(LowerAscii("AbZ\xC3\x84-1"), "abz\xC3\x84-1");
}

TEST(CleanPath, IsGosPathClean) {
  EXPECT_EQ(CleanPath(""), ".");
  EXPECT_EQ(CleanPath("a//b/./c/.."), "a/b");
  EXPECT_EQ(CleanPath("../../a"), "../../a");
  EXPECT_EQ(CleanPath("a/../.."), "..");
  EXPECT_EQ(CleanPath("/../a/"), "/a");
  EXPECT_EQ(CleanPath("/"), "/");
}

TEST(ParseDecimal, TakesWholeNumbersOnly) {
  EXPECT_EQ(ParseDecimal("0"), 0U);
  EXPECT_EQ(ParseDecimal("18446744073709551615"), UINT64_MAX);
  for (std::string_view text : {"", "-1", "+1", " 1", "1 ", "1x", "0x1", "18446744073709551616"}) {
    EXPECT_EQ(ParseDecimal(text), std::nullopt) << text;
  }
}

TEST(ParseBool, TakesWhatGoTakes) {
  for (std::string_view text : {"1", "t", "T", "TRUE", "true", "True"}) {
    EXPECT_EQ(ParseBool(text), true);
  }
  for (std::string_view text : {"0", "f", "F", "FALSE", "false", "False"}) {
    EXPECT_EQ(ParseBool(text), false);
  }
  for (std::string_view text : {"", "yes", "tRUE", "2", "true "}) {
    EXPECT_EQ(ParseBool(text), std::nullopt) << text;
  }
}

TEST(Nearest, FindsTheTypo) {
  Parts flags = {"--build-arg", "--platform", "--tag", "--target"};
  EXPECT_EQ(Nearest("--platfrom", flags), "--platform");
  EXPECT_EQ(Nearest("--buildarg", flags), "--build-arg");
  EXPECT_EQ(Nearest("--tog", flags), "--tag");
  EXPECT_EQ(Nearest("--tga", flags), "--tag") << "a swap is one slip";
}

TEST(Nearest, IsSilentWhenNothingIsNear) {
  EXPECT_EQ(Nearest("--frobnicate", {"--tag", "--target"}), "");
  EXPECT_EQ(Nearest("x", {}), "");
}

TEST(Printable, DisarmsControlCharacters) {
  EXPECT_EQ(Printable("a\x1b[31mred\x07\r\nz\x7f"), "a?[31mred???z?");
  EXPECT_EQ(Printable("tab\tstays"), "tab\tstays");
  EXPECT_EQ(Printable(std::string_view("nul\0", 4)), "nul?");
  EXPECT_EQ(Printable("\xC2\x9B"), "?") << "C1 CSI";
}

TEST(Printable, KeepsValidUtf8AndReplacesTheRest) {
  EXPECT_EQ(Printable("grün 日本 😀"), "grün 日本 😀");
  EXPECT_EQ(Printable("\xFF"), "\xEF\xBF\xBD");
  EXPECT_EQ(Printable("a\xC3"), "a\xEF\xBF\xBD") << "cut off";
  EXPECT_EQ(Printable("\xC0\xAF"), "\xEF\xBF\xBD\xEF\xBF\xBD") << "overlong";
  EXPECT_EQ(Printable("\xED\xA0\x80"), "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD") << "surrogate";
  EXPECT_EQ(Printable("\xF4\x90\x80\x80").find('\xF4'), std::string::npos) << "above U+10FFFF";
}

TEST(RedactUrls, HidesUserAndPassword) {
  EXPECT_EQ(RedactUrls("https://user:pass@host/x"), "https://xxxxx:xxxxx@host/x");
  EXPECT_EQ(RedactUrls("https://token@host"), "https://xxxxx@host");
  EXPECT_EQ(RedactUrls("git clone 'https://u:p@a/b' and ssh://git@c/d."),
            "git clone 'https://xxxxx:xxxxx@a/b' and ssh://git@c/d.");
}

TEST(RedactUrls, ALoginNameOfSshIsNoCredential) {
  EXPECT_EQ(RedactUrls("ssh://root@host:22"), "ssh://root@host:22");
  EXPECT_EQ(RedactUrls("ssh://root:pass@host"), "ssh://xxxxx:xxxxx@host");
}

TEST(RedactUrls, PasswordsWithAtSigns) {
  EXPECT_EQ(RedactUrls("https://u:p@ss@host/x"), "https://xxxxx:xxxxx@host/x");
}

TEST(RedactUrls, PasswordsThatWereNotEncoded) {
  EXPECT_EQ(RedactUrls("https://u:pa/ss@host/x"), "https://xxxxx:xxxxx@host/x");
  EXPECT_EQ(RedactUrls("https://u:pa?s#s@host"), "https://xxxxx:xxxxx@host");
}

TEST(RedactUrls, HidesCredentialsInQueries) {
  EXPECT_EQ(RedactUrls("get https://h/a.tar?private_token=glpat&x=1 now"),
            "get https://h/a.tar?private_token=xxxxx&x=1 now");
  EXPECT_EQ(RedactUrls("https://h/a?x=1&access_token=T#y"), "https://h/a?x=1&access_token=xxxxx#y");
  EXPECT_EQ(RedactUrls("'https://h/?X-Amz-Signature=ab&X-Amz-Date=1&X-Amz-Security-Token=zz'"),
            "'https://h/?X-Amz-Signature=xxxxx&X-Amz-Date=1&X-Amz-Security-Token=xxxxx'");
  EXPECT_EQ(RedactUrls("https://h/#access_token=T"), "https://h/#access_token=xxxxx");
  EXPECT_EQ(RedactUrls("https://u:p@h/?TOKEN=T https://h?token"),
            "https://xxxxx:xxxxx@h/?TOKEN=xxxxx https://h?token");
}

TEST(RedactUrls, LeavesOtherTextAlone) {
  for (std::string_view text :
       {"", "no url", "https://host/path@1?x=a@b", "mail a@b.c", "tcp://h:1", "token=x",
        "http://h:5000/a@sha256:0", "http://[::1]:80/x@1", "https://h/?monkey=1&tokens=2"}) {
    EXPECT_EQ(RedactUrls(text), text);
  }
}

TEST(Base64, FollowsRfc4648) {
  EXPECT_EQ(Base64(""), "");
  EXPECT_EQ(Base64("f"), "Zg==");
  EXPECT_EQ(Base64("fo"), "Zm8=");
  EXPECT_EQ(Base64("foo"), "Zm9v");
  EXPECT_EQ(Base64("foobar"), "Zm9vYmFy");
  EXPECT_EQ(Base64("\xFB\xFF"), "+/8=");
}

TEST(FromBase64, ReadsWhatBase64Writes) {
  std::string bytes;
  for (int i = 0; i < 256; ++i) {
    EXPECT_EQ(FromBase64(Base64(bytes)), bytes);
    bytes.push_back(static_cast<char>(i));
  }
}

TEST(FromBase64, TakesMissingPaddingAndLineBreaks) {
  EXPECT_EQ(FromBase64("Zm8"), "fo");
  EXPECT_EQ(FromBase64("Zm9v\r\nYmFy\n"), "foobar");
}

TEST(FromBase64, RefusesWhatIsNotBase64) {
  for (std::string_view text : {"Z", "Zm9v!", "Zg==Zg==", "Zg=", "Z===", "Zm9v=", "Zm 9v", "-_"}) {
    EXPECT_EQ(FromBase64(text), std::nullopt) << text;
  }
}

TEST(Base64Url, HasNeitherPlusNorSlash) {
  EXPECT_EQ(Base64Url("\xFB\xFF"), "-_8=");
  EXPECT_EQ(FromBase64Url("-_8"), "\xFB\xFF");
  EXPECT_EQ(FromBase64Url(""), "");
}

TEST(FromBase64Url, RefusesEveryOtherSpelling) {
  for (std::string_view text : {"-_8=", "+/8", "-/8", "Zm9v\nZm9v", "Zm 9", "Z"}) {
    EXPECT_EQ(FromBase64Url(text), std::nullopt) << text;
  }
}

TEST(Hex, IsLowerCase) {
  EXPECT_EQ(Hex(std::string_view("\x00\xAB\xFF", 3)), "00abff");
}

TEST(PercentDecode, ResolvesEscapesOfEitherCase) {
  EXPECT_EQ(PercentDecode("a%20b%2fc%2Fd"), "a b/c/d");
  EXPECT_EQ(PercentDecode("%00%fF"), std::string("\x00\xFF", 2));
  EXPECT_EQ(PercentDecode("%2541"), "%41");
  EXPECT_EQ(PercentDecode("a+b"), "a+b");
}

TEST(PercentDecode, LeavesWhatIsNoEscapeAlone) {
  for (std::string_view text : {"", "%", "100%", "%4", "%zz", "%4z", "%-1", "% 1", "%%"}) {
    EXPECT_EQ(PercentDecode(text), text);
  }
}

TEST(Printable, ShowsWhatDeceives) {
  EXPECT_EQ(Printable("a\u202eexe.txt"), "a<U+202E>exe.txt");
  EXPECT_EQ(Printable("pay\u200bpal \u2066x\u2069"), "pay<U+200B>pal <U+2066>x<U+2069>");
  EXPECT_EQ(Printable("one\u2028two\u2029"), "one<U+2028>two<U+2029>");
  EXPECT_EQ(Printable("\ufeff\u00ad\u061c\U000E0041"), "<U+FEFF><U+00AD><U+061C><U+E0041>");
  EXPECT_EQ(Printable("\u05e9\u05dc\u05d5\u05dd"), "\u05e9\u05dc\u05d5\u05dd");
  EXPECT_EQ(Printable("\u2764\ufe0f"), "\u2764\ufe0f") << "an emoji";
  EXPECT_EQ(Printable(Printable("a\u202eb")), Printable("a\u202eb"));
}

TEST(PrintableOutput, LeavesOutWhatDeceives) {
  EXPECT_EQ(PrintableOutput("a\u202eb\u200bc\u2028d"), "abc d");
  EXPECT_EQ(PrintableOutput("\xC2\x9B\x1b\xFF"), "??\xEF\xBF\xBD");
}

}  // namespace
}  // namespace depot::text_test
