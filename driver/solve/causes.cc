#include "driver/solve/causes.h"

#include <string>
#include <utility>

#include "driver/solve/registry_status.h"

// The catalogue: why builds fail, as builders say it (BuildKit, containerd, git, runc, registries),
// and what to do. What fails on this machine has its hint where it fails. The order matters where
// one text holds several: what a registry says of a login comes before what was done with it.

namespace depot::solve {
namespace {

constexpr FailedAt kStep = FailedAt::kUnsaid;
constexpr FailedAt kLogin = FailedAt::kAuthentication;
constexpr FailedAt kRegistry = FailedAt::kRegistry;
constexpr FailedAt kFull = FailedAt::kResources;

constexpr std::string_view kLogIn =
    "log in to the registry with the rights needed (docker login, or DOCKER_AUTH_CONFIG)";
constexpr std::string_view kIsInContext =
    "is the file in the build context, and not excluded by .dockerignore?";
constexpr std::string_view kStageHint =
    "--target names a stage of the Dockerfile (FROM ... AS name)";
constexpr std::string_view kGiveSecret =
    "give it with --secret id=NAME,src=FILE or --secret id=NAME,env=VARIABLE";
constexpr std::string_view kMemory =
    "the step ran out of memory, or something killed it: give it less to do at a time (fewer "
    "parallel jobs), or the builder more memory";

constexpr std::string_view kNoUser =
    "the image does not know that user or group (/etc/passwd, /etc/group; FROM scratch has none): "
    "make it in a RUN before, or give its number";

constexpr std::string_view kRateLimit =
    "the registry's limit is used up; it counts by user, and by address without a login: log in, "
    "use a mirror (in GitLab the dependency proxy), or wait: Docker Hub counts the pulls of 6 "
    "hours";
constexpr std::string_view kGitTrust =
    "git on the builder does not trust that server's certificate: its authority belongs into the "
    "builder's own certificates";
constexpr std::string_view kOtherName =
    "that server shows a certificate of another name: is the name right, or is a proxy in between?";
constexpr std::string_view kSourceDate =
    "SOURCE_DATE_EPOCH is seconds since 1970, as `git log -1 --format=%ct` prints them";

constexpr std::string_view kNoTls =
    "that registry speaks no TLS: name it in the builder's buildkitd.toml "
    "([registry.\"HOST:PORT\"] with http = true), or in an Engine's daemon.json "
    "(insecure-registries)";
constexpr std::string_view kNoTlsOfPush =
    "that registry speaks no TLS: say --output type=image,push=true,registry.insecure=true, or "
    "name it in the builder's buildkitd.toml ([registry.\"HOST:PORT\"] with http = true), or in "
    "an Engine's daemon.json (insecure-registries)";
constexpr std::string_view kFromHint =
    "FROM and --from name a stage, an image or a named context; what is in the context is copied "
    "without --from";

constexpr std::string_view kNoSuchImage =
    "there is no image of that name and tag; a private registry may say so to strangers, too: log "
    "in";
constexpr std::string_view kNoSuchProgram =
    "the shell did not find a program of this line in the image: install it before, or mend PATH";
constexpr std::string_view kCannotBeRun =
    "a program of this line cannot be run: is it executable (COPY --chmod=755), and for this CPU?";
constexpr std::string_view kOldSyntax =
    "this builder's Dockerfile syntax is older than that: # syntax=docker/dockerfile:1 as the "
    "first line brings a newer one";

// BuildKit 0.8, of Docker 20.10, has words of its own for some: "executor failed running".
constexpr Cause kCatalogue[] = {
    // A question that an old builder does not know; why another frontend does not help comes
    // behind.
    {" needs BuildKit ", "which does it on older ones", kStep,
     "use a builder with that BuildKit or a newer one, or let this one reach the registry of that "
     "image (Docker Hub, or a mirror of it)"},

    // Registries and logins.
    {"toomanyrequests", "", kRegistry, kRateLimit},
    {"429 Too Many Requests", "", kRegistry, kRateLimit},
    {"denied: ", "quota", kRegistry, "the registry's quota is used up: remove old images"},
    {"token has expired", "", kLogin,
     "the credential has expired: a job's own token ends with its job; get a new one"},
    {"token is expired", "", kLogin,
     "the credential has expired: a job's own token ends with its job; get a new one"},
    {"401 Unauthorized", "", kLogin, kLogIn},
    {"403 Forbidden", "", kLogin, kLogIn},
    {"insufficient_scope", "", kLogin, kLogIn},
    {"authorization failed", "", kLogin, kLogIn},
    {"access denied", "", kLogin, kLogIn},
    {"access to the resource is denied", "", kLogin, kLogIn},
    {"no basic auth credentials", "", kLogin, kLogIn},
    // As our own answer to the builder's question for a token says it.
    {"the token server ", " refused the credentials of ", kLogin,
     "those credentials are wrong, or no longer good: log in again, or change them where they come "
     "from"},
    {"failed to fetch oauth token", "", kLogin, kLogIn},
    {"failed to fetch anonymous token", "", kLogin, kLogIn},
    {"failed to push", "server gave HTTP response to HTTPS client", kRegistry, kNoTlsOfPush},
    {"failed to push", "first record does not look like a TLS handshake", kRegistry, kNoTlsOfPush},
    {"server gave HTTP response to HTTPS client", "", kRegistry, kNoTls},
    {"first record does not look like a TLS handshake", "", kRegistry, kNoTls},
    {"certificate signed by unknown authority", "", kRegistry,
     "the builder does not know the authority that signed that server's certificate: it belongs "
     "into the builder's own configuration (ca= in buildkitd.toml)"},
    {"certificate is not valid for", "", kRegistry, kOtherName},
    {"certificate is valid for ", ", not ", kRegistry, kOtherName},
    {"certificate has expired", "", kRegistry,
     "that server's certificate is too old, or the builder's clock is wrong"},
    {"proxyconnect", "", kRegistry,
     "the builder reaches the network through a proxy that does not let it: HTTPS_PROXY and "
     "NO_PROXY of the builder, not of this machine, decide"},
    {"no match for platform in manifest", "", kRegistry,
     "the base image does not exist for this platform: --platform, or another base image"},
    {"no matching manifest", "", kRegistry,
     "the base image does not exist for this platform: --platform, or another base image"},
    {"manifest unknown", "", kRegistry, "there is no image of that name and tag: check both"},
    {"failed to resolve source metadata for", "not found", kRegistry, kNoSuchImage},
    {"unexpected status from", "507", kRegistry, "the registry's disk is full"},
    {"unexpected status from", "413", kRegistry,
     "something in front of the registry refuses large uploads: raise its limit "
     "(client_max_body_size of nginx)"},

    // What the Dockerfile, the command line and the builder must agree on.
    {"could not be found (did you mean", "", kStep, kStageHint},
    {"target stage", "", kStep, kStageHint},
    {"invalid stage index", "", kStep,
     "--from=NUMBER counts the stages (FROM lines) from 0, and takes one above its own"},
    {"failed to parse stage name", "must be lowercase", kStep, "names of images are in lower case"},
    {"failed to parse stage name", "", kStep, kFromHint},
    {"granting entitlement", "", kStep,
     "the builder's own configuration must allow it too (insecure-entitlements)"},
    {"entitlement", "", kStep, "allow it with --allow"},
    {"failed to load LLB: ", " is not allowed", kStep,
     "allow it with --allow; the builder's own configuration may have to allow it, too"},
    {"frontend capability moby.buildkit.frontend.contexts", "", kStep,
     "--build-context needs BuildKit 0.10 (Docker 23) or newer, or # syntax=docker/dockerfile:1 "
     "as the first line of the Dockerfile"},
    {"frontend capability moby.buildkit.frontend.gitquerystring", "", kStep,
     "a git URL with ?... needs BuildKit 0.24 or newer; older ones take URL#REF:SUBDIR"},
    {"unsupported request frontend.", "", kStep,
     "a Dockerfile's frontend answers check, outline and targets"},
    {"unknown flag: ", "", kStep, kOldSyntax},
    {"Unknown flag: ", "", kStep, kOldSyntax},
    {"unknown instruction", "", kStep,
     "no instruction of a Dockerfile begins so: a typing error, a line that lost its \\ before it, "
     "or a file that is no Dockerfile"},
    {"no build stage in current context", "", kStep,
     "a stage begins with FROM: only ARG and comments may come before the first one"},
    {"unterminated heredoc", "", kStep,
     "the word behind << has to stand again, alone on a line, where the text ends"},
    {"base name (", "should not be blank", kStep,
     "a variable in FROM has no value: give it with --build-arg, or a default (ARG NAME=VALUE) in "
     "front of the first FROM"},
    {"failed to parse platform", "", kStep, "a platform is OS/ARCH[/VARIANT]: linux/amd64"},
    {"source-date-epoch: ", "", kStep, kSourceDate},
    {"SOURCE_DATE_EPOCH: ", "", kStep, kSourceDate},
    {"circular dependency detected", "", kStep,
     "two stages copy from each other: break the circle"},
    {"makes one output for each build", "", kStep,
     "build once for each output: the later builds come from the cache"},
    {"received message larger than max", "", kStep,
     "a limit of the builder's, for one message: something in this build is too large for it"},

    // Secrets, keys and git.
    {"secret ", "not found", kStep, kGiveSecret},
    {"unset ssh forward key", "", kStep,
     "give an ssh agent with --ssh ID, or a key with --ssh ID=KEYFILE or --ssh ID=env=VARIABLE"},
    {"Host key verification failed", "", kStep,
     "the builder does not know that server's key; git over https with --secret "
     "id=GIT_AUTH_TOKEN,env=VARIABLE needs none"},
    {"Permission denied (publickey", "", kLogin,
     "that server takes none of the keys: --ssh default=KEYFILE or --ssh default=env=VARIABLE "
     "gives "
     "another one"},
    {"could not read Username", "", kLogin,
     "a private repository: give its token with --secret id=GIT_AUTH_TOKEN,env=VARIABLE; when one "
     "was given, it was refused"},
    {"Authentication failed for", "", kLogin,
     "git's credentials were refused: --secret id=GIT_AUTH_TOKEN,env=VARIABLE gives others; in a "
     "GitLab job the other project must let this one's job token in"},
    {"invalid subdir", "", kStep,
     "the repository has no such directory at that branch, tag or commit: the part of the URL "
     "behind the second :"},
    {"repository does not contain ref", "", kStep,
     "the repository has no such branch, tag or commit: the part of the URL behind #"},
    {"SSL certificate problem", "", kStep, kGitTrust},
    {"server certificate verification failed", "", kStep, kGitTrust},
    {"Could not resolve host", "", kStep,
     "the builder does not find that name: its DNS decides, not this machine's"},

    // Steps.
    {"did not complete successfully", "exit code: 137", kStep, kMemory},
    {"executor failed running", "exit code: 137", kStep, kMemory},
    {"cannot allocate memory", "", kFull, kMemory},
    {"did not complete successfully", "exit code: 127", kStep, kNoSuchProgram},
    {"executor failed running", "exit code: 127", kStep, kNoSuchProgram},
    {"did not complete successfully", "exit code: 126", kStep, kCannotBeRun},
    {"executor failed running", "exit code: 126", kStep, kCannotBeRun},
    {"unable to find user ", "", kStep, kNoUser},
    {"unable to find group ", "", kStep, kNoUser},
    {"invalid user index: ", "", kStep, kNoUser},
    {"invalid group index: ", "", kStep, kNoUser},
    {"exec format error", "", kStep,
     "the image is for another CPU than the builder's: check --platform; or a script lacks its #! "
     "line"},
    {"exec: \"/bin/sh\"", "no such file or directory", kStep,
     "the image has no shell (FROM scratch, distroless): write RUN [\"/program\", \"argument\"]"},
    {"exec: ", "no such file or directory", kStep, "the image has no such program"},
    {"exec: ", "executable file not found in $PATH", kStep, "the image has no such program"},
    {"no space left on device", "", kFull, "the builder's disk is full: prune its cache"},
    {"disk quota exceeded", "", kFull, "the builder's disk is full: prune its cache"},

    // What a step wants of the context.
    {"failed to calculate checksum", "not found", kStep, kIsInContext},
    {"failed to calculate checksum", "no such file or directory", kStep, kIsInContext},
    {"failed to compute cache key", "not found", kStep, kIsInContext},
    {"lstat ", "/merged/", kStep, "the stage or image that COPY --from names does not have it"},
    {"/buildkit-mount", "no such file or directory", kStep, kIsInContext},
    {"failed to walk ", "no such file or directory", kStep, kIsInContext},
    {"failed to read dockerfile", "unexpected EOF", kStep,
     "the archive that is the build context cannot be unpacked: it ends too early"},
    {"failed to read dockerfile", "no such file or directory", kStep, kIsInContext},
    {"failed to copy files", "no such file or directory", kStep, kIsInContext},
    {"no source files were specified", "", kStep,
     "the pattern of a COPY fits no file of the context, or .dockerignore excludes all that it "
     "fits"},

    // What 0.8 says of an image, which has no words of its own for that.
    {"failed to create LLB definition: ", ": not found", kRegistry, kNoSuchImage},

    // The network, last: what was being done says more.
    {"failed to push", "connection refused", kRegistry, "can the builder reach that registry?"},
    {"failed to do request", "", kRegistry, "can the builder reach that registry?"},
    {"connection refused", "", kStep, "can the builder reach that address?"},
    {"i/o timeout", "", kStep, "can the builder reach that address?"},
    {"failed to push", "", kRegistry, ""},
};

bool Fits(const Cause& cause, std::string_view text) {
  const std::size_t at = text.find(cause.says);
  return at != std::string_view::npos &&
         text.find(cause.and_says, at + cause.says.size()) != std::string_view::npos;
}

/// The text without the command of a step, which is the user's own: whatever it speaks of is not
/// what happened. BuildKit solver/llbsolver/ops/exec.go quotes it; 0.8 has it in brackets.
std::string WithoutCommand(std::string_view whole) {
  std::string text(whole);
  constexpr std::pair<std::string_view, std::string_view> kQuotes[] = {
      {"process \"", "\" did not complete successfully"},
      {"executor failed running [", "]: "},
  };
  for (const auto& [before, behind] : kQuotes) {
    const std::size_t at = text.find(before);
    const std::size_t end = text.rfind(behind);
    if (at == std::string::npos || end == std::string::npos || end < at + before.size()) continue;
    text.erase(at + before.size(), end - at - before.size());
  }
  return text;
}

}  // namespace

const Cause* FindCause(std::string_view text) {
  const std::string bare = WithStandardStatus(WithoutCommand(text));
  for (const Cause& cause : kCatalogue) {
    if (Fits(cause, bare)) return &cause;
  }
  return nullptr;
}

}  // namespace depot::solve
