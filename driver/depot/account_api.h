#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "driver/depot/api.h"

namespace depot::api {

/// How much of a project's build cache is kept; 0 = no limit.
struct CachePolicy {
  std::int64_t keep_bytes = 0;
  std::int32_t keep_days = 0;
};

/// A project with all that the API says of it. Texts are safe to show.
struct ProjectDetails {
  std::string id, organization_id, name, region;
  std::int64_t created_at = 0;  ///< seconds since 1970; 0 = unknown
  std::optional<CachePolicy> cache;
};

/// A project that is to be made. Empty texts are the API's to choose.
struct NewProject {
  std::string name, organization_id, region;
  CachePolicy cache;
};

/// What is to change of a project; unset = stays.
struct ProjectChange {
  std::optional<std::string> name, region;
  std::optional<CachePolicy> cache;
};

/// An image that was kept with --save. Texts are safe to show.
struct SavedImage {
  std::string tag, digest;
  std::int64_t pushed_at = 0;  ///< seconds since 1970; 0 = unknown
  std::uint64_t size = 0;      ///< bytes
};

/// The calls about projects and saved images (depot.core.v1.ProjectService,
/// depot.build.v1.RegistryService), which Depot's own API serves and a pool does not: kUnsupported
/// then, with what to do instead. Retries and other errors are those of Api; what changes something
/// is made again only when the API said that it did nothing. Any thread; each call blocks.
class AccountApi {
 public:
  virtual ~AccountApi() = default;

  virtual Result<ProjectDetails> CreateProject(const Token& token,
                                               const NewProject& project,
                                               const Cancel& cancel) = 0;
  virtual Result<ProjectDetails> GetProject(const Token& token,
                                            const std::string& project,
                                            const Cancel& cancel) = 0;
  virtual Result<ProjectDetails> UpdateProject(const Token& token,
                                               const std::string& project,
                                               const ProjectChange& change,
                                               const Cancel& cancel) = 0;
  virtual Result<> DeleteProject(const Token& token,
                                 const std::string& project,
                                 const Cancel& cancel) = 0;
  /// All of them, newest first; more than 100,000 are kInvalid.
  virtual Result<std::vector<SavedImage>> ListImages(const Token& token,
                                                     const std::string& project,
                                                     const Cancel& cancel) = 0;
  virtual Result<> DeleteImages(const Token& token,
                                const std::string& project,
                                const std::vector<std::string>& tags,
                                const Cancel& cancel) = 0;
};

/// As MakeApi().
Result<std::unique_ptr<AccountApi>> MakeAccountApi(http::HttpClient& client,
                                                   std::string url,
                                                   std::function<void(std::string)> say);

}  // namespace depot::api
