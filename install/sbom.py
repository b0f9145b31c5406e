#!/usr/bin/env python3
"""What a static binary is made of: an SPDX bill of materials, and the licences of what is inside.

    sbom.py spdx --build FOLDER --program NAME --version VERSION --architecture ARCH --output FILE
    sbom.py notices --output FILE SPDX-FILE...

Nothing is listed by hand. The linker's map (FOLDER/NAME.map) says which members of which archives went into the
program, ninja says which headers our own ones were compiled with, and dpkg says which packages these files come from.
A file that no package owns is an error: the list would be incomplete. SOURCE_DATE_EPOCH is the time that the document
carries.
"""

import argparse
import collections
import dataclasses
import hashlib
import json
import os
import re
import subprocess
import sys
import time
import urllib.parse
from pathlib import Path

# Debian's short names (https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/) as SPDX calls them. A name
# that is not here gives NOASSERTION: the licence itself is in the notices in any case.
_SPDX_NAMES = {
    "Apache-2.0": "Apache-2.0",
    "Artistic": "Artistic-1.0",
    "BSD-2-clause": "BSD-2-Clause",
    "BSD-3-Clause": "BSD-3-Clause",
    "BSD-3-Clause~Google": "BSD-3-Clause",
    "BSD-3-clause": "BSD-3-Clause",
    "BSD3": "BSD-3-Clause",
    "BSL-1.0": "BSL-1.0",
    "CC0": "CC0-1.0",
    "CC0-1.0": "CC0-1.0",
    "Expat": "MIT",
    "GPL-2": "GPL-2.0-only",
    "GPL-2+": "GPL-2.0-or-later",
    "GPL-3": "GPL-3.0-only",
    "GPL-3+": "GPL-3.0-or-later",
    "LGPL-2.1": "LGPL-2.1-only",
    "LGPL-2.1+": "LGPL-2.1-or-later",
    "LGPL-3+": "LGPL-3.0-or-later",
    "MIT": "MIT",
    "MIT/X11": "MIT",
    "Zlib": "Zlib",
    "curl": "curl",
    "zlib": "Zlib",
}
_ABOUT_NOTICES = """\
docker-depot and depot-pool are licensed under the Apache License, Version 2.0, and are linked statically with parts of
the Debian packages below. Their copyright notices and licences follow as Debian has them; a notice speaks of the whole
source package, so it may name licences of parts that are not in these programs. Debian keeps the sources of every
version (https://snapshot.debian.org): with them and the sources of these programs, the programs can be built again with
changed libraries.
"""
_COMMON_LICENCES = "/usr/share/common-licenses"


class Incomplete(Exception):
    """The list cannot be made; the text says why."""


@dataclasses.dataclass
class Package:
    """A Debian package that went into the program: by members of its archives, its headers, or both."""

    name: str
    architecture: str
    version: str
    source: str
    source_version: str
    archives: set = dataclasses.field(default_factory=set)

    @property
    def spdx_id(self):
        return "SPDXRef-Debian-" + re.sub(r"[^A-Za-z0-9.-]", "-", f"{self.name}-{self.architecture}")

    @property
    def purl(self):
        """https://github.com/package-url/purl-spec, type deb; `upstream` is the source package."""
        qualifiers = {"arch": self.architecture, "distro": _distribution()}
        if (self.source, self.source_version) != (self.name, self.version):
            qualifiers["upstream"] = f"{self.source}@{self.source_version}"
        quoted = "&".join(f"{key}={_quoted(value)}" for key, value in sorted(qualifiers.items()))
        return f"pkg:deb/debian/{_quoted(self.name)}@{_quoted(self.version)}?{quoted}"


def _quoted(text):
    return urllib.parse.quote(text, safe="~")


def _distribution():
    release = dict(re.findall(r'^(\w+)="?([^"\n]*)', Path("/etc/os-release").read_text(), re.M))
    return f"{release['ID']}-{release['VERSION_ID']}"


def _output_of(*command):
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        said = done.stderr.strip()[:2000]
        raise Incomplete(f"{' '.join(command[:4])} failed with exit code {done.returncode}: {said}")
    return done.stdout


