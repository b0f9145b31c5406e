#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "driver/base/cancel.h"
#include "driver/base/result.h"

namespace depot::solve {

/// One exporter as it goes on the wire; its index in BuildRequest::exporters is its id.
struct Exporter {
  std::string type;  ///< image, moby, local, tar, oci, docker
  std::map<std::string, std::string> attrs;
};

/// One place that cached steps come from or go to, as it goes on the wire.
struct CacheEntry {
  std::string type;                          ///< registry, local, inline, gha, s3, azblob
  std::map<std::string, std::string> attrs;  ///< may hold credentials
};

/// Something that not every BuildKit can do, and that one which cannot leaves out without a word.
struct Capability {
  std::string id;        ///< in BuildKit's own list (solver/pb/caps.go)
  std::string lacking;   ///< what to say of a builder without it, one line
  bool required = true;  ///< without it the solve fails; else the line is a warning
};

/// A directory of this machine whose files the session offers with times that stand for their
/// content (files::MakeContentTimesTree()). No step may see those: the builder makes a copy of it
/// in which everything has one time, and the frontend gets that copy.
struct DatedContext {
  std::string local;      ///< its name in the session, and in the frontend's own requests
  std::string input;      ///< the name under which the frontend looks for the copy
  std::string attribute;  ///< what names it to the frontend, `context:NAME`; "" = the main context
  std::int64_t time_ns = 0;  ///< of the copy's files, since 1970
  std::string mark;          ///< the exclude pattern by which the session knows who asks
  std::string key;  ///< goes into what the builder keeps its copy under, beside what is asked for
};

/// How a frontend asks for a local source.
struct LocalFilter {
  std::set<std::string> follow;  ///< paths that are taken, with what they link to; empty = all
  std::string rest;  ///< all else that it says: sources with the same text can be made one
};

/// By the names of the sources.
using LocalFilters = std::map<std::string, LocalFilter>;

/// What several solves ask for instead, so that the builder takes their sources for one.
struct SharedFilter {
  std::set<std::string> follow;  ///< what all of them take; empty = everything
  std::string key;               ///< goes into what the builder keeps its copy under
};

/// By the names of the sources.
using SharedFilters = std::map<std::string, SharedFilter>;

/// Local sources that other solves of the builder may need too.
struct Sharing {
  /// By their names what names them to the frontend, as DatedContext::attribute.
  std::map<std::string, std::string> contexts;
  /// How they are to be asked for when the frontend asks as it does; what it leaves out is good as
  /// it is. May block, and must heed `cancel`; null = nothing is shared.
  std::function<SharedFilters(const LocalFilters& asked, const Cancel& cancel)> agree;
};

/// Everything that one solve asks of a builder; a value, made by plugin/plan. Secrets, trees and
/// credentials are not in it: the builder asks for them in the session.
struct BuildRequest {
  std::string frontend;  ///< "dockerfile.v0" or "gateway.v0"
  std::map<std::string, std::string> frontend_attrs;
  std::vector<Exporter> exporters;  ///< empty: the result stays in the builder's cache
  std::vector<CacheEntry> cache_imports;
  std::vector<CacheEntry> cache_exports;  ///< written after the exporters, and part of the solve
  bool internal = false;                  ///< the builder keeps no record of this solve
  bool watched = true;                    ///< the builder is asked for progress
  std::vector<std::string> entitlements;
  std::vector<Capability> capabilities;  ///< asked for before the frontend runs
  /// What the frontend is asked instead of being told to build (`lint`, `outline`; BuildKit
  /// frontend/subrequests): nothing is built, and its answer is in BuildResult::answer. "" = build.
  std::string call;
  std::string source_policy;  ///< for the builder to obey: of ParseSourcePolicy(); "" = none
  /// Where frontend and builder can do it; else they are sent as they are.
  std::vector<DatedContext> dated;
  bool explain = false;  ///< say why `dated` was not followed
  /// DockerfileInput(), with which a build's frontend need not ask for its Dockerfile. A call's
  /// answer tells where it is from, so that is asked as ever. "" = the frontend asks.
  std::string dockerfile;
  /// Inputs of the frontend by name, each a pb.Definition as bytes: LinkResult(). Then `dated` has
  /// no effect.
  std::map<std::string, std::string> inputs;
  /// Gets the frontend's result (gateway.proto, Result, as bytes) before the builder goes on with
  /// it; until it returns the session stays open. Its Error fails the build. May block, and must
  /// heed `cancel`.
  std::function<Result<>(const std::string& result, const Cancel& cancel)> on_result;
  /// Called when the solve has ended well: the session stays open until it returns, since others
  /// name it in their local_sessions. May block, and must heed `cancel`.
  std::function<void(const Cancel& cancel)> linger;
  std::string shared_key;  ///< of the session; "" when there is no local context
  std::string session;     ///< the session's id; "" = Solve() makes one up
  /// The local sources that count as those of another session, by their names its id: a builder
  /// that has them from a solve which still runs does not ask for them again (BuildKit
  /// frontend/dockerui, `local-sessionid:`).
  std::map<std::string, std::string> local_sessions;
  Sharing sharing;
  bool may_pack = false;             ///< what the session sends: SessionIdentity::may_pack
  std::chrono::seconds silence{20};  ///< of the builder, after which it counts as lost
  std::string ref;  ///< the build's id, new to the builder; "" = Solve() makes one up
};

}  // namespace depot::solve
