#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "driver/base/json.h"
#include "driver/http/client.h"
#include "driver/oci/reference.h"
#include "driver/registry/keyring.h"
#include "driver/registry/requester.h"

namespace depot::registry {

/// What is done in a repository; decides which rights a token is asked for.
enum class Access { kPull, kPush, kDelete };

/// What a registry thinks of a push before anything is pushed.
struct PushCheck {
  /// The push will not be let in: why, and what to do. Unset = it will.
  std::optional<Error> refusal;
  /// Where the upload lies that was opened to find out, for AbandonUpload(); "" = there is none.
  std::string upload;
};

/// An index or a manifest as a registry keeps it.
struct StoredManifest {
  std::string media_type;  ///< one that IsIndex() or IsManifest()
  std::string digest;      ///< of `bytes`, computed here
  std::string bytes;       ///< at most kMaxManifestSize
  /// By which the registry knows this version of what a tag names (RFC 9110, 8.8.3), in its quotes;
  /// "" = it says none that can be asked for.
  std::string etag{};
};

/// One repository of one registry (OCI distribution spec). Any thread. Every call blocks, tries
/// again what may pass and fails as Requester says; content that has not the digest it was asked
/// by is kInvalid. Where `tag_or_digest` is asked for, both forms do.
class Repository {
 public:
  virtual ~Repository() = default;

  /// host/path, for people.
  virtual const std::string& name() const = 0;

  /// kNotFound: there is none. kUnsupported: it is neither an index nor an image manifest.
  virtual Result<StoredManifest> GetManifest(const std::string& tag_or_digest,
                                             const Cancel& cancel) = 0;

  /// Whether the repository itself (not only its registry) has the manifest.
  virtual Result<bool> HasManifest(const std::string& digest, const Cancel& cancel) = 0;

  /// Whether there is something to read under that name: once, however it goes, and whatever it is.
  /// kNotFound, kDenied as the registry says; what else fails says nothing about it.
  virtual Result<> CheckPull(const std::string& tag_or_digest, const Cancel& cancel) = 0;

  /// Writes a manifest or index; returns its digest. Writing the same again changes nothing.
  virtual Result<std::string> PutManifest(const std::string& tag_or_digest,
                                          const std::string& media_type,
                                          const std::string& bytes,
                                          const Cancel& cancel) = 0;

  /// Writes `next` under a tag on the condition that it names `present` still, as GetManifest()
  /// gave it; null = nothing (RFC 9110, 13.1: If-Match, If-None-Match). False, and nothing is
  /// written: it does not. Where no conditions are known, as in most registries, it is written all
  /// the same.
  virtual Result<bool> ReplaceManifest(const std::string& tag,
                                       const StoredManifest* present,
                                       const StoredManifest& next,
                                       const Cancel& cancel) = 0;

  /// The content, in memory; more than `max_size` bytes are an Error.
  virtual Result<std::string> GetBlob(const std::string& digest,
                                      std::size_t max_size,
                                      const Cancel& cancel) = 0;

  /// Whether the repository itself has the blob.
  virtual Result<bool> HasBlob(const std::string& digest, const Cancel& cancel) = 0;

  /// The content of a blob of any size. Does not compute its digest: whoever keeps the pieces does.
  virtual Result<> ReadBlob(const std::string& digest,
                            const BlobSink& sink,
                            const Cancel& cancel) = 0;

  /// Puts a blob into the repository. When the registry can take it from `from`, the path of
  /// another of its repositories ("" = none), nothing is asked of `source`.
  virtual Result<> WriteBlob(const std::string& digest,
                             const std::string& from,
                             const BlobSource& source,
                             const Cancel& cancel) = 0;

  /// Finds out whether a push would be let in, by opening an upload (distribution spec, pushing a
  /// blob): once, however it goes. Only what IsFromRegistry() is a refusal; kInvalid, kUnavailable,
  /// kTimeout and the like: the registry did not say.
  virtual Result<PushCheck> CheckPush(const Cancel& cancel) = 0;

  /// Gives back the upload of a PushCheck, which the registry would keep for days; needs the access
  /// kDelete. Once, and in vain without harm.
  virtual void AbandonUpload(const std::string& upload, const Cancel& cancel) = 0;
};

/// Opens repositories. What is learnt on the way is shared by all of them: tokens (one is fetched
/// once per registry and set of rights, also when several threads want it), which credentials are
/// good for pushing, and which registries speak plain HTTP. Any thread.
class Registries {
 public:
  virtual ~Registries() = default;

  /// Does not connect yet. The tag and digest of `name` do not matter. The Repository must not
  /// outlive the Registries.
  virtual std::unique_ptr<Repository> Open(const Reference& name, Access access) = 0;
};

/// Settings of MakeRegistries().
struct RegistryOptions {
  std::set<std::string> insecure;        ///< host[:port] that may speak plain HTTP; lower case
  std::function<void(std::string)> say;  ///< gets lines for the user, from any thread; may be empty
};

/// `client` and `keyring` outlive it. Credentials are looked up by the host of the image name,
/// for the Docker Hub by registry-1.docker.io.
std::unique_ptr<Registries> MakeRegistries(http::HttpClient& client,
                                           Keyring& keyring,
                                           RegistryOptions options);

/// The "platform" member that belongs into a descriptor of the image whose manifest `bytes` are:
/// what its config says (PlatformOfConfig()). Empty when the config is not that of an image.
Result<Json> ReadImagePlatform(Repository& repository,
                               const std::string& bytes,
                               const Cancel& cancel);

}  // namespace depot::registry