def linked_files(map_text):
    """(archive, member) of every archive member in a map of GNU ld, and (object, None) of every single object file."""
    members = re.search(r"^Archive member included .*\n\n((?:.+\n)*)", map_text, re.M)
    if not members:
        raise Incomplete("the linker's map does not list archive members")
    found = set(re.findall(r"^(\S.*?)\(([^()\s]+)\)", members[1], re.M))
    found |= {(name, None) for name in re.findall(r"^LOAD (.+\.o)$", map_text, re.M)}
    return found


def headers_of(objects, dependencies):
    """What these object files were compiled from, by the text of `ninja -t deps`; paths as ninja has them."""
    known = {}
    for paragraph in dependencies.split("\n\n"):
        first, _, rest = paragraph.partition("\n")
        known[first.partition(":")[0]] = [line.strip() for line in rest.splitlines()]
    found, waiting = set(), list(objects)
    while waiting:
        name = waiting.pop()
        if name not in known:
            raise Incomplete(f"ninja does not know what {name} was compiled from: build again in an empty folder")
        fresh = set(known[name]) - found
        found |= fresh
        waiting += [path for path in fresh if path in known]
    return found


def own_objects(files, dependencies):
    """The object files among `files` that the build made, by their names in the build folder."""
    outputs = re.findall(r"^(\S[^:\n]*):", dependencies, re.M)
    in_library = {}
    for output in outputs:
        if match := re.match(r"(?:.*/)?CMakeFiles/([^/]+)\.dir/(?:.*/)?([^/]+)$", output):
            in_library[match[1], match[2]] = output
    for name, member in files:
        if name.startswith("/"):
            continue
        if member is None:
            yield name
            continue
        library = re.sub(r"^lib|\.a$", "", name.rpartition("/")[2])
        if (library, member) not in in_library:
            raise Incomplete(f"no object file of this build is {member} of {name}")
        yield in_library[library, member]


def installed_owners(paths, architecture):
    """path -> the installed package that owns it; of several architectures the program's own, if it is among them."""
    owners = {}
    # Fails when one path has no owner, and finds those of the others all the same.
    listing = subprocess.run(["dpkg-query", "--search", *sorted(paths)], capture_output=True, text=True, check=False)
    for line in listing.stdout.splitlines():
        names, _, path = line.partition(": ")
        if path in paths and not names.startswith("diversion by "):
            names = names.split(", ")
            owners[path] = min(names, key=lambda name: (not name.endswith(":" + architecture), name))
    if missing := sorted(paths - set(owners)):
        raise Incomplete(f"no Debian package owns {', '.join(missing[:5])}, which the program is made of")
    form = r"${binary:Package}\t${Package}\t${Architecture}\t${Version}\t${source:Package}\t${source:Version}\n"
    packages = {}
    for line in _output_of("dpkg-query", "--show", "--showformat=" + form, *sorted(set(owners.values()))).splitlines():
        name, *fields = line.split("\t")
        packages[name] = packages[name.partition(":")[0]] = Package(*fields)
    return {path: packages[owner] for path, owner in owners.items()}


def unpacked_owner(path):
    """The package that `dpkg-deb --raw-extract` unpacked `path` from, by DEBIAN/control above it, or None."""
    for folder in Path(path).parents:
        if (folder / "DEBIAN/control").is_file():
            control = dict(re.findall(r"^([\w-]+): (.*)$", (folder / "DEBIAN/control").read_text(), re.M))
            source = re.fullmatch(r"(\S+)(?: \((.+)\))?", control.get("Source", control["Package"]))
            version = control["Version"]
            return Package(control["Package"], control["Architecture"], version, source[1], source[2] or version)
    return None


