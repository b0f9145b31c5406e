#include "plugin/hcl/node.h"

#include <algorithm>
#include <initializer_list>
#include <memory>
#include <utility>
#include <variant>
#include <vector>

namespace depot::hcl {

namespace {

/// Shows `see` the parts of each form.
template <typename See>
struct PartsVisitor {
  See see;

  void operator()(const Literal&) const {}
  void operator()(const Traversal&) const {}
  void operator()(const SplatItem&) const {}
  void operator()(const BadForm&) const {}
  void operator()(const IndexForm& form) const { Each({&form.object, &form.key}); }
  void operator()(const SplatForm& form) const { Each({&form.source, &form.each}); }
  void operator()(const CallForm& form) const { Each(form.arguments); }
  void operator()(const ConditionalForm& form) const {
    Each({&form.condition, &form.yes, &form.no});
  }
  void operator()(const OperationForm& form) const { Each({&form.left, &form.right}); }
  void operator()(const TupleForm& form) const { Each(form.items); }
  void operator()(const ObjectForm& form) const {
    for (const auto& [key, value] : form.items)
      Each({&key, &value});
  }
  void operator()(const ForForm& form) const {
    Each({&form.source, &form.key, &form.value, &form.condition});
  }
  void operator()(const TemplateForm& form) const { Each(form.parts); }
  void operator()(const JoinForm& form) const { Each({&form.parts}); }

 private:
  void Each(std::initializer_list<const NodePtr*> parts) const {
    for (const NodePtr* part : parts)
      if (*part) see(*part);
  }
  void Each(const std::vector<NodePtr>& parts) const {
    for (const NodePtr& part : parts)
      see(part);
  }
};

template <typename See>
void SeeParts(const Node& node, See see) {
  std::visit(PartsVisitor<See>{std::move(see)}, node.form);
}

}  // namespace

std::vector<NodePtr> PartsOf(const Node& node) {
  std::vector<NodePtr> parts;
  SeeParts(node, [&parts](const NodePtr& part) { parts.push_back(part); });
  return parts;
}

NodePtr MakeNode(Range range, Node::Form form) {
  std::size_t depth = 1;
  auto node = std::make_shared<Node>(Node{std::move(range), std::move(form), depth});
  SeeParts(*node, [&depth](const NodePtr& part) { depth = std::max(depth, part->depth + 1); });
  node->depth = depth;
  return node;
}

}  // namespace depot::hcl
