#include "plugin/plan/description.h"

#include <algorithm>

namespace depot::plan {

api::BuildDescription DescribeBuild(const options::BuildOptions& options,
                                    const std::string& project) {
  api::BuildDescription description;
  description.project = project;
  description.tags = options.tags;
  description.push = options.push;
  description.load = options.load;
  description.save = options.save;
  description.target = options.target;
  description.save_tags = options.save_tags;
  for (const options::Output& output : options.outputs) {
    if (output.type == "cacheonly") continue;
    bool registry = output.type == "registry";
    api::BuildOutput one{registry ? "image" : output.type, output.attrs};
    if (registry || (options.push && output.type == "image")) one.attributes["push"] = "true";
    description.outputs.push_back(std::move(one));
  }
  auto has = [&](std::string_view kind) {
    return std::any_of(description.outputs.begin(), description.outputs.end(),
                       [&](const api::BuildOutput& output) { return output.kind == kind; });
  };
  if (options.push && !has("image")) description.outputs.push_back({"image", {{"push", "true"}}});
  // Saving pushes an image, loading is no output of its own.
  if (options.save && !has("image")) description.outputs.push_back({"image", {}});
  return description;
}

}  // namespace depot::plan
