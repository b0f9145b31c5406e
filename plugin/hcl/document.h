#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "driver/base/result.h"
#include "plugin/hcl/source.h"

namespace depot::hcl {

struct Node;

/// A parsed expression that is evaluated later, any number of times (evaluate.h). A value, cheap to
/// copy, constant. One that is empty must not be evaluated.
class Expression {
 public:
  Expression() = default;
  explicit Expression(std::shared_ptr<const Node> node) : node_(std::move(node)) {}
  explicit operator bool() const { return node_ != nullptr; }
  const Node& node() const { return *node_; }
  Range range() const;

 private:
  std::shared_ptr<const Node> node_;
};

/// `name = expression`.
struct Attribute {
  std::string name;
  Range name_range;
  Expression value;
};

/// Which blocks a reader expects in a body. In the JSON form only this says which members are
/// blocks.
struct BlockType {
  std::string_view type;
  std::size_t labels = 0;  ///< exactly so many, or it is an error at the block
};

struct Block;

/// What is in a body, in the order of the file.
struct Content {
  std::vector<Attribute> attributes;  ///< of each name one
  std::vector<Block> blocks;          ///< of the types asked for
  std::vector<std::string> unread;    ///< types of all other blocks; JSON has none

  const Attribute* Find(std::string_view name) const;  ///< nullptr = absent
};

struct BodySyntax;

/// A file, or what a block has between its braces: of either syntax. A value, cheap to copy,
/// constant.
class Body {
 public:
  Body() = default;
  explicit Body(std::shared_ptr<const BodySyntax> syntax) : syntax_(std::move(syntax)) {}

  /// All attributes, and the blocks of `types`; of blocks of other types that they are there. In
  /// JSON a member of a type's name is such blocks, and any other one is an attribute.
  Result<Content> Read(const std::vector<BlockType>& types) const;

 private:
  std::shared_ptr<const BodySyntax> syntax_;
};

/// `type "label"... { body }`.
struct Block {
  std::string type;
  std::vector<std::string> labels;
  std::vector<Range> label_ranges;  ///< one for each label
  Range header;  ///< from the type to the last label; the place of errors about the block
  Body body;
};

/// How a text is written.
enum class Syntax { kNative, kJson };

/// Parses a whole file; `name` is what errors call it. Bounded in nesting and size (64 MiB).
Result<Body> Parse(std::string name, std::string text, Syntax syntax);

/// Several files as one: all blocks in their order; of attributes that two files set the later.
Result<Content> ReadAll(const std::vector<Body>& files, const std::vector<BlockType>& types);

}  // namespace depot::hcl