def packages_in(build, program, architecture):
    """The packages of everything in `program` that was not compiled here from the project's own files."""
    dependencies = _output_of("ninja", "-C", str(build), "--quiet", "-t", "deps")
    files = linked_files((build / f"{program}.map").read_text(errors="surrogateescape"))
    archives = {os.path.realpath(name) for name, _ in files if name.startswith("/")}
    unpacked = {path: owner for path in archives if (owner := unpacked_owner(path))}
    cache = (build / "CMakeCache.txt").read_text()
    sources = re.search(r"^CMAKE_HOME_DIRECTORY:\w+=(.*)$", cache, re.M)[1]
    own = tuple(os.path.realpath(folder) + "/" for folder in (build, sources))
    headers = {
        os.path.realpath(build / path) for path in headers_of(own_objects(files, dependencies), dependencies)
    }
    headers = {path for path in headers if not path.startswith(own)}
    owners = unpacked | installed_owners((archives | headers) - set(unpacked), architecture)
    packages = {}
    for path, owner in sorted(owners.items()):
        package = packages.setdefault((owner.name, owner.architecture), owner)
        if path in archives:
            package.archives.add(os.path.basename(path))
    # Headers may come from the package of another architecture than the archive of the same library.
    linked = {package.name for package in packages.values() if package.archives}
    return [package for package in packages.values() if package.archives or package.name not in linked]


def declared_licence(copyright_text):
    """The SPDX expression of what a machine-readable copyright file says of C files in general, else NOASSERTION."""
    words = []
    for stanza in copyright_text.split("\n\n"):
        fields = dict(re.findall(r"^([\w-]+):((?:.*)(?:\n[ \t]+.*)*)", stanza, re.M))
        # The last stanza that matches holds. Only the first line of a licence is its name.
        if {"*", "*.c"} & set(fields.get("Files", "").split()) and "License" in fields:
            words = fields["License"].partition("\n")[0].replace(",", "").split()
    spdx = [{"or": "OR", "and": "AND"}.get(word) or _SPDX_NAMES.get(word) for word in words]
    if not spdx or None in spdx:
        return "NOASSERTION"
    return spdx[0] if len(spdx) == 1 else f"({' '.join(spdx)})"


def copyright_of(package):
    path = Path("/usr/share/doc", package, "copyright")
    # One that is only unpacked has its own.
    unpacked = Path(__file__).parents[1].glob(f"build/debian-*/{package}/{path.relative_to('/')}")
    try:
        return next((one for one in (path, *unpacked) if one.exists()), path).read_text(errors="replace")
    except OSError as error:
        raise Incomplete(f"the licence of {package} cannot be read: {path}: {error.strerror}") from None


def _package_entry(package):
    made_of = ", ".join(sorted(package.archives)) or "headers alone"
    return {
        "SPDXID": package.spdx_id,
        "name": package.name,
        "versionInfo": package.version,
        "supplier": "Organization: Debian",
        "downloadLocation": "NOASSERTION",
        "filesAnalyzed": False,
        "sourceInfo": f"built from: {package.source} {package.source_version}",
        "licenseConcluded": "NOASSERTION",
        "licenseDeclared": declared_licence(copyright_of(package.name)),
        "copyrightText": "NOASSERTION",
        "comment": f"linked: {made_of}",
        "externalRefs": [
            {"referenceCategory": "PACKAGE-MANAGER", "referenceType": "purl", "referenceLocator": package.purl}
        ],
    }


def _relationship(first, kind, second):
    return {"spdxElementId": first, "relationshipType": kind, "relatedSpdxElement": second}


