#include "driver/registry/repository.h"

#include <algorithm>

#include "driver/base/backoff.h"
#include "driver/base/shown.h"
#include "driver/base/text.h"
#include "driver/http/url.h"
#include "driver/oci/digest.h"
#include "driver/oci/manifest.h"
#include "driver/registry/refusal.h"
#include "driver/registry/requester.h"

namespace depot::registry {
namespace {

constexpr std::string_view kHub = "docker.io";
constexpr std::string_view kHubHost = "registry-1.docker.io";
constexpr std::size_t kRoomForErrors = 64 << 10;
constexpr std::chrono::seconds kBlobPatience(600);
constexpr std::size_t kMaxConfigSize = 4 << 20;
constexpr std::chrono::hours kStreamPatience(6);
constexpr std::chrono::seconds kStreamSilence(60);
constexpr int kUploads = 3;
constexpr Backoff kBetweenUploads{std::chrono::seconds(1), 2, std::chrono::seconds(4)};

std::string ScopeOf(const Reference& name, Access access) {
  std::string scope = Cat("repository:", name.path, ":pull");
  if (access == Access::kPull) return scope;
  return Cat(scope, access == Access::kPush ? ",push" : ",push,delete");
}

std::string AcceptedTypes() {
  return Cat(kOciIndexType, ", ", kDockerListType, ", ", kOciManifestType, ", ",
             kDockerManifestType);
}

bool IsKnown(std::string_view media_type) {
  return IsIndex(media_type) || IsManifest(media_type);
}

/// The type by which the content is read. Old registries and proxies serve manifests as plain
/// JSON, so that what the content says of itself counts where the header says nothing.
Result<std::string> MediaTypeOf(const http::Response& response) {
  std::string header = response.Header("content-type");
  std::string told(Trim(std::string_view(header).substr(0, header.find(';'))));
  std::string own = OwnMediaType(response.body);
  if (!IsKnown(told)) {
    if (IsKnown(own)) return own;
    return Fail(ErrorCode::kUnsupported, Cat("it is neither an image nor an index but \"",
                                             Printable(told.substr(0, 200)), '"'));
  }
  if (!own.empty() && own != told) {
    return Fail(ErrorCode::kInvalid,
                Cat("it is served as ", told, " and calls itself ", Printable(own.substr(0, 200))));
  }
  return told;
}

/// The ETag if it can be used in a condition: strong, and short.
std::string StrongTag(const http::Response& response) {
  constexpr std::size_t kLongestTag = 256;
  std::string tag = response.Header("etag");
  const bool quoted = tag.size() > 2 && tag.front() == '"' && tag.find('"', 1) == tag.size() - 1;
  const bool plain =
      std::all_of(tag.begin(), tag.end(), [](char c) { return c > ' ' && c < '\x7f'; });
  return quoted && plain && tag.size() <= kLongestTag ? tag : "";
}

/// The host[:port] that the registry of an image is reached at, and credentials are looked up by:
/// for the Docker Hub that is registry-1.docker.io.
std::string RegistryHost(const Reference& name) {
  return std::string(name.domain == kHub ? kHubHost : std::string_view(name.domain));
}

/// The path below /v2/NAME/ of an upload, as its Location says it; "" when it lies elsewhere.
std::string UploadPath(const std::string& location, const Reference& name) {
  std::string host = LowerAscii(RegistryHost(name));
  bool relative = location.starts_with('/') && !location.starts_with("//");
  Result<http::Url> url = http::ParseUrl(relative ? Cat("https://", host, location) : location);
  std::string repository = Cat("/v2/", name.path, '/');
  if (!url || url->authority != host || !url->rest.starts_with(Cat(repository, "blobs/uploads/"))) {
    return "";
  }
  return url->rest.substr(repository.size());
}

/// Status 202 is what the specification has; others that say where to upload to mean the same.
bool OpensUpload(const http::Response& response) {
  bool success = response.status >= 200 && response.status < 300;
  return response.status == 202 || (success && !response.Header("location").empty());
}

/// Whether a registry says that it has no such repository, and makes none (distribution spec, error
/// codes); a server that only knows no such address says something else.
bool LacksRepository(const http::Response& response) {
  if (response.status != 404 && response.status != 400) return false;
  Result<Json> json = Json::Parse(response.body);
  if (!json) return false;
  std::string code = (*json)["errors"][0]["code"].AsString();
  return code == "NAME_UNKNOWN" || code == "NAME_INVALID";
}

Error WrongDigest(const std::string& doing, const std::string& digest) {
  return Error(ErrorCode::kInvalid,
               Cat(doing, ": what the registry has is not the content of ", digest))
      .WithHint("a proxy in between may have changed it; try again");
}

/// That a manifest which was written is kept as it is.
Result<> CheckKept(const http::Response& response,
                   const std::string& digest,
                   const std::string& doing) {
  const std::string kept = response.Header("docker-content-digest");
  if (!IsDigest(kept) || kept == digest) return {};
  return Fail(WrongDigest(doing, digest));
}

/// What all repositories of one Registries have in common.
struct Shared {
  http::HttpClient& client;
  Keyring& keyring;
  Endpoints endpoints;
  std::function<void(std::string)> say;
};

class RepositoryClient final : public Repository {
 public:
  RepositoryClient(Shared& shared, const Reference& name, Access access)
      : name_(RepositoryOf(name)),
        reference_(name),
        authorizer_(shared.client, shared.keyring, RegistryHost(name), ScopeOf(name, access)),
        requester_(shared.client,
                   shared.endpoints,
                   authorizer_,
                   RegistryHost(name),
                   name.path,
                   shared.say) {}

