"""A real Swarm of a test's own: two nodes in two network namespaces, and programs that run as if on its overlay network."""

import json
import subprocess
from pathlib import Path

from harness import RIG_FOLDER
from images import Engine

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

    def state_of(self, node):
        """"ready" or "down", as the manager sees it."""
        return next(one["Status"]["State"] for one in self._request("/nodes") if one["Description"]["Hostname"] == node)

    def tasks(self, service):
        """{task: (node, state, desired state)} of what a service has to run, or still runs."""
        names = {node["ID"]: node["Description"]["Hostname"] for node in self._request("/nodes")}
        services = {one["ID"]: one["Spec"]["Name"] for one in self._request("/services")}
        return {
            task["ID"]: (names.get(task.get("NodeID"), ""), task["Status"]["State"], task["DesiredState"])
            for task in self._request("/tasks")
            if services.get(task["ServiceID"]) == service and "running" in (task["Status"]["State"], task["DesiredState"])
        }

    def kill_one(self, service):
        """Kills a container of the service without warning, on `b` if there is one."""
        for node in "ba":
            if found := self.docker(node, "ps", "--quiet", "--filter", f"name=^{service}[.]").split():
                self.docker(node, "kill", "--signal", "KILL", found[0])
                return
        raise AssertionError(f"nothing runs of {service}")

    def close(self):
        self._process.stdin.close()
        self._process.wait(60)
        self._process.stdout.close()

    def _request(self, path):
        return json.loads(Engine(self.socket("a")).request("GET", path)[1])
