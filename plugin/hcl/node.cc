#include "plugin/hcl/node.h"

#include <algorithm>
#include <memory>
#include <utility>
#include <variant>
#include <vector>

namespace depot::hcl {

namespace {

/// Puts the parts of each form into one list.
struct PartsCollector {
  std::vector<NodePtr>& out;

  void operator()(const Literal&) const {}
  void operator()(const Traversal&) const {}
  void operator()(const SplatItem&) const {}
  void operator()(const BadForm&) const {}
  void operator()(const IndexForm& form) const { out = {form.object, form.key}; }
  void operator()(const SplatForm& form) const { out = {form.source, form.each}; }
  void operator()(const CallForm& form) const { out = form.arguments; }
  void operator()(const ConditionalForm& form) const { out = {form.condition, form.yes, form.no}; }
  void operator()(const OperationForm& form) const { out = {form.left, form.right}; }
  void operator()(const TupleForm& form) const { out = form.items; }
  void operator()(const ObjectForm& form) const {
    for (const auto& [key, value] : form.items) {
      out.push_back(key);
      out.push_back(value);
    }
  }
  void operator()(const ForForm& form) const {
    out = {form.source, form.key, form.value, form.condition};
  }
  void operator()(const TemplateForm& form) const { out = form.parts; }
  void operator()(const JoinForm& form) const { out = {form.parts}; }
};

}  // namespace

std::vector<NodePtr> PartsOf(const Node& node) {
  std::vector<NodePtr> parts;
  std::visit(PartsCollector{parts}, node.form);
  std::erase(parts, nullptr);
  return parts;
}

NodePtr MakeNode(Range range, Node::Form form) {
  Node node{std::move(range), std::move(form)};
  for (const auto& part : PartsOf(node))
    node.depth = std::max(node.depth, part->depth + 1);
  return std::make_shared<const Node>(std::move(node));
}

}  // namespace depot::hcl
