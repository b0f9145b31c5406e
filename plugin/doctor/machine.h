#pragma once

#include <string>
#include <vector>

#include "driver/base/environment.h"
#include "plugin/doctor/finding.h"

namespace depot::doctor {

/// Where docker looks for plugins, and what of ours lies there: the first one hides the others
/// (docker/cli cli-plugins/manager). `config` is the folder of config.json.
Finding CheckPluginPlaces(const std::string& config);

/// The docker client, which is only needed for `docker depot ...` and `docker build`.
Finding CheckDockerClient(const Environment& environment);

/// config.json in the folder `config`, DOCKER_AUTH_CONFIG and DOCKER_AUTH_ORDER: `faults` is what
/// was wrong with them.
Finding CheckSettings(const std::string& config, const std::vector<Error>& faults);

/// The proxies that the environment names: one that is no URL stops everything. Their passwords
/// are not shown.
Finding CheckProxies(const Environment& environment);

}  // namespace depot::doctor
