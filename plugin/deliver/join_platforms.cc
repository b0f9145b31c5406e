#include "plugin/deliver/join_platforms.h"

#include "driver/base/encode.h"
#include "driver/base/json.h"
#include "driver/base/text.h"
#include "driver/oci/platform_list.h"

namespace depot::deliver {
namespace {

std::string BuilderOf(const std::vector<Platform>& platforms) {
  return platforms.empty() ? "the builder"
                           : Cat("the builder of ", FormatPlatforms(platforms, ","));
}

}  // namespace

registry::IndexAnnotations IndexAnnotationsOf(const std::vector<options::Annotation>& annotations) {
  registry::IndexAnnotations wanted;
  for (const options::Annotation& one : annotations) {
    if (one.type == "index") wanted.index[one.key] = one.value;
    if (one.type == "index-descriptor") wanted.index_descriptor[one.key] = one.value;
    if (one.type == "manifest-descriptor") {
      wanted.descriptors.push_back({one.platform, one.key, one.value});
    }
  }
  return wanted;
}

Result<std::vector<Descriptor>> DescriptorsOf(const std::vector<PlatformResult>& results) {
  std::vector<Descriptor> descriptors;
  for (const PlatformResult& result : results) {
    auto found = result.response.find("containerimage.descriptor");
    auto text = found == result.response.end() ? std::nullopt : FromBase64(found->second);
    auto json = Json::Parse(text.value_or(""));
    auto descriptor = json ? ReadDescriptor(*json) : Result<Descriptor>(Fail(json.error()));
    if (!descriptor) {
      return Fail(
          Error(ErrorCode::kInvalid,
                Cat(BuilderOf(result.platforms),
                    " does not say what it pushed: ", descriptor.error().message()))
              .WithHint("it needs BuildKit 0.11 or newer to be one of several builders, and "
                        "for --tag-guard and --merge-index"));
    }
    descriptors.push_back(*std::move(descriptor));
  }
  return descriptors;
}

Result<Descriptor> RecordedDescriptor(const std::map<std::int64_t, Descriptor>& recorded,
                                      std::size_t exporter,
                                      const std::vector<Platform>& platforms) {
  auto found = recorded.find(static_cast<std::int64_t>(exporter));
  if (found != recorded.end()) return found->second;
  return Fail(
      Error(ErrorCode::kUnsupported,
            Cat(BuilderOf(platforms),
                " keeps no record of what it pushed, and answers for the last push alone"))
          .WithHint("it needs BuildKit 0.13 or newer and its history for several pushes; or "
                    "put all names into one: --push and several --tag"));
}

ExporterResponse JoinResponses(const std::vector<PlatformResult>& results,
                               const std::string& index,
                               const std::vector<std::string>& names) {
  ExporterResponse joined;
  Json platforms = Json::Object();
  for (const PlatformResult& result : results) {
    Json answers = Json::Object();
    for (const auto& [key, value] : result.response) {
      if (key == "containerimage.digest" || key == "containerimage.config.digest") {
        answers.Set(key, Json::String(value));
      }
      if (key == "containerimage.digest" || key == "image.name") joined.emplace(key, value);
    }
    platforms.Set(FormatPlatforms(result.platforms, ","), std::move(answers));
  }
  if (!index.empty()) joined["containerimage.digest"] = index;
  if (!names.empty()) joined["image.name"] = Join(names, ",");
  joined["depot.platforms"] = Base64(platforms.Dump());
  return joined;
}

}  // namespace depot::deliver
