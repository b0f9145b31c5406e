#pragma once

#include <map>
#include <string>
#include <vector>

#include "driver/base/secret.h"

namespace depot::api {

/// One `-o` as the API wants to know it.
struct BuildOutput {
  std::string kind;
  std::map<std::string, std::string> attributes;
};

/// What CreateBuild tells of the build to come; the API shows it to people, and decides by `load`
/// and `save` what it hands out.
struct BuildDescription {
  std::string project;  ///< "" = none known: the API decides by the token
  std::vector<std::string> tags;
  std::vector<BuildOutput> outputs;
  bool push = false;
  bool load = false;
  bool save = false;
  std::string target;
  std::vector<std::string> save_tags;
  /// Of a bake: one for each target, with its name as `target`; else empty.
  std::vector<BuildDescription> targets{};
};

/// A registry credential that the API hands out for this build.
struct RegistryCredential {
  std::string host;  ///< host[:port] as in an image name
  std::string username;
  Secret password;
};

/// A name the API wants the image to have too.
struct AdditionalTag {
  std::string name;
  bool push = false;
};

/// A build as the API knows it.
struct CreatedBuild {
  std::string id;
  Secret token;         ///< opens this build alone; every later call of the build uses it
  std::string project;  ///< "" when the API does not say
  std::string url;      ///< page for people; ""
  std::vector<RegistryCredential> credentials;
  std::vector<AdditionalTag> tags;
};

/// How a build ended.
enum class Outcome { kSuccess, kError, kCanceled };

}  // namespace depot::api
