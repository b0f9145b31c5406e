#include "plugin/plan/source.h"

#include <algorithm>
#include <filesystem>

#include "driver/base/shown.h"
#include "driver/base/text.h"
#include "driver/session/zstd_reader.h"
#include "plugin/plan/git_url.h"

namespace depot::plan {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kDefaultName = "Dockerfile";

bool StartsWithAny(std::string_view text, std::initializer_list<std::string_view> starts) {
  return std::any_of(starts.begin(), starts.end(),
                     [&](std::string_view start) { return text.starts_with(start); });
}

/// A tar header sums its bytes, its own sum read as blanks (POSIX pax, ustar).
bool IsTarHeader(std::string_view head) {
  constexpr std::size_t kTarHeader = 512, kSumAt = 148, kSumSize = 8;
  if (head.size() < kTarHeader) return false;
  std::uint64_t sum = kSumSize * ' ';
  for (std::size_t i = 0; i < kTarHeader; ++i) {
    if (i < kSumAt || i >= kSumAt + kSumSize) sum += static_cast<unsigned char>(head[i]);
  }
  std::uint64_t said = 0;
  bool digits = false;
  for (char c : head.substr(kSumAt, kSumSize)) {
    if (c >= '0' && c <= '7') {
      said = said * 8 + static_cast<std::uint64_t>(c - '0');
      digits = true;
    } else if (digits) {
      break;
    }
  }
  return digits && said == sum;
}

Error Invalid(std::string message) {
  return Error(ErrorCode::kInvalid, std::move(message));
}

std::string QuotedPath(std::string_view path) {
  return Cat("\"", Printable(path), "\"");
}

Error BadContext(const options::BuildOptions& options, const SourceFacts& facts) {
  const std::string& context = options.context;
  std::string path = (fs::path(facts.working_directory) / context).lexically_normal().string();
  switch (facts.context) {
    case PathKind::kMissing:
      if (context.empty()) {
        return Invalid("the build context is empty").WithHint("write . for this directory");
      }
      return Error(ErrorCode::kNotFound, Cat("build context ", QuotedPath(context), ": ",
                                             Printable(path), " does not exist"))
          .WithHint("give a directory, a URL, or - for standard input");
    case PathKind::kFile:
      return Invalid(Cat("build context ", QuotedPath(context), " is a file, not a directory"))
          .WithHint(Cat("give its directory and name the file with -f, or pass it on standard "
                        "input: - < ",
                        Printable(context)));
    default:
      return Invalid(
          Cat("build context ", QuotedPath(context), " is neither a directory nor a URL"));
  }
}

/// Asks for facts.nearest, as it would be written.
std::string OtherFile(const options::BuildOptions& options, const SourceFacts& facts) {
  const fs::path beside =
      options.file.empty() ? fs::path(options.context) : fs::path(options.file) / "..";
  return Cat("did you mean -f ", Printable((beside / facts.nearest).lexically_normal().string()),
             "?");
}

Error MissingDockerfile(const options::BuildOptions& options, const SourceFacts& facts) {
  fs::path path = facts.dockerfile_path;
  if (!facts.directory_exists) {
    return Error(ErrorCode::kNotFound,
                 Cat("no Dockerfile ", QuotedPath(options.file), ": the directory ",
                     Printable(path.parent_path().string()), " does not exist"))
        .WithHint("-f is relative to the working directory, not to the context");
  }
  std::string what =
      facts.dockerfile_is_link ? " is a symlink to a file that does not exist" : " does not exist";
  Error error(ErrorCode::kNotFound, Cat("no Dockerfile: ", Printable(path.string()), what));
  if (facts.nearest.empty()) {
    return std::move(error).WithHint(
        options.file.empty() ? "name the Dockerfile with -f"
                             : "-f is relative to the working directory, not to the context");
  }
  return std::move(error).WithHint(OtherFile(options, facts));
}

Error DirectoryAsDockerfile(const options::BuildOptions& options, const SourceFacts& facts) {
  Error error =
      Invalid(Cat("the Dockerfile ", Printable(facts.dockerfile_path), " is a directory"));
  if (!facts.inside.empty()) {
    const fs::path directory =
        options.file.empty() ? fs::path(options.context) / kDefaultName : fs::path(options.file);
    const std::string file = (directory / facts.inside).lexically_normal().string();
    return std::move(error).WithHint(Cat("name the file in it: -f ", Printable(file)));
  }
  if (!facts.nearest.empty()) return std::move(error).WithHint(OtherFile(options, facts));
  return std::move(error).WithHint(options.file.empty() ? "name the Dockerfile with -f"
                                                        : "-f names a file");
}

/// The local Dockerfile at facts.dockerfile_path.
Result<> TakeLocalDockerfile(const options::BuildOptions& options,
                             const SourceFacts& facts,
                             Source& source) {
  fs::path path = facts.dockerfile_path;
  if (facts.dockerfile == PathKind::kMissing) return Fail(MissingDockerfile(options, facts));
  if (facts.dockerfile == PathKind::kDirectory) {
    return Fail(DirectoryAsDockerfile(options, facts));
  }
  if (!facts.dockerfile_readable) {
    return Fail(ErrorCode::kDenied, Cat("the Dockerfile ", Printable(path.string()),
                                        " cannot be read: permission denied"));
  }
  SourceTree tree;
  source.filename = path.filename().string();
  if (facts.dockerfile_text) {
    if (facts.dockerfile_text->empty()) {
      return Fail(Invalid(Cat("the Dockerfile ", Printable(path.string()), " is empty")));
    }
    tree.files[source.filename] = *facts.dockerfile_text;
    if (facts.ignore_text) tree.files[source.filename + ".dockerignore"] = *facts.ignore_text;
  } else {
    tree.directory = path.parent_path().string();
  }
  source.trees["dockerfile"] = std::move(tree);
  return {};
}

/// A Dockerfile that came on standard input, or from a URL.
Result<> TakeTextDockerfile(const std::string& text, bool fetched, Source& source) {
  const std::string_view where = fetched ? "what is at that URL" : "standard input";
  if (text.empty()) {
    return Fail(
        Invalid(Cat("the Dockerfile ", fetched ? "at that URL" : "on standard input", " is empty"))
            .WithHint(fetched ? "is the URL that of the file itself?"
                              : "standard input ended before any byte arrived"));
  }
  if (text.find('\0') != std::string::npos) {
    return Fail(Invalid(Cat(where, " is neither a Dockerfile nor an archive that can be read"))
                    .WithHint("tar is read, plain or packed by gzip, bzip2, xz or zstd"));
  }
  source.filename = kDefaultName;
  source.trees["dockerfile"] = SourceTree{"", {{source.filename, text}}};
  return {};
}

/// -f that names no file: its text, which must be served from here.
Result<bool> TakeForeignText(const options::BuildOptions& options,
                             const SourceFacts& facts,
                             Source& source) {
  const bool fetched = IsHttpUrl(options.file) || options.dockerfile_inline;
  if (!fetched && options.file != "-") return false;
  TRY(TakeTextDockerfile(fetched ? facts.fetched_dockerfile : facts.standard_input, fetched,
                         source));
  return true;
}

/// -f with a context that is not a local directory.
Result<> TakeForeignDockerfile(const options::BuildOptions& options,
                               const SourceFacts& facts,
                               Source& source) {
  TRY_ASSIGN(source.dockerfile_key, TakeForeignText(options, facts, source));
  if (source.dockerfile_key) return {};
  if (!facts.dockerfile_path.empty()) {
    TRY(TakeLocalDockerfile(options, facts, source));
    source.dockerfile_key = true;
  } else {
    source.filename = options.file.empty() ? kDefaultName : options.file;
  }
  return {};
}

Result<Source> FromStandardInput(const options::BuildOptions& options, const SourceFacts& facts) {
  if (facts.standard_input.empty()) {
    return Fail(Invalid("standard input is empty: expected a Dockerfile or a tar archive")
                    .WithHint("write - only with something to read: docker depot build - < FILE"));
  }
  Source source;
  if (IsArchive(facts.standard_input)) {
    source.upload = true;
    source.already_read = facts.standard_input;
    TRY(TakeForeignDockerfile(options, facts, source));
    return source;
  }
  if (!options.file.empty()) {
    return Fail(
        Error(ErrorCode::kUsage, Cat("two Dockerfiles: standard input is one, and -f names ",
                                     QuotedPath(options.file)))
            .WithHint("with - as the context, -f names a file inside a tar archive"));
  }
  TRY(TakeTextDockerfile(facts.standard_input, false, source));
  source.trees["context"] = SourceTree{};
  return source;
}

/// Absolute, and without a slash at its end.
fs::path Absolute(const SourceFacts& facts, const std::string& path) {
  fs::path absolute = (fs::path(facts.working_directory) / path).lexically_normal();
  return absolute.has_filename() ? absolute : absolute.parent_path();
}

}  // namespace

