"""A real Swarm of a test's own: two nodes in two network namespaces, and programs that run as if on its overlay network."""

import json
import subprocess
from pathlib import Path

from harness import RIG_FOLDER

ROOT = Path(__file__).resolve().parents[2]


class Swarm:
    """Nodes `a`, which is the manager and where the test's own programs run, and `b`, with a link between them. `image` is the folder
    that becomes the image `depot-pool`; it needs /busybox. Gone with close(), or with the test however that ends.
    """

    def __init__(self, rig, folder, image):
        self._docker = rig["DOCKER"]
        self._folder = folder
        programs = RIG_FOLDER / "engines/containerd/bin"
        place = folder / "programs"
        place.mkdir()
        for program in [*programs.iterdir(), Path(self._docker)]:
            (place / program.name).symlink_to(program.resolve())
        self.log = folder / "swarm.log"
        with open(self.log, "wb") as log:
            self._process = subprocess.Popen(
                [ROOT / "tests/rig/swarm", place, image],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                start_new_session=True,
            )
        self._outside = self._process.stdout.readline().strip()
        if not self._outside:
            raise AssertionError(f"no Swarm:\n{self.log.read_text()[-4000:]}")

    def socket(self, node):
        return f"/proc/{self._outside}/root/run/{node}/docker.sock"

    def docker(self, node, *words, env=None, output=subprocess.PIPE):
        """What `docker WORDS` says on a node."""
        argv = [self._docker, "-H", f"unix://{self.socket(node)}", *words]
        home = {"HOME": str(self._folder), "DOCKER_CONFIG": str(self._folder)}
        done = subprocess.run(argv, stdout=subprocess.PIPE, stderr=output, text=True, timeout=60, env={**home, **(env or {})}, check=False)
        if done.returncode:
            raise AssertionError(f"docker {' '.join(map(str, words))}: {done.stderr}")
        return done.stdout.strip()

    def inside(self, container):
        """The words before a command that make it run in the network of a container on `a`, names included."""
        network = self.docker("a", "inspect", "--format", "{{.NetworkSettings.SandboxKey}}", container)
        names = self._folder / "resolv.conf"
        names.write_text("nameserver 127.0.0.11\n")
        mount = f'mount --bind {names} /etc/resolv.conf && exec "$@"'
        place = f"/proc/{self._outside}/root{network}"
        return ["nsenter", f"--net={place}", "unshare", "--mount", "sh", "-c", mount, "sh"]

    def link(self, state):
        """The link between the nodes, "up" or "down"."""
        argv = ["nsenter", "--net", "--target", self._outside, "ip", "link", "set", "wire", state]
        subprocess.run(argv, check=True, timeout=30)

    def nodes(self):
        """{name: (its state, its availability)}"""
        rows = self.docker("a", "node", "ls", "--format", "{{.Hostname}} {{.Status}} {{.Availability}}").splitlines()
        return {name: (state, availability) for name, state, availability in map(str.split, rows)}

    def tasks(self, service):
        """What runs of a service, or still runs although it shall not: [(node, slot, state, desired state)]."""
        tasks = json.loads(self._request(f"/tasks?filters=%7B%22service%22%3A%5B%22{service}%22%5D%7D"))
        names = {node["ID"]: node["Description"]["Hostname"] for node in json.loads(self._request("/nodes"))}
        rows = [
            (names.get(task.get("NodeID"), ""), task.get("Slot", 0), task["Status"]["State"], task["DesiredState"])
            for task in tasks
        ]
        return [row for row in rows if row[2] in ("running", "starting", "preparing", "ready") or row[3] == "running"]

    def container(self, service):
        """(node, container) of a task of a service that runs, on `b` if there is one."""
        for node in "ba":
            if found := self.docker(node, "ps", "--quiet", "--filter", f"name=^{service}[.]").split():
                return node, found[0]
        raise AssertionError(f"nothing runs of {service}")

    def close(self):
        self._process.stdin.close()
        self._process.wait(60)
        self._process.stdout.close()

    def _request(self, path):
        import images

        return images.Engine(self.socket("a")).request("GET", path)[1]