def document(binary, name, program, version, packages, seconds):
    """The SPDX 2.3 document (https://spdx.github.io/spdx-spec/v2.3/) of the file `binary`, delivered as `name`."""
    data = binary.read_bytes()
    sha1 = hashlib.sha1(data, usedforsecurity=False).hexdigest()
    main, file = "SPDXRef-Package-" + program, "SPDXRef-File-" + program
    packages = sorted(packages, key=lambda package: (package.name, package.architecture))
    spdx = {
        "spdxVersion": "SPDX-2.3",
        "dataLicense": "CC0-1.0",
        "SPDXID": "SPDXRef-DOCUMENT",
        "name": name,
        "creationInfo": {
            "created": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds)),
            "creators": [f"Tool: docker-depot-sbom-{version}"],
        },
        "packages": [
            {
                "SPDXID": main,
                "name": program,
                "versionInfo": version,
                "packageFileName": name,
                "primaryPackagePurpose": "APPLICATION",
                "downloadLocation": "NOASSERTION",
                "filesAnalyzed": True,
                # Section 7.9: the hash of the sorted hashes of all files, here of the one there is.
                "packageVerificationCode": {
                    "packageVerificationCodeValue": hashlib.sha1(sha1.encode(), usedforsecurity=False).hexdigest()
                },
                "licenseConcluded": "NOASSERTION",
                "licenseDeclared": "Apache-2.0",
                "licenseInfoFromFiles": ["NOASSERTION"],
                "copyrightText": "NOASSERTION",
            },
            *map(_package_entry, packages),
        ],
        "files": [
            {
                "SPDXID": file,
                "fileName": "./" + name,
                "fileTypes": ["APPLICATION", "BINARY"],
                "checksums": [
                    {"algorithm": "SHA1", "checksumValue": sha1},
                    {"algorithm": "SHA256", "checksumValue": hashlib.sha256(data).hexdigest()},
                ],
                "licenseConcluded": "NOASSERTION",
                "licenseInfoInFiles": ["NOASSERTION"],
                "copyrightText": "NOASSERTION",
            }
        ],
        "relationships": [
            _relationship("SPDXRef-DOCUMENT", "DESCRIBES", main),
            _relationship(main, "CONTAINS", file),
            *(_relationship(main, "STATIC_LINK", package.spdx_id) for package in packages),
        ],
    }
    # Unique to this content, and the same whenever the content is.
    digest = hashlib.sha256(json.dumps(spdx, sort_keys=True).encode()).hexdigest()
    spdx["documentNamespace"] = f"https://spdx.org/spdxdocs/{name}-{version}-{digest}"
    return spdx


def write_spdx(options):
    try:
        seconds = int(os.environ["SOURCE_DATE_EPOCH"])
    except (KeyError, ValueError):
        raise Incomplete("SOURCE_DATE_EPOCH must be set to the time of the release, in seconds") from None
    packages = packages_in(options.build, options.program, options.architecture)
    name = f"{options.program}-linux-{options.architecture}"
    spdx = document(options.build / options.program, name, options.program, options.version, packages, seconds)
    options.output.write_text(json.dumps(spdx, indent=1) + "\n")


def write_notices(options):
    """The copyright files of every package in the documents, equal ones once, and the licences that they refer to."""
    users, texts = collections.defaultdict(set), {}
    for path in options.documents:
        for package in json.loads(path.read_text())["packages"]:
            if package["filesAnalyzed"]:
                continue
            text = copyright_of(package["name"])
            digest = hashlib.sha256(text.encode()).hexdigest()
            texts[digest] = text
            users[digest].add(f"{package['name']} {package['versionInfo']}")
    line = "=" * 78
    parts = [_ABOUT_NOTICES]
    for digest, names in sorted(users.items(), key=lambda item: sorted(item[1])):
        parts.append("\n".join([line, *sorted(names), line, "", texts[digest].strip("\n"), ""]))
    referred = {
        os.path.realpath(path.rstrip("."))
        for text in texts.values()
        for path in re.findall(rf"{_COMMON_LICENCES}/[A-Za-z0-9.-]+", text)
    }
    for path in sorted(filter(os.path.isfile, referred)):
        text = Path(path).read_text(errors="replace")
        parts.append("\n".join([line, f"{_COMMON_LICENCES}/{os.path.basename(path)}", line, "", text.strip("\n"), ""]))
    options.output.write_text("\n".join(parts))


def main():
    parser = argparse.ArgumentParser(description="An SPDX bill of materials of a static binary, and its licences.")
    commands = parser.add_subparsers(required=True)
    spdx = commands.add_parser("spdx", help="write the SPDX document of one program")
    spdx.add_argument("--build", type=Path, required=True, help="the build folder")
    spdx.add_argument("--program", required=True, help="the program in it")
    spdx.add_argument("--version", required=True)
    spdx.add_argument("--architecture", required=True, help="as Debian calls it")
    spdx.set_defaults(run=write_spdx)
    notices = commands.add_parser("notices", help="write the licences of all packages in SPDX documents")
    notices.add_argument("documents", type=Path, nargs="+")
    notices.set_defaults(run=write_notices)
    for command in (spdx, notices):
        command.add_argument("--output", type=Path, required=True)
    options = parser.parse_args()
    try:
        options.run(options)
    except (Incomplete, OSError) as error:
        sys.exit(f"sbom.py: {error}")


if __name__ == "__main__":
    main()
