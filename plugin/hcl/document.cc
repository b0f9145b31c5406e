#include "plugin/hcl/document.h"

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <unistr.h>

#include "driver/base/text.h"
#include "plugin/hcl/body.h"

namespace depot::hcl {

namespace {

constexpr std::size_t kLargestFile = std::size_t{64} << 20U;

Result<> CheckLabels(const Block& block, std::size_t wanted) {
  if (block.labels.size() < wanted)
    return Fail(ErrorAt(block.header, Cat("`", block.type, "` needs a name"),
                        Cat("write ", block.type, " \"NAME\" {")));
  if (block.labels.size() > wanted)
    return Fail(ErrorAt(block.label_ranges[wanted], Cat("`", block.type, "` has a name too many"),
                        wanted == 0 ? "it takes none" : "it takes one"));
  return {};
}

}  // namespace

Range Expression::range() const {
  return node_ ? node_->range : Range();
}

const Attribute* Content::Find(std::string_view name) const {
  auto found = std::find_if(attributes.begin(), attributes.end(),
                            [name](const Attribute& one) { return one.name == name; });
  return found == attributes.end() ? nullptr : &*found;
}

Result<Content> Body::Read(const std::vector<BlockType>& types) const {
  if (!syntax_) return Content();
  if (syntax_->json) return ReadJsonBody(*syntax_, types);
  Content out{syntax_->attributes, {}, {}};
  out.blocks.reserve(syntax_->blocks.size());
  for (const auto& block : syntax_->blocks) {
    auto type = std::find_if(types.begin(), types.end(),
                             [&block](const BlockType& one) { return one.type == block.type; });
    if (type == types.end()) {
      out.unread.push_back(block.type);
      continue;
    }
    TRY(CheckLabels(block, type->labels));
    out.blocks.push_back(block);
  }
  return out;
}

Result<Body> Parse(std::string name, std::string text, Syntax syntax) {
  if (text.size() > kLargestFile) return Fail(ErrorCode::kInvalid, name + ": larger than 64 MiB");
  if (text.starts_with("\xEF\xBB\xBF")) text.erase(0, 3);
  auto source = std::make_shared<const Source>(Source{std::move(name), std::move(text)});
  const auto* begin = reinterpret_cast<const std::uint8_t*>(source->text.data());
  if (const auto* bad = u8_check(begin, source->text.size())) {
    auto at = static_cast<std::size_t>(bad - begin);
    return Fail(ErrorAt({source, at, at}, "no UTF-8", "save the file in this encoding"));
  }
  return syntax == Syntax::kJson ? ParseJsonBody(source) : ParseNative(source);
}

Result<Content> ReadAll(const std::vector<Body>& files, const std::vector<BlockType>& types) {
  Content out;
  std::map<std::string, std::size_t> places;
  for (const auto& file : files) {
    TRY_ASSIGN(auto content, file.Read(types));
    for (auto& attribute : content.attributes) {
      auto [found, added] = places.emplace(attribute.name, out.attributes.size());
      if (added) {
        out.attributes.push_back(std::move(attribute));
      } else {
        out.attributes[found->second] = std::move(attribute);
      }
    }
    std::move(content.blocks.begin(), content.blocks.end(), std::back_inserter(out.blocks));
    std::move(content.unread.begin(), content.unread.end(), std::back_inserter(out.unread));
  }
  return out;
}

}  // namespace depot::hcl
