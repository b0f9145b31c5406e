#include "plugin/plan/named_contexts.h"

#include <filesystem>
#include <optional>
#include <string_view>
#include <utility>

#include "driver/base/random.h"
#include "driver/base/shown.h"
#include "driver/base/text.h"
#include "driver/oci/digest.h"
#include "plugin/plan/git_url.h"
#include "plugin/plan/source_files.h"

namespace depot::plan {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kLayout = "oci-layout://";
constexpr std::string_view kImage = "docker-image://";

std::string Quoted(std::string_view text) {
  return Cat('"', Printable(RedactUrls(text)), '"');
}

/// oci-layout://PATH[:TAG][@DIGEST], taken apart.
struct Layout {
  std::string path;
  std::string tag;
  std::string digest;
};

/// distribution/reference: [\w][\w.-]{0,127}
bool IsTag(std::string_view text) {
  constexpr std::string_view kLetters =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-";
  return !text.empty() && text.size() <= 128 && text.front() != '.' && text.front() != '-' &&
         text.find_first_not_of(kLetters) == std::string_view::npos;
}

/// BuildKit's to fetch.
bool IsElsewhere(const std::string& value) {
  return IsRemoteContext(value) || value.starts_with(kImage);
}

Result<Layout> ParseLayout(std::string_view text) {
  text.remove_prefix(kLayout.size());
  Layout layout;
  const std::size_t at = text.rfind('@');
  if (at != std::string_view::npos && text.substr(at + 1).find(':') != std::string_view::npos &&
      text.substr(at + 1).find('/') == std::string_view::npos) {
    layout.digest = text.substr(at + 1);
    if (!IsDigest(layout.digest)) {
      return Fail(ErrorCode::kInvalid, Cat(Quoted(layout.digest), " is no sha256 digest"));
    }
    text = text.substr(0, at);
  }
  const std::size_t colon = text.rfind(':');
  if (colon != std::string_view::npos && IsTag(text.substr(colon + 1))) {
    layout.tag = text.substr(colon + 1);
    text = text.substr(0, colon);
  }
  layout.path = text;
  return layout;
}

std::string Tags(const ImageIndex& index) {
  constexpr std::size_t kMany = 10;
  std::vector<std::string> tags;
  for (const Descriptor& descriptor : index.manifests) {
    auto tag = descriptor.annotations.find("org.opencontainers.image.ref.name");
    if (tag != descriptor.annotations.end() && tags.size() < kMany) {
      tags.push_back(Printable(tag->second));
    }
  }
  return Join(tags, ", ");
}

Result<std::string> DigestIn(const session::LayoutStore& store, const Layout& layout) {
  if (!layout.digest.empty()) return layout.digest;
  TRY_ASSIGN(const ImageIndex index, store.ReadIndex());
  const std::string wanted = layout.tag.empty() ? "latest" : layout.tag;
  if (const Descriptor* named = session::FindNamed(index, wanted)) return named->digest;
  // An index without names, as other tools write it.
  if (index.manifests.size() == 1) return index.manifests.front().digest;
  const std::string tags = Tags(index);
  Error error(ErrorCode::kNotFound, Cat("index.json lists ", index.manifests.size(),
                                        " images, and none with the tag ", wanted));
  return Fail(std::move(error).WithHint(tags.empty()
                                            ? "give its digest: oci-layout://PATH@sha256:..."
                                            : Cat("it has ", tags, ": oci-layout://PATH:TAG")));
}

Result<> AddLayout(const options::NamedContext& context, NamedContexts& into) {
  TRY_ASSIGN(const Layout layout, ParseLayout(context.value));
  if (layout.path.empty()) return Fail(ErrorCode::kUsage, "oci-layout:// names no folder");
  TRY_ASSIGN(auto store, session::LayoutStore::OpenToRead(layout.path));
  TRY_ASSIGN(const std::string digest, DigestIn(*store, layout));
  auto blob = store->Size(digest);
  if (!blob) {
    return Fail(
        std::move(blob).error().While(Cat(Printable(layout.path), " does not have ", digest)));
  }
  const std::string id = RandomId();
  const std::string tag = layout.tag.empty() ? "latest" : layout.tag;
  into.attrs[Cat("context:", context.name)] = Cat(kLayout, id, ":", tag, "@", digest);
  into.stores[Cat("oci:", id)] = std::move(store);
  return {};
}

Result<> AddDirectory(const options::NamedContext& context, NamedContexts& into) {
  TRY(CheckContextDirectory(context.value, into.notices));
  std::error_code error;
  fs::path path = fs::absolute(context.value, error).lexically_normal();
  if (error) return Fail(SystemError(Printable(context.value), error.value()));
  if (!path.has_filename()) path = path.parent_path();
  // These two are the build's own (buildx build/opt.go).
  const bool taken = context.name == "context" || context.name == "dockerfile";
  const std::string local = taken ? Cat("_", context.name) : context.name;
  into.directories[local] = path.string();
  into.attrs[Cat("context:", context.name)] = Cat("local:", local);
  into.shared_names[context.name] = path.has_filename() ? path.filename().string() : "/";
  return {};
}

Result<> Add(const options::NamedContext& context, NamedContexts& into) {
  const std::optional<GitUrl> git = ParseGitUrl(context.value);
  if (git && context.value.starts_with("ssh://")) {
    return Fail(Error(ErrorCode::kUnsupported, "BuildKit takes no ssh:// URL for a named context")
                    .WithHint("write git@HOST:PATH"));
  }
  if (git && git->has_query) into.caps.insert("moby.buildkit.frontend.gitquerystring+forward");
  if (IsElsewhere(context.value)) {
    into.attrs[Cat("context:", context.name)] = ContextUrl(context.value);
    return {};
  }
  if (context.value.starts_with(kLayout)) return AddLayout(context, into);
  return AddDirectory(context, into);
}

}  // namespace

std::optional<std::string> LocalPathOf(const options::NamedContext& context) {
  if (IsElsewhere(context.value)) return std::nullopt;
  if (!context.value.starts_with(kLayout)) return context.value;
  const auto layout = ParseLayout(context.value);
  return layout ? std::optional(layout->path) : std::nullopt;
}

Result<NamedContexts> PlanNamedContexts(const std::vector<options::NamedContext>& contexts) {
  NamedContexts named;
  if (!contexts.empty()) named.caps.insert("moby.buildkit.frontend.contexts+forward");
  for (const options::NamedContext& context : contexts) {
    Result<> added = Add(context, named);
    if (!added) {
      return Fail(std::move(added).error().While(Cat("--build-context ", context.name)));
    }
  }
  return named;
}

}  // namespace depot::plan