  const std::string& name() const override { return name_; }

  Result<StoredManifest> GetManifest(const std::string& tag_or_digest,
                                     const Cancel& cancel) override {
    RegistryCall call;
    call.path = Cat("manifests/", tag_or_digest);
    call.headers = {{"Accept", AcceptedTypes()}};
    call.max_body = kMaxManifestSize;
    call.doing = Cat("reading ", Full(tag_or_digest));
    TRY_ASSIGN(http::Response response, requester_.Send(call, cancel));
    std::string digest = DigestOf(response.body);
    std::string promised = response.Header("docker-content-digest");
    if (IsDigest(tag_or_digest)) promised = tag_or_digest;
    if (IsDigest(promised) && promised != digest) return Fail(WrongDigest(call.doing, promised));
    Result<std::string> media_type = MediaTypeOf(response);
    if (!media_type) return Fail(std::move(media_type).error().While(call.doing));
    std::string etag = StrongTag(response);
    return StoredManifest{std::move(*media_type), std::move(digest), std::move(response.body),
                          std::move(etag)};
  }

  Result<bool> HasManifest(const std::string& digest, const Cancel& cancel) override {
    RegistryCall call;
    call.method = "HEAD";
    call.path = Cat("manifests/", digest);
    call.headers = {{"Accept", AcceptedTypes()}};
    call.may_be_missing = true;
    call.doing = Cat("looking for ", Full(digest));
    TRY_ASSIGN(http::Response response, requester_.Send(call, cancel));
    return response.status != 404;
  }

  Result<> CheckPull(const std::string& tag_or_digest, const Cancel& cancel) override {
    RegistryCall call;
    call.method = "HEAD";
    call.path = Cat("manifests/", tag_or_digest);
    call.headers = {{"Accept", AcceptedTypes()}};
    TRY_ASSIGN(const Requester::Answer answer, requester_.Ask(call, cancel));
    const int status = answer.response.status;
    return status >= 200 && status < 300 ? Result<>() : Fail(requester_.Explain(answer));
  }

  Result<std::string> PutManifest(const std::string& tag_or_digest,
                                  const std::string& media_type,
                                  const std::string& bytes,
                                  const Cancel& cancel) override {
    RegistryCall call = PutCall(tag_or_digest, media_type, bytes);
    TRY_ASSIGN(http::Response response, requester_.Send(call, cancel));
    std::string digest = DigestOf(bytes);
    TRY(CheckKept(response, digest, call.doing));
    return digest;
  }

