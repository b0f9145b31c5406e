#include "driver/base/yaml.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <sstream>

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include "driver/base/shown.h"
#include "driver/base/text.h"

namespace depot {
namespace {

constexpr std::size_t kMaxNesting = 64;

Error Bad(int line, std::string_view what) {
  return Error(ErrorCode::kInvalid, Cat("line ", line, ": ", what));
}

/// What a tree weighs against the bound on aliases.
std::size_t WeightOf(const Yaml& node) {
  std::size_t weight = 1 + node.text.size() / 32;
  for (const Yaml& item : node.items)
    weight += WeightOf(item);
  for (const auto& [key, value] : node.keys)
    weight += 1 + key.size() / 32 + WeightOf(value);
  return weight;
}

std::size_t DepthOf(const Yaml& node) {
  std::size_t depth = 0;
  for (const Yaml& item : node.items)
    depth = std::max(depth, DepthOf(item));
  for (const auto& [key, value] : node.keys)
    depth = std::max(depth, DepthOf(value));
  return depth + 1;
}

/// Builds the tree from yaml-cpp's events; the first thing that is wrong stays in `error`.
class Builder final : public YAML::EventHandler {
 public:
  /// `most` is the bound of ParseYamlWithAliases(); 0 = there are no aliases.
  explicit Builder(std::size_t most) : most_(most) {}

  void OnDocumentStart(const YAML::Mark& /*mark*/) override {}
  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    Add(Yaml::Kind::kNull, "", mark, anchor);
  }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    if (most_ == 0) return Remember(Bad(mark.line + 1, "aliases are not supported"));
    auto anchored = anchored_.find(anchor);
    if (anchored == anchored_.end()) {
      return Remember(Bad(mark.line + 1, "an alias stands inside of what it means"));
    }
    if (open_.size() + anchored->second.depth > kMaxNesting) {
      Remember(Bad(mark.line + 1, "nested too deeply"));
    }
    if (!Count(anchored->second.weight, mark.line + 1)) return;
    Put(anchored->second.node, 0);
  }
  void OnScalar(const YAML::Mark& mark,
                const std::string& tag,
                YAML::anchor_t anchor,
                const std::string& value) override {
    // yaml-cpp tags quoted texts with "!", so that "null" and "~" in quotes stay texts.
    bool null = tag != "!" && (value.empty() || value == "~" || value == "null");
    Add(null ? Yaml::Kind::kNull : Yaml::Kind::kText, value, mark, anchor, tag);
  }
  void OnSequenceStart(const YAML::Mark& mark,
                       const std::string& tag,
                       YAML::anchor_t anchor,
                       YAML::EmitterStyle::value /*style*/) override {
    Open(Yaml::Kind::kList, mark, anchor, tag);
  }
  void OnSequenceEnd() override { Close(); }
  void OnMapStart(const YAML::Mark& mark,
                  const std::string& tag,
                  YAML::anchor_t anchor,
                  YAML::EmitterStyle::value /*style*/) override {
    Open(Yaml::Kind::kMap, mark, anchor, tag);
  }
  void OnMapEnd() override { Close(); }

  Result<Yaml> Take() {
    if (error_) return Fail(*error_);
    return std::move(root_);
  }

 private:
  struct Frame {
    Yaml node;
    YAML::anchor_t anchor = 0;
    bool has_key = false;
    std::string key;
    std::set<std::string> keys;
  };
  struct Anchored {
    Yaml node;
    std::size_t weight = 0;
    std::size_t depth = 0;
  };

  void Remember(Error error) {
    if (!error_) error_ = std::move(error);
  }

  /// False: what aliases bring is too much. Nothing more is kept then.
  bool Count(std::size_t weight, int line) {
    weight_ += weight;
    if (most_ == 0 || weight_ <= most_) return !error_;
    Remember(Bad(line, "the document is too large with its aliases"));
    return false;
  }

  void CheckAnchor(YAML::anchor_t anchor, int line) {
    if (anchor != 0 && most_ == 0) Remember(Bad(line, "anchors are not supported"));
  }

  static std::string TagOf(const std::string& tag) { return tag == "!" || tag == "?" ? "" : tag; }

  void Add(Yaml::Kind kind,
           std::string text,
           const YAML::Mark& mark,
           YAML::anchor_t anchor,
           const std::string& tag = "") {
    const int line = mark.line + 1;
    CheckAnchor(anchor, line);
    if (!Count(1 + text.size() / 32, line)) return;
    Yaml node;
    node.kind = kind;
    node.text = std::move(text);
    node.line = line;
    node.quoted = tag == "!";
    node.tag = TagOf(tag);
    Put(std::move(node), anchor);
  }

