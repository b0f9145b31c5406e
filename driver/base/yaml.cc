#include "driver/base/yaml.h"

#include <algorithm>
#include <optional>
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

/// Builds the tree from yaml-cpp's events; the first thing that is wrong stays in `error`.
class Builder final : public YAML::EventHandler {
 public:
  void OnDocumentStart(const YAML::Mark& /*mark*/) override {}
  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    Add(Yaml::Kind::kNull, "", mark, anchor);
  }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t /*anchor*/) override {
    Remember(Bad(mark.line + 1, "aliases are not supported"));
  }
  void OnScalar(const YAML::Mark& mark,
                const std::string& tag,
                YAML::anchor_t anchor,
                const std::string& value) override {
    // yaml-cpp tags quoted texts with "!", so that "null" and "~" in quotes stay texts.
    bool null = tag != "!" && (value.empty() || value == "~" || value == "null");
    Add(null ? Yaml::Kind::kNull : Yaml::Kind::kText, value, mark, anchor);
  }
  void OnSequenceStart(const YAML::Mark& mark,
                       const std::string& /*tag*/,
                       YAML::anchor_t anchor,
                       YAML::EmitterStyle::value /*style*/) override {
    Open(Yaml::Kind::kList, mark, anchor);
  }
  void OnSequenceEnd() override { Close(); }
  void OnMapStart(const YAML::Mark& mark,
                  const std::string& /*tag*/,
                  YAML::anchor_t anchor,
                  YAML::EmitterStyle::value /*style*/) override {
    Open(Yaml::Kind::kMap, mark, anchor);
  }
  void OnMapEnd() override { Close(); }

  Result<Yaml> Take() {
    if (error_) return Fail(*error_);
    return std::move(root_);
  }

 private:
  struct Frame {
    Yaml node;
    bool has_key = false;
    std::string key;
  };

  void Remember(Error error) {
    if (!error_) error_ = std::move(error);
  }

  void Add(Yaml::Kind kind, std::string text, const YAML::Mark& mark, YAML::anchor_t anchor) {
    if (anchor != 0) Remember(Bad(mark.line + 1, "anchors are not supported"));
    Yaml node;
    node.kind = kind;
    node.text = std::move(text);
    node.line = mark.line + 1;
    Put(std::move(node));
  }

  void Open(Yaml::Kind kind, const YAML::Mark& mark, YAML::anchor_t anchor) {
    if (anchor != 0) Remember(Bad(mark.line + 1, "anchors are not supported"));
    if (open_.size() >= kMaxNesting) Remember(Bad(mark.line + 1, "nested too deeply"));
    Frame frame;
    frame.node.kind = kind;
    frame.node.line = mark.line + 1;
    open_.push_back(std::move(frame));
  }

  void Close() {
    Yaml node = std::move(open_.back().node);
    open_.pop_back();
    Put(std::move(node));
  }

  void Put(Yaml node) {
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
      } else if (frame.node.Find(node.text) != nullptr) {
        Remember(Bad(node.line, Cat("the key ", Printable(node.text), " stands twice")));
      }
      frame.key = std::move(node.text);
      frame.has_key = true;
    }
  }

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

Result<Yaml> ParseYaml(std::string_view text) {
  std::istringstream input{std::string(text)};
  Builder builder;
  try {
    YAML::Parser parser(input);
    parser.HandleNextDocument(builder);
  } catch (const YAML::Exception& wrong) {
    return Fail(Bad(wrong.mark.line + 1, wrong.msg));
  }
  return builder.Take();
}

}  // namespace depot
