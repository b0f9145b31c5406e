"""Root folders with busybox in them and nothing else: no glibc, no /etc, no /dev, no CA bundle.

    from bare_root import BareRootTest

    class Somewhere(BareRootTest):
        def test_a_build(self):
            root = self.bare_root()
            self.run_in(root, "/bin/docker-depot", "build", "/src", env={"DEPOT_BUILDER": ...})
"""

import os
import shutil
from pathlib import Path

from harness import EndToEnd, Running

_CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")


def busybox():
    """Debian's static busybox, which the rig has unpacked."""
    packages = _CACHE / "docker-depot" / "rig" / "packages" / "bookworm-amd64"
    return next(packages.glob("busybox-static_*/bin/busybox"))


class BareRootTest(EndToEnd):
    def bare_root(self, entries=None, plugin=True):
        """A new one: all of busybox in /bin, and docker-depot; {path: content} comes on top."""
        self._count += 1
        root = self.folder / f"root{self._count}"
        (root / "bin").mkdir(parents=True)
        root.chmod(0o755)
        shutil.copy(busybox(), root / "bin" / "busybox")
        if plugin:
            self.link_or_copy(self._plugin(), root / "bin" / "docker-depot")
        self.run_in(root, "/bin/busybox", "--install", "-s", "/bin")
        for path, content in (entries or {}).items():
            self.write_in(root, path, content)
        return root

    def link_or_copy(self, source, target):
        try:
            os.link(source, target)
        except OSError:
            shutil.copy(source, target)

    def write_in(self, root, path, content, mode=0o644):
        place = root / path.lstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content.encode() if isinstance(content, str) else content)
        place.chmod(mode)

    def start_in(self, root, *argv, env=None, stdin=None, user=0):
        """The environment is PATH=/bin and `env`, nothing else."""
        self._count += 1
        place = self.folder / f"run{self._count}"
        place.mkdir()
        environment = {"PATH": "/bin", "BUILDX_NO_DEFAULT_ATTESTATIONS": "1", **(env or {})}
        argv = ["/usr/sbin/chroot", f"--userspec={user}:{user}", root, *argv]
        running = Running(argv, place, stdin, env={k: str(v) for k, v in environment.items()})
        self._started.append(running)
        return running

    def run_in(self, root, *argv, check=0, timeout=120, **options):
        return self._finish(self.start_in(root, *argv, **options), check, timeout)

    def pem_variables(self, **changes):
        """DEPOT_BUILDER* for the builder "tls" that name no file: the settings are PEM text."""
        values = {"DEPOT_BUILDER": self.rig["BUILDER"], **self.tls_variables()}
        for name in ("CACERT", "CERT", "KEY"):
            variable = f"DEPOT_BUILDER_{name}"
            values[variable] = Path(values[variable]).read_text()
        return {k: v for k, v in {**values, **changes}.items() if v is not None}
