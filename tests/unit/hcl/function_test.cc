#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "tests/unit/hcl/evaluated.h"

namespace depot::hcl::function_test {
namespace {

using Table = std::vector<std::pair<std::string, std::string>>;

void ExpectAll(const Table& table) {
  for (const auto& [expression, result] : table)
    EXPECT_EQ(Evaluated(expression), result) << expression;
}

TEST(Function, Text) {
  ExpectAll({
      {"upper(\"a\u00e9\u00df\")", "\"A\u00c9\u00df\""},
      {"title(\"hello wORLD\")", "\"Hello WORLD\""},
      {"strlen(\"a\u00f1b\")", "3"},
      {"reverse(\"a\u00f1b\")", "\"b\u00f1a\""},
      {"substr(\"hello\", -3, 2)", "\"ll\""},
      {"substr(\"hello\", 10, 2)", "\"\""},
      {"join(\"-\", [\"a\", 1], [true])", "\"a-1-true\""},
      {"split(\",\", \"\")", "[\"\"]"},
      {"split(\"\", \"ab\")", "[\"a\",\"b\"]"},
      {"replace(\"abc\", \"\", \"-\")", "\"-a-b-c-\""},
      {"replace(\"a.b\", \".\", \"/\")", "\"a/b\""},
      {"trim(\"?!hi?!\", \"!?\")", "\"hi\""},
      {"trimspace(\" \\t a\\n \")", "\"a\""},
      {"chomp(\"a\\n\\r\\n\")", "\"a\""},
      {"indent(2, \"a\\nb\")", "\"a\\n  b\""},
      {"[basename(\"/a/b/\"), dirname(\"/a/b/\"), basename(\"\"), dirname(\"a\")]",
       R"(["b","/a/b",".","."])"},
      {"sanitize(\"a.b/c d-_\U0001F355\")", "\"a_b_c_d-__\""},
  });
}

TEST(Function, Format) {
  ExpectAll({
      {"format(\"%05.2f|%x|%X|%o|%b\", 1.5, 255, 255, 8, 5)", "\"01.50|ff|FF|10|101\""},
      {"format(\"%q %t %%\", \"q\", true)", R"("\"q\" true %")"},
      {"format(\"%v %v %v\", [1, \"a\"], { a = 1 }, null)", R"("[1,\"a\"] {\"a\":1} null")"},
      {"format(\"%5s|%-5s|%05d|%+d\", \"a\", \"b\", 7, 7)", "\"    a|b    |00007|+7\""},
      {"format(\"%[2]s %[1]s\", \"a\", \"b\")", "\"b a\""},
      {"format(\"%e %g %g\", 1234.5, 0.00001, 1234567)", "\"1.234500e+03 1e-05 1.234567e+06\""},
      {"format(\"%.0f %.0f %.3f %.2f\", 0.5, 1.5, 0.0004, 9.999)", "\"0 2 0.000 10.00\""},
      {"format(\"%.3s|%8.3f\", \"abcdef\", 3.14159)", "\"abc|   3.142\""},
      {"format(\"%d\", 1.5)", "error: `format` failed; a whole number is required"},
      {"format(\"%s\", null)", "error: `format` failed; null cannot be written as `%s`"},
      {"format(\"%s\")", "error: `format` failed; the format needs a value 1, here are 0"},
      {"format(\"a\", 1)", "error: `format` failed; the format uses 0 of 1 values"},
      {"formatlist(\"%s=%d\", [\"a\", \"b\"], [1, 2])", R"(["a=1","b=2"])"},
      {"formatlist(\"%s-%s\", [\"a\", \"b\"], \"x\")", R"(["a-x","b-x"])"},
      {"formatlist(\"hi\")", R"(["hi"])"},
  });
}

TEST(Function, Numbers) {
  ExpectAll({
      {"[absolute(-3.5), ceil(1.2), ceil(-1.2), floor(-1.2), int(-1.7), signum(-5)]",
       "[3.5,2,-1,-2,-1,-1]"},
      {"[max(1, 3, \"2\"), min(4, 2), modulo(7, -3), modulo(5.5, 2), pow(2, 10), log(8, 2)]",
       "[3,2,1,1.5,1024,3]"},
      {"[parseint(\"ff\", 16), parseint(\"-101\", 2), parseint(\"zz\", 36), parseint(\"Z\", 62)]",
       "[255,-5,1295,61]"},
      {"[range(3), range(4, 1), range(0, 10, 3), range(-2)]", "[[0,1,2],[4,3,2],[0,3,6,9],[0,-1]]"},
      {"range(0, 10, -1)", "error: `range` failed; the step leads away from the end"},
      {"range(2000)", "error: `range` failed; it makes at most 1024 values"},
      {"parseint(12, 10)",
       "error: `parseint` failed; the first argument must be a text, not number"},
      {"[and(true, false), or(false, true), not(true), equal(1, \"1\"), notequal(\"a\", \"b\")]",
       "[false,true,false,false,true]"},
      {"coalesce(null, 1, \"b\")", "\"1\""},
      {"coalesce(null, \"\", \"b\")", "\"\""},
  });
}

TEST(Function, Lists) {
  ExpectAll({
      {"concat([\"a\"], [\"b\", 1])", R"(["a","b",1])"},
      {"compact([\"a\", \"\", null, \"b\"])", R"(["a","b"])"},
      {"distinct([1, \"1\", \"a\"])", R"(["1","a"])"},
      {"chunklist([\"a\", \"b\", \"c\"], 2)", R"([["a","b"],["c"]])"},
      {"chunklist([\"a\", \"b\"], 0)", R"([["a","b"]])"},
      {"flatten([[\"a\"], [[\"b\"], \"c\"], []])", R"(["a","b","c"])"},
      {"[element([\"a\", \"b\"], 3), element([\"a\", \"b\"], -1)]", R"(["b","b"])"},
      {"index([\"a\"], 3)", "error: `index` failed; there is no element of that index"},
      {"index({ a = 1 }, \"a\")", "error: `index` failed; a list or a map is required, not object"},
      {"length({ a = 1 })", "error: `length` failed; a list or a map is required, not object"},
      {"[contains([1], \"1\"), indexof([\"a\", \"b\"], \"b\"), hasindex([\"a\"], 1)]",
       "[false,1,false]"},
      {"slice([\"a\", \"b\", \"c\"], 1, 3)", R"(["b","c"])"},
      {"sort([3, 10])", R"(["10","3"])"},
      {"[setunion([\"b\", \"a\"], [\"c\", \"a\"]), setsubtract([\"a\", \"b\"], [\"b\"])]",
       R"([["a","b","c"],["a"]])"},
      {"[setintersection([\"a\", \"b\"], [\"b\"]), setsymmetricdifference([\"a\", \"b\"], [\"b\", "
       "\"c\"])]",
       R"([["b"],["a","c"]])"},
      {"setproduct([\"a\", \"b\"], [\"x\", \"y\"])",
       R"([["a","x"],["a","y"],["b","x"],["b","y"]])"},
      {"coalescelist([], [\"a\"])", R"(["a"])"},
      {"reverselist([1, 2])", "[2,1]"},
  });
}

TEST(Function, Maps) {
  ExpectAll({
      {"[keys({ b = 1, a = 2 }), values({ b = 1, a = 2 })]", R"([["a","b"],[2,1]])"},
      {"[lookup({ a = \"1\" }, \"a\", \"z\"), lookup({ a = \"1\" }, \"b\", \"z\")]",
       R"(["1","z"])"},
      {"merge({ a = { x = 1 } }, null, { a = { y = 2 } })", R"({"a":{"y":2}})"},
      {"merge()", "{}"},
      {"zipmap([\"a\", \"b\"], [1, \"x\"])", R"({"a":1,"b":"x"})"},
  });
}

TEST(Function, Encodings) {
  ExpectAll({
      {"[base64encode(\"h\u00e9\"), base64decode(\"aGk=\")]", R"(["aMOp","hi"])"},
      {"urlencode(\"a b&c/\u00e9+\")", "\"a+b%26c%2F%C3%A9%2B\""},
      {"jsondecode(\"{\\\"a\\\":[1,null,true,1.50]}\")", R"({"a":[1,null,true,1.5]})"},
      {"jsonencode({ b = 1, a = [true, null, \"<&>\"] })",
       R"("{\"a\":[true,null,\"\\u003c\\u0026\\u003e\"],\"b\":1}")"},
      {"csvdecode(\"a,b\\n1,\\\"x,\\\"\\\"y\\\"\\r\\n\")", R"([{"a":"1","b":"x,\"y"}])"},
      {"csvdecode(\"a,a\\n1,2\\n\")", "error: `csvdecode` failed; two columns have one name"},
      {"[md5(\"a\"), sha1(\"a\")]",
       R"(["0cc175b9c0f1b6a831c399e269772661","86f7e437faa5a7fce15d1ddcb9eaeaea377667b8"])"},
      {"sha256(\"a\")", R"("ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb")"},
      {"strlen(sha512(\"a\"))", "128"},
      {"uuidv5(\"dns\", \"example.com\")", R"("cfbff0d1-9375-5685-968c-48ce8b15ae17")"},
      {"uuidv5(\"6ba7b810-9dad-11d1-80b4-00c04fd430c8\", \"example.com\")",
       R"("cfbff0d1-9375-5685-968c-48ce8b15ae17")"},
      {"[strlen(uuidv4()), strlen(bcrypt(\"a\", 4))]", "[36,60]"},
      {"jsondecode(\"{\")",
       "error: `jsondecode` failed; no JSON: a name in quotes is expected here (byte 1)"},
  });
}

TEST(Function, Patterns) {
  ExpectAll({
      {"regex(\"[0-9]+\", \"ab12c34\")", "\"12\""},
      {"regex(\"(a)|(b)\", \"b\")", R"([null,"b"])"},
      {"regex(\"(?P<n>[a-z]+)-(?P<v>[0-9]+)\", \"ab-12\")", R"({"n":"ab","v":"12"})"},
      {"regexall(\"(.)=(.)\", \"a=1,b=2\")", R"([["a","1"],["b","2"]])"},
      {"regexall(\"x*\", \"ab\")", R"(["","",""])"},
      {"regex_replace(\"v1.2.3\", \"([0-9]+)\\\\.([0-9]+)\", \"$2.$1\")", "\"v2.1.3\""},
      {"regex_replace(\"Foo\", \"(?i)f\", \"$${0}x\")", "\"Fxoo\""},
      {"regex_replace(\"abc\", \"b\", \"$1x\")", "\"ac\""},
      {"regex_replace(\"abc\", \"x*\", \"-\")", "\"-a-b-c-\""},
      {"regex(\"(\", \"a\")", "error: `regex` failed; the pattern is wrong: missing ): ("},
      {"regex(\"x\", \"a\")", "error: `regex` failed; the pattern does not match"},
      {"can(regex(\"(a*)*b\", \"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"))", "false"},
  });
}

TEST(Function, Times) {
  ExpectAll({
      {"formatdate(\"EEEE, DD-MMM-YY hh:mm:ss ZZZ\", \"2024-02-03T14:05:06+02:00\")",
       R"("Saturday, 03-Feb-24 14:05:06 +0200")"},
      {"formatdate(\"h:m:s AA H aa D M MMMM EEE ZZZZ ZZZZZ\", \"2024-02-03T14:05:06+02:00\")",
       R"("14:5:6 PM 2 pm 3 2 February Sat +0200 +02:00")"},
      {"formatdate(\"YYYY-MM-DD'T'hh:mm:ssZ\", \"2024-02-03T04:05:06Z\")",
       R"("2024-02-03T04:05:06Z")"},
      {"formatdate(\"QQ\", \"2024-02-03T04:05:06Z\")",
       "error: `formatdate` failed; `QQ` means nothing in a date format; text stands in '...'"},
      {"formatdate(\"YYYY\", \"2024-02-30T04:05:06Z\")",
       "error: `formatdate` failed; \"2024-02-30T04:05:06Z\" is no time like 2006-01-02T15:04:05Z "
       "(RFC 3339)"},
      {"timeadd(\"2024-01-01T00:00:00Z\", \"36h30m\")", R"("2024-01-02T12:30:00Z")"},
      {"timeadd(\"2024-01-01T00:00:00+02:00\", \"-1s\")", R"("2023-12-31T23:59:59+02:00")"},
      {"strlen(timestamp())", "20"},
      {"formattimestamp(\"YYYY X\", 1690328596)", R"("2023 1690328596")"},
      {"formattimestamp(\"DD\", \"2024-02-03T04:05:06Z\")", R"("03")"},
      {"unixtimestampparse(1690328596).rfc3339", R"("2023-07-25T23:43:16Z")"},
      {"[for k in [\"year_day\", \"weekday\", \"iso_year\", \"iso_week\", \"month_name\"] : "
       "unixtimestampparse(1690328596)[k]]",
       R"([206,2,2023,30,"July"])"},
  });
}

TEST(Function, Addresses) {
  ExpectAll({
      {"[cidrhost(\"10.0.0.0/8\", 5), cidrhost(\"10.0.0.0/30\", -1), cidrhost(\"fd00::/16\", 257)]",
       R"(["10.0.0.5","10.0.0.3","fd00::101"])"},
      {"[cidrnetmask(\"172.16.0.0/12\"), cidrnetmask(\"fd00::/16\")]",
       R"(["255.240.0.0","ffff::"])"},
      {"[cidrsubnet(\"10.0.0.0/8\", 8, 2), cidrsubnet(\"fd00::/16\", 4, 3)]",
       R"(["10.2.0.0/16","fd00:3000::/20"])"},
      {"cidrsubnets(\"10.0.0.0/8\", 8, 8, 4)", R"(["10.0.0.0/16","10.1.0.0/16","10.16.0.0/12"])"},
      {"cidrsubnets(\"10.0.0.0/8\", 1, 1, 1)",
       "error: `cidrsubnets` failed; 10.0.0.0/8 has no room for all of them"},
      {"cidrhost(\"10.0.0.0/30\", 4)",
       "error: `cidrhost` failed; there is no host 4 in 10.0.0.0/30"},
  });
}

TEST(Function, Versions) {
  struct Case {
    const char* version;
    const char* constraint;
    bool holds;
  };
  for (const Case& one : std::vector<Case>{
           {"1.2.3", "1.2.3", true},
           {"v1.2.3+build", "=1.2.3", true},
           {"1.2.3", "!= 1.2.3", false},
           {"1.2.4", "!=1.2", false},
           {"1.3.0", "!=1.2", true},
           {"1.2.9", ">1.2", false},
           {"1.3.0", ">1.2", true},
           {"1.2.9", "<=1.2", true},
           {"1.3.0", "<=1.2", false},
           {"1.10.0", ">= 1.9, < 2", true},
           {"2.0.0", ">=1.9 <2", false},
           {"2.0.0", "<1 || >=2", true},
           {"1.5.0", "1.2 - 1.5", true},
           {"1.6.0", "1.2 - 1.5", false},
           {"1.2.9", "~1.2.3", true},
           {"1.3.0", "~1.2.3", false},
           {"1.9.0", "~1", true},
           {"1.9.0", "1.x", true},
           {"1.9.0", "1.8.*", false},
           {"7.1.0", "*", true},
           {"1.9.0", "^1.2.3", true},
           {"2.0.0", "^1.2.3", false},
           {"0.2.9", "^0.2.3", true},
           {"0.3.0", "^0.2.3", false},
           {"0.0.4", "^0.0.3", false},
           {"0.9.0", "^0", true},
           {"1.2.3-rc.1", ">=1.0.0", false},
           {"1.2.3-rc.2", ">=1.2.3-rc.1", true},
           {"1.2.3-rc.10", ">1.2.3-rc.9", true},
           {"1.2.3", ">1.2.3-rc.9", true},
       }) {
    EXPECT_EQ(
        Evaluated("semvercmp(\"" + std::string(one.version) + "\", \"" + one.constraint + "\")"),
        one.holds ? "true" : "false")
        << one.version << " " << one.constraint;
  }
  ExpectAll({
      {"semvercmp(\"one\", \"1\")", "error: `semvercmp` failed; \"one\" is no version like 1.2.3"},
      {"semvercmp(\"1.0\", \"=>>1\")",
       "error: `semvercmp` failed; \"=>>1\" is no condition on a version like >= 1.2"},
      {"byteslen(\"a\")", "error: `byteslen` failed; bytes are required, and nothing makes them"},
  });
}

TEST(Function, HomeIsWhatTheScopeSays) {
  Scope scope;
  EXPECT_EQ(Shown(ValueIn("homedir()", scope)), "error: `homedir` failed; HOME is not set");
  scope.SetHome("/home/someone");
  Scope inner(scope);
  EXPECT_EQ(Shown(ValueIn("homedir()", inner)), "\"/home/someone\"");
}

}  // namespace
}  // namespace depot::hcl::function_test
