#pragma once

#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "plugin/bake/fields.h"
#include "plugin/hcl/document.h"

namespace depot::bake {

/// What a definition says and nothing obeys. docker buildx passes over it without a word; here it
/// is gathered, so that it can be said. A value; one thread at a time.
class Ignored {
 public:
  using Names = std::vector<std::string_view>;

  /// What of a definition is made use of: that of others matters to nobody.
  struct Used {
    std::set<std::string> targets;  ///< with those that they inherit from
    std::set<std::string> groups;
  };

  /// Adds the attributes of `content` that are not `known`, and its blocks that were not read. They
  /// are those of the block `name` of a `kind` ("target"), which of a target makes `targets`.
  void Add(const std::string& kind,
           const std::string& name,
           const hcl::Content& content,
           const Names& known,
           const Strings& targets = {});

  /// The word `what` of the service `name`, which is a target.
  void AddOfService(const std::string& name, const std::string& target, std::string what);

  /// The same for all files together, where every attribute means something. `known` are blocks.
  void AddBlocksOfFiles(const hcl::Content& content, const Names& known);

  /// A line for each name that `used`, or the definition as a whole, says, sorted: which block says
  /// it first, and how many say it else.
  Strings Lines(const Used& used) const;

 private:
  /// A block that says it.
  struct Place {
    std::string name;
    Strings targets;  ///< that it makes
  };
  struct Word {
    std::vector<Place> places;
    std::string hint;  ///< "" or what may be meant
  };

  /// By the kind of block, "" outside of all, and what it says.
  std::map<std::pair<std::string, std::string>, Word> words_;

  void Note(std::string kind, Place place, std::string what, std::string hint);
  static bool Counts(const std::string& kind, const Place& place, const Used& used);
};

}  // namespace depot::bake
