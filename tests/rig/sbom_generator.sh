#!/bin/sh
# An SBOM generator (BuildKit docs/attestations/sbom-protocol.md): lists the Debian packages of each root.
set -eu

# scan NAME ROOT
scan() {
  status="$2/var/lib/dpkg/status"
  [ -e "$status" ] || status=/dev/null
  awk -v name="$1" '
    BEGIN {
      printf "{\"_type\":\"https://in-toto.io/Statement/v0.1\",\"subject\":[],"
      printf "\"predicateType\":\"https://spdx.dev/Document\",\"predicate\":{"
      printf "\"spdxVersion\":\"SPDX-2.3\",\"dataLicense\":\"CC0-1.0\",\"SPDXID\":\"SPDXRef-DOCUMENT\","
      printf "\"name\":\"%s\",\"documentNamespace\":\"https://sbom.test/%s\",", name, name
      printf "\"creationInfo\":{\"creators\":[\"Tool: rig\"],\"created\":\"2020-01-01T00:00:00Z\"},"
      printf "\"packages\":["
    }
    $1 == "Package:" { package = $2 }
    $1 == "Version:" {
      printf "%s{\"name\":\"%s\",\"SPDXID\":\"SPDXRef-%s\",", comma, package, package
      printf "\"versionInfo\":\"%s\",\"downloadLocation\":\"NOASSERTION\"}", $2
      comma = ","
    }
    END { print "]}}" }
  ' "$status" >"$BUILDKIT_SCAN_DESTINATION/$1.spdx.json"
}

scan "$(basename "$BUILDKIT_SCAN_SOURCE")" "$BUILDKIT_SCAN_SOURCE"
if [ -d "${BUILDKIT_SCAN_SOURCE_EXTRAS:-}" ]; then
  for root in "$BUILDKIT_SCAN_SOURCE_EXTRAS"/*; do
    scan "$(basename "$root")" "$root"
  done
fi