bool IsArchive(std::string_view head) {
  using namespace std::string_view_literals;
  return session::IsZstd(head) ||
         StartsWithAny(head, {"\x42\x5a\x68"sv, "\x1f\x8b\x08"sv, "\xfd\x37\x7a\x58\x5a\x00"sv}) ||
         IsTarHeader(head);
}

Result<Source> DecideSource(const options::BuildOptions& options, const SourceFacts& facts) {
  if (options.context == "-" && options.file == "-") {
    return Fail(Error(ErrorCode::kUsage,
                      "standard input cannot be both the build context and the Dockerfile")
                    .WithHint("leave -f out to read a Dockerfile without a context"));
  }
  if (options.context == "-") return FromStandardInput(options, facts);
  Source source;
  if (facts.context != PathKind::kDirectory) {
    if (!IsRemoteContext(options.context)) return Fail(BadContext(options, facts));
    source.context_url = ContextUrl(options.context);
    TRY(TakeForeignDockerfile(options, facts, source));
    return source;
  }
  fs::path path = Absolute(facts, options.context);
  source.trees["context"] = SourceTree{path.string(), {}};
  source.shared_name = path.has_filename() ? path.filename().string() : "/";
  TRY_ASSIGN(const bool text, TakeForeignText(options, facts, source));
  if (!text) TRY(TakeLocalDockerfile(options, facts, source));
  return source;
}

std::vector<LocalContext> LocalContexts(const Source& source) {
  std::vector<LocalContext> contexts;
  auto main = source.trees.find("context");
  if (main != source.trees.end() && !main->second.directory.empty()) {
    contexts.push_back({"context", "", main->second.directory});
  }
  constexpr std::string_view kLocal = "local:";
  for (const auto& [attribute, value] : source.named.attrs) {
    if (!value.starts_with(kLocal)) continue;
    const std::string local = value.substr(kLocal.size());
    auto directory = source.named.directories.find(local);
    if (directory != source.named.directories.end()) {
      contexts.push_back({local, attribute, directory->second});
    }
  }
  return contexts;
}

}  // namespace depot::plan
