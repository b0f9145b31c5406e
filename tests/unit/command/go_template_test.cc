#include "plugin/command/go_template.h"

#include <gtest/gtest.h>

#include "driver/base/text.h"

namespace depot::command::go_template_test {
namespace {

std::string Filled(std::string_view text, std::string_view data) {
  Result<GoTemplate> format = GoTemplate::Parse(text);
  if (!format) return "! " + format.error().message();
  Result<std::string> filled =
      format->Run(*Json::Parse(data), [](const Json& json) { return json.Dump(); });
  return filled ? *filled : "! " + filled.error().message();
}

constexpr std::string_view kData =
    R"({"name":"n","manifest":{"digest":"d","manifests":[{"os":"a"},{"os":"b"}]},
        "image":{"linux/amd64":{"config":{"Cmd":["x","y"]}}},"zero":0,"os.version":"v"})";

TEST(GoTemplate, FieldsAreFoundAsGoNamesThem) {
  EXPECT_EQ(Filled("{{.Name}} {{ .Manifest.Digest }} {{.OSVersion}}", kData), "n d v");
  EXPECT_EQ(Filled("{{json .Manifest.Digest}}", kData), "\"d\"");
  EXPECT_EQ(Filled("{{.Nmae}}", kData), "! --format: there is no field .Nmae");
  EXPECT_EQ(Filled("[{{.Manifest.Annotations}}]", kData), "[]");
}

TEST(GoTemplate, RangeIfWithAndVariables) {
  EXPECT_EQ(Filled("{{range .Manifest.Manifests}}{{.OS}};{{end}}", kData), "a;b;");
  EXPECT_EQ(
      Filled("{{range $i, $m := .Manifest.Manifests}}{{if $i}},{{end}}{{$m.OS}}{{end}}", kData),
      "a,b");
  EXPECT_EQ(Filled("{{range $p, $i := .Image}}{{$p}} {{$i.Config.Cmd}}{{end}}", kData),
            "linux/amd64 [x y]");
  EXPECT_EQ(Filled("{{if .Zero}}yes{{else if eq .Name \"n\"}}n{{else}}no{{end}}", kData), "n");
  EXPECT_EQ(Filled("{{with .Manifest}}{{.Digest}}{{$.Name}}{{end}}", kData), "dn");
  EXPECT_EQ(Filled("{{$x := .Name}}{{$x}}{{$x}}", kData), "nn");
  EXPECT_EQ(Filled("{{range .Manifest.Annotations}}x{{else}}none{{end}}", kData), "none");
}

TEST(GoTemplate, FunctionsAndPipes) {
  EXPECT_EQ(Filled("{{(index .Image \"linux/amd64\").Config.Cmd}}", kData), "[x y]");
  EXPECT_EQ(Filled("{{join (index .Image \"linux/amd64\").Config.Cmd \"-\" | upper}}", kData),
            "X-Y");
  EXPECT_EQ(Filled("{{len .Manifest.Manifests | printf \"%d of %q\"}}", kData),
            "! --format: printf: has too few arguments");
  EXPECT_EQ(Filled("{{printf \"%s=%v\" .Name 3}}", kData), "n=3");
  EXPECT_EQ(Filled("{{index .Manifest.Manifests 7}}", kData),
            "! --format: index: there is no element 7 of 2");
  EXPECT_EQ(Filled("{{and .Name (not .Zero)}}", kData), "true");
}

TEST(GoTemplate, BlanksAndQuotes) {
  EXPECT_EQ(Filled("a {{- .Name -}}  b{{/* c */}}c", kData), "anbc");
  EXPECT_EQ(Filled("{{\"}}\"}}{{`\\n`}}{{\"\\n\"}}", kData), "}}\\n\n");
}

TEST(GoTemplate, MalformedOnesAreRefused) {
  for (std::string_view text : {"{{", "{{.A", "{{if .A}}", "{{end}}", "{{else}}", "{{nope .A}}",
                                "{{(.A}}", "{{.A)}}", "{{\"}}", "{{.A | }}", "{{#}}"}) {
    EXPECT_TRUE(Filled(text, kData).starts_with("! --format: the template is malformed")) << text;
  }
  EXPECT_TRUE(Filled(std::string(5000, '(').insert(0, "{{"), kData).starts_with("! "));
}

TEST(GoTemplate, DataCanDoNothingToATerminal) {
  EXPECT_EQ(Filled("{{.A}}", R"({"A":"x\u001b[2J\ny"})"), "x?[2J\ny");
}

}  // namespace
}  // namespace depot::command::go_template_test