  void Open(Yaml::Kind kind,
            const YAML::Mark& mark,
            YAML::anchor_t anchor,
            const std::string& tag) {
    const int line = mark.line + 1;
    CheckAnchor(anchor, line);
    Count(1, line);
    if (open_.size() >= kMaxNesting) Remember(Bad(line, "nested too deeply"));
    Frame frame;
    frame.node.kind = kind;
    frame.node.line = line;
    frame.node.tag = TagOf(tag);
    frame.anchor = anchor;
    open_.push_back(std::move(frame));
  }

  void Close() {
    Frame frame = std::move(open_.back());
    open_.pop_back();
    if (most_ != 0 && frame.node.kind == Yaml::Kind::kMap) TakeMergeKey(frame.node);
    Put(std::move(frame.node), frame.anchor);
  }

  void BringKeys(const Yaml& from, Yaml& into, std::set<std::string>& there) {
    if (from.kind != Yaml::Kind::kMap) {
      return Remember(Bad(from.line, "the merge key << needs a map, or a list of maps"));
    }
    for (const auto& [key, value] : from.keys) {
      if (!there.insert(key).second) continue;
      if (!Count(1 + WeightOf(value), from.line)) return;
      into.keys.emplace_back(key, value);
    }
  }

  /// What is in the map itself comes before what `<<` brings.
  void TakeMergeKey(Yaml& map) {
    auto merge = std::find_if(map.keys.begin(), map.keys.end(),
                              [](const auto& entry) { return entry.first == "<<"; });
    if (merge == map.keys.end()) return;
    const Yaml from = std::move(merge->second);
    map.keys.erase(merge);
    std::set<std::string> there;
    for (const auto& [key, value] : map.keys)
      there.insert(key);
    if (from.kind != Yaml::Kind::kList) return BringKeys(from, map, there);
    for (const Yaml& item : from.items)
      BringKeys(item, map, there);
  }

  void Put(Yaml node, YAML::anchor_t anchor) {
    if (anchor != 0 && most_ != 0 && !error_) {
      anchored_[anchor] = {node, WeightOf(node), DepthOf(node)};
    }
    if (open_.empty()) {
      root_ = std::move(node);
      return;
    }
    Frame& frame = open_.back();
    if (frame.node.kind == Yaml::Kind::kList) {
      frame.node.items.push_back(std::move(node));
    } else if (frame.has_key) {
      frame.node.keys.emplace_back(std::move(frame.key), std::move(node));
      frame.has_key = false;
    } else {
      if (node.kind == Yaml::Kind::kList || node.kind == Yaml::Kind::kMap) {
        Remember(Bad(node.line, "a key must be a text"));
      } else if (!frame.keys.insert(node.text).second) {
        Remember(Bad(node.line, Cat("the key ", Printable(node.text), " stands twice")));
      }
      frame.key = std::move(node.text);
      frame.has_key = true;
    }
  }

  const std::size_t most_;
  std::size_t weight_ = 0;
  std::map<YAML::anchor_t, Anchored> anchored_;
  Yaml root_;
  std::vector<Frame> open_;
  std::optional<Error> error_;
};

}  // namespace

Yaml::Yaml() = default;
Yaml::Yaml(const Yaml&) = default;
Yaml::Yaml(Yaml&&) noexcept = default;
Yaml& Yaml::operator=(const Yaml&) = default;
Yaml& Yaml::operator=(Yaml&&) noexcept = default;
Yaml::~Yaml() = default;

const Yaml* Yaml::Find(std::string_view key) const {
  auto found =
      std::find_if(keys.begin(), keys.end(), [&](const auto& entry) { return entry.first == key; });
  return found == keys.end() ? nullptr : &found->second;
}

namespace {

Result<Yaml> ParseDocument(std::string_view text, std::size_t most) {
  std::istringstream input{std::string(text)};
  Builder builder(most);
  try {
    YAML::Parser parser(input);
    parser.HandleNextDocument(builder);
  } catch (const YAML::Exception& wrong) {
    return Fail(Bad(wrong.mark.line + 1, wrong.msg));
  }
  return builder.Take();
}

}  // namespace

Result<Yaml> ParseYaml(std::string_view text) {
  return ParseDocument(text, 0);
}

Result<Yaml> ParseYamlWithAliases(std::string_view text, std::size_t most) {
  return ParseDocument(text, most);
}

}  // namespace depot
