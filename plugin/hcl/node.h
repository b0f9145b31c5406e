#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "driver/base/result.h"
#include "plugin/hcl/source.h"
#include "plugin/hcl/value.h"

/// The syntax tree of expressions.
namespace depot::hcl {

struct Node;
using NodePtr = std::shared_ptr<const Node>;

/// A constant.
struct Literal {
  Value value;
};

/// `.name`, `.0` or `[constant]`: a string or a number.
struct Step {
  Value key;
  Range range;
};

/// A name and the constant steps behind it.
struct Traversal {
  std::string root;
  Range root_range;
  std::vector<Step> steps;
};

/// `object[key]`, and steps behind what is no name.
struct IndexForm {
  NodePtr object;
  NodePtr key;
};

/// `source[*]...` and `source.*...`: `each` is evaluated for every element, which is SplatItem in
/// it.
struct SplatForm {
  NodePtr source;
  NodePtr each;
};
struct SplatItem {};  ///< see SplatForm

/// `name(arguments...)`.
struct CallForm {
  std::string name;
  Range name_range;
  std::vector<NodePtr> arguments;
  bool expands = false;  ///< the last argument is a list of arguments
};

/// `condition ? yes : no`, also `%{ if }`.
struct ConditionalForm {
  NodePtr condition;
  NodePtr yes;
  NodePtr no;
};

enum class Operator {
  kOr,
  kAnd,
  kEqual,
  kUnequal,
  kLess,
  kLessEqual,
  kGreater,
  kGreaterEqual,  ///< of two sides
  kPlus,
  kMinus,
  kTimes,
  kOver,
  kRemainder,
  kNot,
  kNegate
};

/// `left operation right`; kNot and kNegate have no left side.
struct OperationForm {
  Operator operation;
  NodePtr left;
  NodePtr right;
};

/// `[items...]`.
struct TupleForm {
  std::vector<NodePtr> items;
};

/// `{ key = value ... }`.
struct ObjectForm {
  std::vector<std::pair<NodePtr, NodePtr>> items;
};

/// `[for ...]`, and `{for ...}` if it has a key.
struct ForForm {
  std::string key_name;  ///< "" = not asked for
  std::string value_name;
  NodePtr source;
  NodePtr key;  ///< nullptr: a tuple
  NodePtr value;
  NodePtr condition;  ///< nullptr = all
  bool groups = false;
};

/// Parts as text, one behind the other. The part that is a ForForm of a template is joined too.
struct TemplateForm {
  std::vector<NodePtr> parts;
};

/// `%{ for }`: the texts of a tuple, joined.
struct JoinForm {
  NodePtr parts;
};

/// What could not be parsed and matters only if it is evaluated: a template in JSON. An Error
/// itself would make every node larger.
struct BadForm {
  std::shared_ptr<const Error> error;
};

/// One part of an expression.
struct Node {
  using Form = std::variant<Literal,
                            Traversal,
                            IndexForm,
                            SplatForm,
                            SplatItem,
                            CallForm,
                            ConditionalForm,
                            OperationForm,
                            TupleForm,
                            ObjectForm,
                            ForForm,
                            TemplateForm,
                            JoinForm,
                            BadForm>;
  Range range;
  Form form;
  std::size_t depth = 1;  ///< of the tree below, itself included
};

/// A node with its depth.
NodePtr MakeNode(Range range, Node::Form form);

/// The nodes right below `node`; those it has none of are left out.
std::vector<NodePtr> PartsOf(const Node& node);

}  // namespace depot::hcl