  Result<bool> ReplaceManifest(const std::string& tag,
                               const StoredManifest* present,
                               const StoredManifest& next,
                               const Cancel& cancel) override {
    RegistryCall call = PutCall(tag, next.media_type, next.bytes);
    if (present == nullptr) {
      call.headers.emplace_back("If-None-Match", "*");
    } else if (!present->etag.empty()) {
      call.headers.emplace_back("If-Match", present->etag);
    }
    call.may_have_changed = present == nullptr || !present->etag.empty();
    TRY_ASSIGN(http::Response response, requester_.Send(call, cancel));
    if (response.status == kChanged) return false;
    TRY(CheckKept(response, next.digest, call.doing));
    return true;
  }

  Result<std::string> GetBlob(const std::string& digest,
                              std::size_t max_size,
                              const Cancel& cancel) override {
    RegistryCall call;
    call.path = Cat("blobs/", digest);
    call.max_body = std::max(max_size, kRoomForErrors);
    call.patience = kBlobPatience;
    call.doing = Cat("reading the blob ", Full(digest));
    TRY_ASSIGN(http::Response response, requester_.Send(call, cancel));
    if (response.body.size() > max_size) {
      return Fail(ErrorCode::kInvalid, Cat(call.doing, ": it has more than ", max_size, " bytes"));
    }
    if (DigestOf(response.body) != digest) return Fail(WrongDigest(call.doing, digest));
    return std::move(response.body);
  }

  Result<bool> HasBlob(const std::string& digest, const Cancel& cancel) override {
    RegistryCall call;
    call.method = "HEAD";
    call.path = Cat("blobs/", digest);
    call.may_be_missing = true;
    call.doing = Cat("looking for the blob ", Full(digest));
    TRY_ASSIGN(http::Response response, requester_.Send(call, cancel));
    return response.status != 404;
  }

  Result<> ReadBlob(const std::string& digest,
                    const BlobSink& sink,
                    const Cancel& cancel) override {
    RegistryCall call = StreamCall("GET", Cat("blobs/", digest));
    call.sink = &sink;
    call.doing = Cat("reading the blob ", Full(digest));
    TRY(requester_.Send(call, cancel));
    return {};
  }

  Result<> WriteBlob(const std::string& digest,
                     const std::string& from,
                     const BlobSource& source,
                     const Cancel& cancel) override {
    for (int attempt = 1;; ++attempt) {
      Result<> written = Upload(digest, from, source, cancel);
      if (written) return written;
      const ErrorCode code = written.error().code();
      const auto wait = kBetweenUploads.WaitAfter(attempt);
      if (code != ErrorCode::kUnavailable || attempt == kUploads || !cancel.SleepFor(*wait))
        return Fail(std::move(written).error().While(Cat("writing the blob ", Full(digest))));
    }
  }

  Result<PushCheck> CheckPush(const Cancel& cancel) override {
    RegistryCall call;
    call.method = "POST";
    call.path = "blobs/uploads/";
    PushCheck check;
    Result<Requester::Answer> answer = requester_.Ask(call, cancel);
    if (!answer) {
      if (answer.error().code() != ErrorCode::kDenied) return Fail(std::move(answer).error());
      check.refusal = std::move(answer).error();
      return check;
    }
    const http::Response& response = answer->response;
    if (OpensUpload(response)) {
      check.upload = UploadPath(response.Header("location"), reference_);
      return check;
    }
    if (response.status < 300) return Fail(NoUpload(response));
    Error why = requester_.Explain(*answer);
    bool denied = why.code() == ErrorCode::kDenied;
    if (!denied && !LacksRepository(response)) return Fail(std::move(why));
    if (!denied) {
      why = std::move(why)
                .While("there is no such repository, and a push does not make it")
                .WithHint("create it first, or check the name");
    }
    check.refusal = std::move(why);
    return check;
  }

  void AbandonUpload(const std::string& upload, const Cancel& cancel) override {
    RegistryCall call;
    call.method = "DELETE";
    call.path = upload;
    (void)requester_.Ask(call, cancel);
  }

 private:
  std::string Full(const std::string& tag_or_digest) const {
    return Cat(name_, IsDigest(tag_or_digest) ? '@' : ':', tag_or_digest);
  }

