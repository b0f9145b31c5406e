#include <string>
#include <utility>

#include <gtest/gtest.h>

#include "tests/unit/hcl/evaluated.h"

namespace depot::hcl::scope_test {
namespace {

/// A scope of the attributes and functions of a text.
struct Defined {
  explicit Defined(const std::string& text) {
    auto body = Parse("f.hcl", text, Syntax::kNative);
    content = *body->Read({{"function", 1}});
    for (const auto& attribute : content.attributes)
      scope.Define(attribute.name, attribute.name_range,
                   [this, &attribute] { return Evaluate(attribute.value, scope); });
    for (const auto& block : content.blocks) {
      auto defined = scope.DefineFunction(block);
      if (!defined) problem = defined.error().message();
    }
    auto checked = scope.CheckFunctions();
    if (problem.empty() && !checked) problem = checked.error().message();
  }

  std::string Get(std::string_view name) {
    auto value = scope.Get(name);
    return value ? Shown(**value) : value.error().message();
  }

  Content content;
  Scope scope;
  std::string problem;
};

TEST(Scope, NamesAreMadeInAnyOrder) {
  Defined defined("a = b + 1\nb = c * 2\nc = 3\n");
  EXPECT_EQ(defined.Get("a"), "7");
  EXPECT_FALSE(*defined.scope.Get("d"));
  EXPECT_TRUE(defined.scope.Has("c"));
}

TEST(Scope, ANameThatNeedsItselfShowsTheCycle) {
  Defined defined("a = b\nb = \"${c}\"\nc = a\n");
  EXPECT_EQ(defined.Get("a"), "f.hcl:1,1-2: `a` needs itself; cycle: a -> b -> c -> a");
}

TEST(Scope, Functions) {
  Defined defined(
      "v = 10\n"
      "r = [twice(\"x\"), all(1, 2, 3), none(), plus(1)]\n"
      "function \"twice\" {\n  params = [s]\n  result = \"${s}${s}\"\n}\n"
      "function \"all\" {\n  params = [first]\n  variadic_params = rest\n  result = [first, "
      "rest]\n}\n"
      "function \"none\" {\n  params = []\n  result = \"n\"\n}\n"
      "function \"plus\" {\n  params = [x]\n  result = [for i in [1] : x + v + i][0]\n}\n"
      "function \"upper\" {\n  params = [x]\n  result = \"never\"\n}\n");
  EXPECT_EQ(defined.problem, "");
  EXPECT_EQ(defined.Get("r"), R"(["xx",[1,[2,3]],"n",12])");
  EXPECT_EQ(Shown(ValueIn("upper(\"a\")", defined.scope)), "\"A\"");
  EXPECT_EQ(Shown(ValueIn("twice()", defined.scope)),
            "error: `twice` takes 1 argument; here are 0");
  EXPECT_EQ(Shown(ValueIn("twice(null)", defined.scope)), "error: an argument of `twice` is null");
}

TEST(Scope, FunctionsAreChecked) {
  EXPECT_EQ(Defined("function \"f\" {\n  params = [x]\n  result = nosuch(x)\n}\n").problem,
            "f.hcl:3,12-18: unknown function `nosuch`");
  EXPECT_EQ(Defined("function \"f\" {\n  params = [x]\n  result = y\n}\n").problem,
            "f.hcl:3,12-13: unknown variable `y`");
  EXPECT_EQ(Defined("function \"f\" {\n  params = [x]\n  result = g(x)\n}\nfunction \"g\" {\n  "
                    "params = [x]\n  result = f(x)\n}\n")
                .problem,
            "f.hcl:1,1-11: `f` needs itself; cycle: f -> g -> f");
  EXPECT_EQ(Defined("function \"f\" {\n  result = 1\n}\n").problem,
            "f.hcl:1,1-11: function `f` is not whole; `params` is missing");
  Defined through("v = f()\nfunction \"f\" {\n  params = []\n  result = v\n}\n");
  EXPECT_NE(through.Get("v").find("needs itself"), std::string::npos);
}

TEST(Scope, AnInnerOneHides) {
  Scope outer;
  outer.Set("a", Value::String("outer"));
  outer.Set("b", Value::String("b"));
  Scope inner(outer);
  inner.Set("a", Value::String("inner"));
  EXPECT_EQ(Shown(ValueIn("[a, b]", inner)), R"(["inner","b"])");
  EXPECT_EQ(Shown(ValueIn("[for a in [1] : a]", inner)), "[1]");
}

TEST(Scope, ReferencesAreResolved) {
  Scope scope;
  scope.Resolve("target", [](const Reference& reference) -> Result<Resolved> {
    if (reference.steps.size() < 2)
      return Fail(ErrorCode::kInvalid, "name a target and a field of it");
    if (reference.steps[0].AsString() != "app")
      return Fail(ErrorCode::kInvalid,
                  "there is no target `" + reference.steps[0].AsString() + "`");
    return Resolved{Value::Object({{"X", reference.steps[1]}}), 2};
  });
  EXPECT_EQ(Shown(ValueIn("target.app.args.X", scope)), "\"args\"");
  EXPECT_EQ(Shown(ValueIn("target[\"app\"].args[\"X\"]", scope)), "\"args\"");
  EXPECT_EQ(Shown(ValueIn("target", scope)),
            "error: `target` has no such part; name a target and a field of it");
  EXPECT_EQ(Shown(ValueIn("target.nosuch.tags", scope)),
            "error: `target` has no such part; there is no target `nosuch`");
  EXPECT_EQ(Shown(ValueIn("targt.app", scope)),
            "error: unknown variable `targt`; did you mean `target`?");
}

TEST(Scope, NamesThatDoubleAreStopped) {
  std::string text = "v0 = \"xxxxxxxxxxxxxxxx\"\n";
  for (int step = 1; step < 60; ++step) {
    auto before = "v" + std::to_string(step - 1);
    text += "v" + std::to_string(step) + " = \"${" + before + "}${" + before + "}\"\n";
  }
  EXPECT_NE(Defined(text).Get("v59").find("too large"), std::string::npos);
  std::string lists = "v0 = [1]\n";
  for (int step = 1; step < 60; ++step) {
    auto before = "v" + std::to_string(step - 1);
    lists += "v" + std::to_string(step) + " = [" + before + ", " + before + "]\n";
  }
  EXPECT_NE(Defined(lists).Get("v59").find("too large"), std::string::npos);
}

TEST(Scope, AChainOfNamesMayBeLongButNotEndless) {
  std::string text = "v0 = 1\n";
  for (int step = 1; step <= 20'000; ++step)
    text += "v" + std::to_string(step) + " = v" + std::to_string(step - 1) + "\n";
  Defined defined(text);
  EXPECT_EQ(defined.Get("v100"), "1");
  EXPECT_NE(defined.Get("v20000").find("nested too deep"), std::string::npos);
}

TEST(Scope, TypesAreExpressions) {
  auto type = [](const std::string& text) {
    auto body = Parse("f.hcl", "t = " + text + "\n", Syntax::kNative);
    auto parsed = ParseType(body->Read({})->attributes.front().value);
    return parsed ? parsed->Name() : parsed.error().message();
  };
  EXPECT_EQ(type("list(string)"), "list of string");
  EXPECT_EQ(type("\"set(number)\""), "set of number");
  EXPECT_EQ(type("map(list(bool))"), "map of list of bool");
  EXPECT_EQ(type("object({ a = string, b = optional(number) })"), "object");
  EXPECT_EQ(type("tuple([string])"), "tuple");
  EXPECT_EQ(type("strin"), "f.hcl:1,5-10: `strin` is no type; did you mean `string`?");
  EXPECT_EQ(type("object({ a = optional(string, \"d\") })").find("f.hcl:1,18"), 0U);
}

}  // namespace
}  // namespace depot::hcl::scope_test
