#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace depot {

/// Builder clock or ours, in nanoseconds since 1970.
using Timestamp = std::chrono::sys_time<std::chrono::nanoseconds>;

/// One node of the build graph, or a local step of ours. Seen many times; `digest` is its identity.
/// A restarted vertex has a new `started` and no `completed`. (BuildKit control.proto, Vertex)
struct Vertex {
  std::string digest;
  std::vector<std::string> inputs;
  std::string name;
  bool cached = false;
  std::optional<Timestamp> started;
  std::optional<Timestamp> completed;
  std::string error;     ///< ends in "context canceled" when the build was cancelled
  std::string group_id;  ///< progress group; empty = none
  std::string group_name;
  bool group_weak = false;
};

/// How far one part of a vertex is; identity is (vertex, id). (control.proto, VertexStatus)
struct VertexStatus {
  std::string id;      ///< the label shown
  std::string vertex;  ///< digest
  std::string name;    ///< the action word, e.g. "transferring"
  std::int64_t current = 0;
  std::int64_t total = 0;
  Timestamp timestamp{};
  std::optional<Timestamp> started;
  std::optional<Timestamp> completed;
};

/// Output of a step; raw bytes, in chunks that need not end at a line's end.
struct VertexLog {
  std::string vertex;
  Timestamp timestamp{};
  int stream = 1;  ///< 1 standard output, 2 standard error
  std::string data;
};

/// Lines are 1-based; 0 = unknown, also as a character.
struct SourceRange {
  int start_line = 0;
  int end_line = 0;
  int start_character = 0;
  int end_character = 0;
};

/// A warning of the frontend about the Dockerfile. (control.proto, VertexWarning)
struct VertexWarning {
  std::string vertex;
  int level = 0;
  std::string short_text;
  std::vector<std::string> detail;
  std::string url;
  std::string filename;
  std::string source;  ///< the whole file, to show an excerpt
  std::vector<SourceRange> ranges;
  std::string language{};  ///< of `source`, as the frontend calls it
};

/// One line of ours beside the build's own steps: which builder, which credentials, what is waited
/// for. Shown once, as `#0 TEXT` in plain progress; not part of the build graph.
struct Notice {
  std::string text;
};

using Event = std::variant<Vertex, VertexStatus, VertexLog, VertexWarning, Notice>;

}  // namespace depot
