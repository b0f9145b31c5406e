#pragma once

#include "driver/rpc/status.h"
#include "driver/solve/request.h"

namespace depot::solve {

/// Whether an exporter of `request` pushes to a registry.
bool PushesSomething(const BuildRequest& request);

/// Whether `status` says that the builder could not push, for a reason that may be gone a moment
/// later: a registry that answers 429 or 5xx, a connection that was refused, reset or silent. Not
/// when the registry has judged credentials or content, nor when the failure is another one. The
/// status's code decides where it says so; builders give most of it as text alone (BuildKit
/// exporter/containerimage/export.go, containerd core/remotes/docker).
bool PushMayPass(const rpc::Status& status, const BuildRequest& request);

/// Whether `status` says that a layer went away while it was written: two exports of one result
/// have met on the builder, the one that was lost and its successor (BuildKit cache/manager.go,
/// moby builder-next). By then the other one is over. An export that was cancelled at the wrong
/// moment leaves the record of a layer that is not there, which fails every export after it until
/// the cache is pruned, or the step has run again (moby/buildkit#6808).
bool LayerWasTaken(const rpc::Status& status);

/// Whether `status` says that the folder for a new snapshot was there already: left by a daemon
/// that was killed after it had made the folder and before it had noted so. Who meets it removes
/// it, and the number is given out again (containerd plugins/snapshots/overlay/overlay.go).
bool SnapshotWasLeft(const rpc::Status& status);

}  // namespace depot::solve
