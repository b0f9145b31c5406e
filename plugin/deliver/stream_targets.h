#pragma once

#include <memory>
#include <string>

#include "driver/base/fd.h"
#include "driver/disk/whole_file.h"
#include "driver/docker/engine.h"
#include "driver/event/sink.h"
#include "driver/session/targets.h"

namespace depot::deliver {

/// An exporter's archive as a file: `file` was opened before the build and gets its final name only
/// with Commit() after the build has succeeded. `file` must outlive the target.
std::unique_ptr<session::StreamTarget> MakeFileTarget(disk::WholeFile& file);

/// An exporter's archive on a descriptor that is ours to close (a copy of standard output).
std::unique_ptr<session::StreamTarget> MakeDescriptorTarget(Fd descriptor);

/// One builder's part of an archive, in a file that nobody else reads before it is whole.
std::unique_ptr<session::StreamTarget> MakePartTarget(Fd file);

/// An exporter's archive, piped into the Engine while it arrives: nothing is stored in between. The
/// Engine is called with the first byte; End() waits until it has the image. Both must outlive the
/// target.
std::unique_ptr<session::StreamTarget> MakeLoadTarget(docker::Engine& engine, EventSink& sink);

}  // namespace depot::deliver
