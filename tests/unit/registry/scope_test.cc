#include "driver/registry/scope.h"

#include <algorithm>

#include <gtest/gtest.h>

#include "driver/base/encode.h"
#include "driver/base/text.h"

namespace depot::registry::scope_test {
namespace {

Secret Jwt(const std::string& payload) {
  std::string body = Base64(payload);
  std::replace(body.begin(), body.end(), '+', '-');
  std::replace(body.begin(), body.end(), '/', '_');
  body.erase(std::find(body.begin(), body.end(), '='), body.end());
  return Secret(Cat("e30.", body, ".c2lnbmF0dXJl"));
}

TEST(Scope, IsTakenApart) {
  Scope scope = ParseScope("repository:host:5000/a/b:pull,push");
  EXPECT_EQ(scope.type, "repository");
  EXPECT_EQ(scope.name, "host:5000/a/b");
  EXPECT_EQ(scope.actions, (std::vector<std::string>{"pull", "push"}));
  EXPECT_TRUE(scope.pushes());
  EXPECT_TRUE(ParseScope("repository:a:*").pushes());
  for (const char* text : {"", ":", "::", "aws", "repository:a", "repository:a:pull", "x:a:push"}) {
    EXPECT_FALSE(ParseScope(text).pushes()) << text;
  }
}

TEST(MayPush, BelievesATokenThatSaysNothing) {
  const std::vector<std::string> push = {"repository:a/b:pull,push"};
  for (const Secret& token :
       {Secret("opaque"), Secret("a.b"), Secret("a.!.c"), Jwt("not json"), Jwt("{}"), Jwt("[]"),
        Jwt(R"({"access":"all"})"), Jwt(R"({"access":[{"what":"else"}]})"), Secret()}) {
    EXPECT_TRUE(MayPush(token, push)) << token.Reveal();
  }
}

TEST(MayPush, IsWhatTheAccessClaimSays) {
  struct Case {
    std::string access;
    bool may;
  };
  for (const Case& one : std::vector<Case>{
           {"[]", false},
           {"null", false},
           {R"([{"type":"repository","name":"a/b","actions":["pull"]}])", false},
           {R"([{"type":"repository","name":"a/b","actions":[]}])", false},
           {R"([{"type":"repository","name":"a/b","actions":null}])", false},
           {R"([{"type":"repository","name":"a/b/c","actions":["push"]}])", false},
           {R"([{"type":"registry","name":"a/b","actions":["push"]}])", false},
           {R"([{"type":"repository","name":"a/b","actions":["pull","push"]}])", true},
           {R"([{"type":"repository","name":"a/b","actions":["*"]}])", true},
           {R"([{"Type":"repository","Name":"a/b","Actions":["pull","push"]}])", true},
           {R"([{"Type":"repository","Name":"a/b","Actions":["pull"]}])", false},
           {R"([{"type":"repository","name":"c","actions":["pull"]},)"
            R"({"type":"repository","name":"a/b","actions":["push"]}])",
            true}}) {
    Secret token = Jwt(Cat(R"({"iss":"ÿ?>","access":)", one.access, "}"));
    EXPECT_EQ(MayPush(token, {"repository:a/b:pull,push", "repository:c:pull"}), one.may)
        << one.access;
    EXPECT_TRUE(MayPush(token, {"repository:a/b:pull"})) << "nobody asked for pushing";
  }
}

}  // namespace
}  // namespace depot::registry::scope_test
