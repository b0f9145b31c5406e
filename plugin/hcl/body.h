#pragma once

#include <memory>
#include <vector>

#include "driver/base/result.h"
#include "plugin/hcl/document.h"
#include "plugin/hcl/json_reader.h"
#include "plugin/hcl/node.h"
#include "plugin/hcl/source.h"

namespace depot::hcl {

/// What a Body was parsed from: native syntax is taken apart at once, JSON when it is read.
struct BodySyntax {
  std::vector<Attribute> attributes;
  std::vector<Block> blocks;
  std::shared_ptr<const Source> source;
  std::vector<std::shared_ptr<const JsonValue>> objects;  ///< JSON: its members are the body
  bool json = false;
};

Result<Body> ParseNative(const std::shared_ptr<const Source>& source);
Result<Body> ParseJsonBody(const std::shared_ptr<const Source>& source);

/// Body::Read() of JSON.
Result<Content> ReadJsonBody(const BodySyntax& body, const std::vector<BlockType>& types);

/// JSON as an expression: strings and names are templates.
NodePtr JsonExpression(const JsonValue& json, const std::shared_ptr<const Source>& source);

/// A text that stands in an expression (`range`) read as an expression itself.
Result<NodePtr> ParseEmbedded(std::string_view text, const Range& range);

}  // namespace depot::hcl
