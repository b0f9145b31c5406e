// A stranger's Dockerfile, and his ignore file behind the first line that is "\f": what flags name
// in the one, and which line of the other keeps a file away.

#include "plugin/plan/dockerfile_names.h"

#include <algorithm>
#include <memory>

#include "driver/base/text.h"
#include "driver/files/patterns.h"
#include "plugin/plan/missing_file.h"
#include "tests/fuzz/pieces.h"

namespace {

using namespace depot;
using fuzz::Expect;

bool IsPrintable(std::string_view text) {
  for (const char c : text)
    if (static_cast<unsigned char>(c) < 0x20 && c != '\t') return false;
  return true;
}

void CheckNames(const std::string& text) {
  const auto names = plan::NamesIn(text);
  options::BuildOptions options;
  options.build_args = {{"VERSION", "1"}};
  options.no_cache_filter = {"stage"};
  const auto tree = files::MakeMemoryTree({{"Dockerfile", text}});
  const auto lines = plan::DockerfileWarnings(options, *tree, "Dockerfile");
  Expect(names || lines.empty());
  for (const std::string& line : lines)
    Expect(IsPrintable(line));
  // Of UTF-16 that is all there is to say.
  if (!names || text.starts_with("\xfe\xff") || text.starts_with("\xff\xfe")) return;
  Expect(names->args.size() + names->stages.size() <= text.size());
  const bool known =
      std::find(names->args.begin(), names->args.end(), "VERSION") != names->args.end();
  Expect(known == std::none_of(lines.begin(), lines.end(), [](const std::string& line) {
           return line.find("--build-arg VERSION") != std::string::npos;
         }));
}

/// The first line is the path that is asked for.
void CheckIgnored(std::string_view text) {
  const std::string_view path = text.substr(0, text.find('\n'));
  const std::string ignored(text.substr(std::min(path.size() + 1, text.size())));
  plan::Source source;
  source.filename = "Dockerfile";
  source.trees["context"].directory = "/dev/null/none";
  std::map<std::string, std::unique_ptr<files::FileTree>> trees;
  trees["context"] = files::MakeMemoryTree({{".dockerignore", ignored}});
  const std::string why = plan::WhyMissing(path, source, trees);
  Expect(IsPrintable(why) && why.size() < 10 * (text.size() + 200));
  if (why.starts_with("line ")) {
    const auto number = ParseDecimal(why.substr(5, why.find(' ', 5) - 5));
    Expect(number && *number >= 1 && *number <= Split(ignored, '\n').size());
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const std::size_t mark = std::min(text.find("\f\n"), text.size());
  CheckNames(std::string(text.substr(0, mark)));
  if (mark < text.size()) CheckIgnored(text.substr(mark + 2));
  return 0;
}
