#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "plugin/bake/fields.h"
#include "plugin/hcl/document.h"

namespace depot::bake {

/// What a definition says and nothing obeys. docker buildx passes over it without a word; here it
/// is gathered, so that it can be said. One thread.
class Ignored {
 public:
  using Names = std::vector<std::string_view>;

  /// Adds the attributes of `content` that are not `known`, and its blocks that were not read. They
  /// are those of the block `name` of a `kind` ("target").
  void Add(const std::string& kind,
           const std::string& name,
           const hcl::Content& content,
           const Names& known);

  /// The same for all files together, where every attribute means something. `known` are blocks.
  void AddBlocksOfFiles(const hcl::Content& content, const Names& known);

  /// A line for each name, sorted: which block says it first, and how many say it else.
  Strings Lines() const;

 private:
  struct Place {
    std::string first;  ///< the block's name
    std::size_t more = 0;
    std::string hint;  ///< "" or what may be meant
  };

  /// By the kind of block, "" outside of all, and what it says.
  std::map<std::pair<std::string, std::string>, Place> places_;

  void Note(std::string kind, const std::string& name, std::string what, std::string hint);
};

}  // namespace depot::bake