  RegistryCall PutCall(const std::string& tag_or_digest,
                       const std::string& media_type,
                       const std::string& bytes) const {
    RegistryCall call;
    call.method = "PUT";
    call.path = Cat("manifests/", tag_or_digest);
    call.headers = {{"Content-Type", media_type}};
    call.body = bytes;
    call.doing = Cat("writing ", Full(tag_or_digest));
    return call;
  }

  static RegistryCall StreamCall(std::string method, std::string path) {
    RegistryCall call;
    call.method = std::move(method);
    call.path = std::move(path);
    call.patience = kStreamPatience;
    call.silence = kStreamSilence;
    return call;
  }

  /// Once, whatever the status; an Error when it is a failure.
  Result<http::Response> Once(const RegistryCall& call, const Cancel& cancel) {
    TRY_ASSIGN(Requester::Answer answer,
               requester_.Ask(call, cancel.WithTimeout(call.patience, "the registry is too slow")));
    const int status = answer.response.status;
    if (status < 200 || status >= 300) return Fail(requester_.Explain(answer));
    return std::move(answer.response);
  }

  /// Distribution spec, pushing a blob in chunks: one chunk, whose size need not be known.
  Result<> Upload(const std::string& digest,
                  const std::string& from,
                  const BlobSource& source,
                  const Cancel& cancel) {
    RegistryCall open = StreamCall("POST", "blobs/uploads/");
    open.doing = "opening an upload";
    if (!from.empty()) {
      open.path += Cat("?mount=", http::UrlEncode(digest), "&from=", http::UrlEncode(from));
    }
    TRY_ASSIGN(http::Response opened, requester_.Send(open, cancel));
    if (opened.status == 201) return {};
    std::string place = UploadPath(opened.Header("location"), reference_);
    if (place.empty()) return Fail(NoUpload(opened));
    RegistryCall send = StreamCall("PATCH", place);
    send.headers = {{"Content-Type", "application/octet-stream"}};
    send.source = &source;
    TRY_ASSIGN(http::Response sent, Once(send, cancel));
    std::string next = UploadPath(sent.Header("location"), reference_);
    if (!next.empty()) place = std::move(next);
    const char* joint = place.find('?') == std::string::npos ? "?" : "&";
    TRY(Once(StreamCall("PUT", Cat(place, joint, "digest=", http::UrlEncode(digest))), cancel));
    return {};
  }

  Error NoUpload(const http::Response& response) const {
    return Error(ErrorCode::kInvalid,
                 Cat("what answers for the registry ", RegistryHost(reference_),
                     " opens no upload: ", DescribeStranger(response)))
        .WithHint(StrangerHint());
  }

  const std::string name_;
  const Reference reference_;
  Authorizer authorizer_;
  Requester requester_;
};

class SharedRegistries final : public Registries {
 public:
  SharedRegistries(http::HttpClient& client, Keyring& keyring, RegistryOptions options)
      : shared_{client, keyring, Endpoints(client, std::move(options.insecure)),
                std::move(options.say)} {}

  std::unique_ptr<Repository> Open(const Reference& name, Access access) override {
    return std::make_unique<RepositoryClient>(shared_, name, access);
  }

 private:
  Shared shared_;
};

}  // namespace

std::unique_ptr<Registries> MakeRegistries(http::HttpClient& client,
                                           Keyring& keyring,
                                           RegistryOptions options) {
  return std::make_unique<SharedRegistries>(client, keyring, std::move(options));
}

Result<Json> ReadImagePlatform(Repository& repository,
                               const std::string& bytes,
                               const Cancel& cancel) {
  Result<Manifest> manifest = ParseManifest(bytes);
  if (!manifest) {
    return Fail(std::move(manifest).error().While(Cat("an image manifest of ", repository.name())));
  }
  const std::string& type = manifest->config.media_type;
  if (type != kOciConfigType && type != kDockerConfigType) return Json::Object();
  TRY_ASSIGN(std::string config,
             repository.GetBlob(manifest->config.digest, kMaxConfigSize, cancel));
  Result<Json> platform = PlatformOfConfig(config);
  if (platform) return platform;
  return Fail(std::move(platform).error().While(
      Cat("the image config ", repository.name(), '@', manifest->config.digest)));
}

}  // namespace depot::registry
