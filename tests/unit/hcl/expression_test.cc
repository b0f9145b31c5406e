#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "tests/unit/hcl/evaluated.h"

namespace depot::hcl::expression_test {
namespace {

using Table = std::vector<std::pair<std::string, std::string>>;

void ExpectAll(const Table& table) {
  for (const auto& [expression, result] : table)
    EXPECT_EQ(Evaluated(expression), result) << expression;
}

TEST(Expression, Operators) {
  ExpectAll({
      {"1 + 2 * 3", "7"},
      {"(1 + 2) * 3", "9"},
      {"7 / 2", "3.5"},
      {"-7 % 3", "-1"},
      {"2 - -2", "4"},
      {"10 / 4 * 2", "5"},
      {"10 - 4 - 3", "3"},
      {"1 + \"2\"", "3"},
      {"5 > 3 && 2 >= 2", "true"},
      {"!(1 == 2) || false", "true"},
      {"1 == \"1\"", "false"},
      {"[1] == [1]", "true"},
      {"null == null", "true"},
      {"1 / 3 * 3", "1"},
      {"0.1 + 0.2 == 0.3", "true"},
      {"\"a\" < \"b\"", "error: `<` needs numbers; this is a string"},
      {"1 + null", "error: `+` needs numbers; this is null"},
      {"true && 1", "error: true or false is needed; this is a number"},
      {"0 / 0", "error: this has no result; `/` of these numbers"},
  });
}

TEST(Expression, NumbersAsText) {
  ExpectAll({
      {"\"${1.0} ${1.50} ${1e3} ${1.5e-3} ${-0.5}\"", "\"1 1.5 1000 0.0015 -0.5\""},
      {"\"=${1e21}\"", "\"=1000000000000000000000\""},
      {"12345678.875", "12345678.875"},
      {"\"${1 / 0} ${-1 / 0}\"", "\"+Inf -Inf\""},
      {"1e20000", "error: number too large"},
      {"100000000000000000000 * 100000000000000000000 + 1",
       "10000000000000000000000000000000000000001"},
  });
  EXPECT_EQ(Evaluated("2 / 3"), "0." + std::string(153, '6') + "7");
}

TEST(Expression, Conditionals) {
  ExpectAll({
      {"true ? 1 : \"a\"", "\"1\""},
      {"true ? null : \"x\"", "null"},
      {"1 > 2 ? \"gt\" : 3 > 2 ? \"ok\" : \"no\"", "\"ok\""},
      {"true ? [1] : [\"a\", \"b\"]", "[\"1\"]"},
      {"\"true\" ? \"t\" : \"f\"", "\"t\""},
      {"true ? \"fine\" : [][1]", "\"fine\""},
      {"true ? { a = 1 } : { b = \"x\" }", "{\"a\":1}"},
      {"true ? 1 : false",
       "error: the two results of the condition are of different types; number and bool: both must "
       "convert to one type"},
  });
}

TEST(Expression, Templates) {
  ExpectAll({
      {R"("x${1 + 1}y${true}")", R"("x2ytrue")"},
      {R"("%{ if 1 < 2 }yes%{ else }no%{ endif }")", R"("yes")"},
      {R"("%{ for k, v in { b = 1, a = 2 } }${k}=${v};%{ endfor }")", R"("a=2;b=1;")"},
      {R"("%{ for x in ["p", "q"] ~}  ${x} %{~ endfor }")", R"("pq")"},
      {R"("$${no} %%{no} $ % $x %y $$ %%")", R"("${no} %{no} $ % $x %y $$ %%")"},
      {R"("a ${~ "b" ~} c")", R"("abc")"},
      {R"("${[1, 2]}")", "[1,2]"},
      {R"("${"nested ${"deep"}"}")", R"("nested deep")"},
      {R"("\u00e9\U0001F600")", "\"\u00e9\U0001F600\""},
      {R"("%{ if false }x%{ endif }")", R"("")"},
      {R"("a${null}")",
       "error: null cannot be part of a text; give it another value, as with coalesce(x, \"\")"},
      {R"("a${[]}")",
       "error: a tuple cannot be part of a text; jsonencode() or join() make a text of it"},
      {R"("a\q")",
       R"(error: invalid escape; known are \n \r \t \" \\ \uXXXX \UXXXXXXXX; a backslash is \\)"},
      {R"("%{ if true }a")", "error: directive without end; `%{ endif }` is missing"},
      {R"("%{ endif }a")",
       "error: directive without begin; there is no `%{ if` or `%{ for` that it belongs to"},
      {"\"a", "error: text without end; a closing `\"` is missing on this line"},
      {"\"e\u0301\"", "\"\u00e9\""},
  });
}

TEST(Expression, Heredocs) {
  ExpectAll({
      {"<<EOT\n  two\n    \"q\" \\n ${1}\nEOT", R"("  two\n    \"q\" \\n 1\n")"},
      {"<<-EOT\n    four\n  two\n\n    $${V}\n  EOT", R"("  four\ntwo\n\n  ${V}\n")"},
      {"<<-X\n  %{ for i in [1, 2] ~}\n  line ${i}\n  %{ endfor ~}\n  end\nX",
       R"("  line 1\n  line 2\n  end\n")"},
      {"<<EOT\na\n", "error: text without end; a line `EOT` is missing"},
  });
}

TEST(Expression, Collections) {
  ExpectAll({
      {"[for s in [\"a\", \"b\"] : upper(s)]", R"(["A","B"])"},
      {"[for k, v in { b = 1, a = 2 } : \"${k}${v}\"]", R"(["a2","b1"])"},
      {"{ for s in [\"ax\", \"ay\", \"b\"] : substr(s, 0, 1) => s... }",
       R"({"a":["ax","ay"],"b":["b"]})"},
      {"{ for s in [\"a\", \"a\"] : s => 1 }",
       "error: the key `a` comes twice; `...` after the value makes lists of them"},
      {"[for s in setunion([\"b\"], [\"a\"]) : s]", R"(["a","b"])"},
      {"[for s in [1, 2, 3] : s if s > 1]", "[2,3]"},
      {"[{ n = 1 }, { n = 2 }][*].n", "[1,2]"},
      {"[{ n = [1] }, { n = [2] }].*.n[0]", "[1]"},
      {"{ n = 1 }[*].n", "[1]"},
      {"null[*]", "[]"},
      {"[{ n = \"x\" }].0.n", "\"x\""},
      {"[[1, 2], [3]].0.1", "2"},
      {"{ \"a-b\" = { c = 1 } }[\"a-b\"].c", "1"},
      {"{ a = 1, a = 2, null = 3, 5 = 4, (\"k\") = 5, \"${1}x\" : 6 }",
       R"({"1x":6,"5":4,"a":2,"k":5,"null":3})"},
      {"{\n a = 1\n b = 2, \n}", R"({"a":1,"b":2})"},
      {"{ a.b = 1 }", "error: ambiguous key; write \"a.b\" for the text, or (a.b) for its value"},
      {"[1][5]", "error: there is no element 5; the tuple has 1"},
      {"{ name = 1 }.nam", "error: there is no `nam` in this object; did you mean `name`?"},
      {"null.a", "error: null has no parts; the value before this is null"},
      {"(\n 1\n + 2\n)", "3"},
      {"max([1, 3, 2]...)", "3"},
      {"[\n \"a\", // c\n \"b\", /* d */\n]", R"(["a","b"])"},
  });
}

TEST(Expression, ErrorsNameWhatIsThere) {
  ExpectAll({
      {"nosuch", "error: unknown variable `nosuch`"},
      {"uper(\"a\")", "error: unknown function `uper`; did you mean `upper`?"},
      {"upper()", "error: `upper` failed; it takes 1 argument, here are 0"},
      {"upper(null)", "error: `upper` failed; argument 1: must not be null"},
      {"1 +", "error: an expression expected; found the end of the line"},
      {"[1", "error: `,` or `]` expected; found the end of the text"},
      {"1 @", "error: invalid character; `@` has no meaning here"},
      {"/* x", "error: comment without end; `*/` is missing"},
  });
}

TEST(Expression, ConvertsAndTries) {
  ExpectAll({
      {"convert(\"5\", number)", "5"},
      {"convert([\"b\", 2, \"b\"], set(string))", R"(["2","b"])"},
      {"convert({ a = 1, b = 2 }, object({ a = string, c = optional(number) }))",
       R"({"a":"1","c":null})"},
      {"length(convert({ a = 1 }, map(number)))", "1"},
      {"convert([1, \"a\"], tuple([string, string]))", R"(["1","a"])"},
      {"convert(\"x\", number)", "error: `convert` failed; a number is required"},
      {"convert(1, strin)", "error: `strin` is no type; did you mean `string`?"},
      {"try({ a = 1 }.b, \"none\")", "\"none\""},
      {"try(nothere, null, \"z\")", "null"},
      {"can(regex(\"x\", \"abc\"))", "false"},
      {"can(upper(\"a\"))", "true"},
  });
}

std::string Repeated(const std::string& text, std::size_t count) {
  std::string out;
  for (std::size_t index = 0; index < count; ++index)
    out += text;
  return out;
}

TEST(Expression, IsBounded) {
  auto starts = [](const std::string& expression, std::string_view gist) {
    auto shown = Evaluated(expression);
    EXPECT_TRUE(shown.starts_with("error: ") && shown.find(gist) != std::string::npos)
        << expression.substr(0, 60) << " gave " << shown.substr(0, 200);
  };
  starts(Repeated("(", 100'000), "nested too deep");
  starts(Repeated("!", 100'000) + "true", "nested too deep");
  starts(Repeated("[", 100'000), "nested too deep");
  starts(Repeated("{a=", 100'000), "nested too deep");
  starts("1" + Repeated("+1", 100'000), "nested too deep");
  starts("a" + Repeated(".b", 100'000), "nested too deep");
  starts("[1]" + Repeated("[0]", 100'000), "nested too deep");
  starts(Repeated("\"${", 100'000), "nested too deep");
  starts("\"" + Repeated("%{ if true }", 10'000) + "\"", "nested too deep");
  starts(
      "replace(replace(format(\"%60000s\", \"\"), \" \", format(\"%1000s\", \"\")), \" \", \"aa\")",
      "too large");
  starts("[for a in range(1000) : [for b in range(1000) : [for c in range(1000) : 1]]]",
         "too large");
  starts("setproduct(range(1000), range(1000), range(1000))", "1,000,000");
  starts(
      "try([for a in range(1000) : [for b in range(1000) : length([for c in range(99) : 1])]], "
      "\"caught\")",
      "takes too much to evaluate");
  starts("format(\"%999999999d\", 1)", "too large");
  starts("bcrypt(\"a\", 31)", "from 4 to 15");
}

}  // namespace
}  // namespace depot::hcl::expression_test
