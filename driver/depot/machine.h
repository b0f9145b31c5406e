#pragma once

#include <memory>
#include <optional>

#include "driver/builder/driver.h"
#include "driver/builder/endpoint.h"
#include "driver/depot/build_record.h"
#include "driver/depot/step_reports.h"

namespace depot::api {

/// The machine that runs `platform` natively: linux/amd64 or linux/arm64 (depot/cli pkg/buildx,
/// nodes buildx_buildkit_depot_amd64 and _arm64); unset = the one like this machine. Others are
/// kUnsupported.
Result<Platform> MachinePlatform(const std::optional<Platform>& platform);

/// Checks what the API says of a machine: tcp://host:port and nothing else, TLS material that is
/// whole and readable, or none at all, which means plaintext. Failures are kInvalid.
Result<builder::Endpoint> MachineEndpoint(const Machine& machine);

/// HostedBuild::driver(). `reports` must outlive it, and it its builders: one that cannot connect
/// again takes another machine.
std::unique_ptr<builder::Driver> MakeMachineDriver(std::shared_ptr<BuildRecord> build,
                                                   StepReports& reports);

}  // namespace depot::api
