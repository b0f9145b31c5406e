"""Builders and Engines behind a program: ssh, docker, podman, nerdctl, kubectl."""

import contextlib
import json
import os
import signal
from pathlib import Path

from harness import FAILURES, EndToEnd, processes
from relays import SocketProxy
from tunnels import Programs, Sshd


class EndpointsTest(EndToEnd):
    def setUp(self):
        super().setUp()
        self.programs = Programs(self.folder / "bin")

    def small(self, *lines):
        steps = "\n".join(lines or [f"RUN echo {self.image_name()} >/word"])
        return self.context(
            {
                "Dockerfile": f"FROM {self.rig['BASE']} AS steps\n{steps}\n"
                "FROM scratch\nCOPY --from=steps /word /\n"
            }
        )

    def endless(self):
        step = self.endless_step()
        return self.context({"Dockerfile": f"FROM {self.rig['BASE']}\nRUN {step}\n"}), step

    def builds(self, builder=None, env=None, path=None, **options):
        """Builds, and looks at what was made; the result."""
        out = self.work / f"out{len(self.results)}"
        env = {"PATH": path or self.programs.path(), **(env or {})}
        result = self.build("-o", out, self.small(), builder=builder, env=env, **options)
        self.assertIn("e2e-", (out / "word").read_text())
        return result

    def fails(self, builder=None, env=None, path=None, **options):
        env = {"PATH": path or self.programs.path(), **(env or {})}
        return self.build(self.small(), builder=builder, env=env, check=110, **options)

    def children_of(self, pid):
        """Processes whose parent is `pid`, dead ones too."""
        found = []
        for process in processes():
            with contextlib.suppress(OSError):
                parent = (process / "stat").read_text().rpartition(")")[2].split()[1]
                if int(parent) == pid:
                    found.append(process.name)
        return found

    def alive(self, pid):
        with contextlib.suppress(OSError):
            return " Z " not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2]
        return False

    def assert_dies(self, pid):
        self.wait_until(lambda: not self.alive(pid), 10, f"process {pid} is left behind")


class Ssh(EndpointsTest):
    def setUp(self):
        super().setUp()
        self.remote = Programs(self.folder / "remote")
        self.remote.add_dialler("buildctl", self.plain_address())
        self.sshd = Sshd(self.folder / "sshd", self.remote)
        self.addCleanup(self.sshd.close)
        self.path = self.sshd.client.path()

    def test_over_ssh(self):
        result = self.builds(self.sshd.url(), path=self.path)
        self.assertIn(f"building on {self.sshd.url()}", result.stderr)

    def test_the_socket_of_the_url_reaches_buildctl(self):
        record = self.remote.add_recorder("buildctl", self.plain_address())
        self.builds(self.sshd.url("/run/other/buildkitd.sock"), path=self.path)
        self.assertEqual(
            record.read_text().split(),
            ["--addr", "unix:///run/other/buildkitd.sock", "dial-stdio"],
        )

    def test_a_host_that_is_not_known(self):
        self.sshd.know_host(False)
        result = self.fails(self.sshd.url(), path=self.path)
        self.assertRegex(
            result.stderr, r"ERROR: builder ssh://.*exit code 255: .*Host key verification failed"
        )
        self.assertIn("does this work by hand? ssh -l root", result.stderr)
        self.assertLess(result.seconds, 15)

    def test_a_key_that_is_not_known(self):
        self.sshd.use_key("stranger")
        result = self.fails(self.sshd.url(), path=self.path)
        self.assertRegex(result.stderr, r"ERROR: builder ssh://.*Permission denied \(publickey")

    def test_nobody_listens(self):
        address = self.closed_port()
        result = self.fails(f"ssh://{address}", path=self.path)
        self.assertRegex(result.stderr, r"ERROR: .*exit code 255: .*Connection refused")

    def test_no_buildctl_there(self):
        (self.remote.folder / "buildctl").unlink()
        result = self.fails(self.sshd.url(), path=self.path)
        self.assertRegex(result.stderr, r"ERROR: .*exit code 127: .*buildctl")

    def test_no_ssh_here(self):
        result = self.fails("ssh://host", path=self.programs.folder)
        self.assertIn("run ssh: no such file or directory", result.stderr)
        self.assertIn("ssh: install it", result.stderr)

    def test_the_program_ends_in_the_middle_of_a_build(self):
        context, step = self.endless()
        running = self.start_plugin(
            "build", "--retries=0", context, builder=self.sshd.url(), env={"PATH": self.path}
        )
        self.wait_for_step(step)
        (child,) = self.children_of(running.pid)
        os.kill(int(child), signal.SIGTERM)
        result = running.wait(20)
        self.assertIn(result.rc, FAILURES, str(result))
        self.assertRegex(
            result.stderr, r"ERROR: lost the builder ssh://\S+ after \d+ s: ssh ended with exit code"
        )
        self.assertIn("what was built comes from the cache", result.stderr)
        self.assert_step_ends(step)

    def test_the_server_goes_away_in_the_middle_of_a_build(self):
        context, step = self.endless()
        running = self.start_plugin(
            "build", "--retries=0", context, builder=self.sshd.url(), env={"PATH": self.path}
        )
        self.wait_for_step(step)
        # Logins lead groups of their own: the one of this build is the parent of its buildctl.
        self.sshd.close_logins()
        result = running.wait(20)
        self.assertIn(result.rc, FAILURES, str(result))
        # What ssh says of it, if anything, depends on which side is the first to notice.
        said = r"ERROR: lost the builder ssh://\S+ after \d+ s: .*(closed by remote host|exit code 255)"
        self.assertRegex(result.stderr, said)
        self.assert_step_ends(step)

    def test_ctrl_c_leaves_no_child(self):
        for number in (signal.SIGINT, signal.SIGKILL):
            with self.subTest(signal=number):
                context, step = self.endless()
                running = self.start_plugin(
                    "build", context, builder=self.sshd.url(), env={"PATH": self.path}
                )
                self.wait_for_step(step)
                (child,) = self.children_of(running.pid)
                running.send(number)
                result = running.wait(10)
                self.assertEqual(result.rc, 130 if number == signal.SIGINT else -number)
                self.assert_dies(child)
                self.assert_step_ends(step)

    def test_an_engine_behind_ssh(self):
        docker = self.rig["DOCKER"]
        self.remote.add_link("docker", docker)
        socket = self.rig["ENGINE_CONTAINERD"].removeprefix("unix://")
        env = {"DOCKER_HOST": self.sshd.url(socket), "PATH": self.path}
        image = self.image_name()
        self.build("-t", image, self.small(), env=env)
        self.assertIsNotNone(self.engine("containerd").inspect(image))
        # The images of another builder go into it over HTTP.
        loaded = self.image_name("loaded")
        self.build("--load", "-t", loaded, self.small(), builder="plain", env=env)
        self.assertIsNotNone(self.engine("containerd").inspect(loaded))

    def test_an_engine_behind_an_ssh_that_fails(self):
        self.sshd.know_host(False)
        env = {"DOCKER_HOST": self.sshd.url(), "PATH": self.path}
        for builder, flags in ((None, ()), ("plain", ("--load",))):
            with self.subTest(builder=builder):
                result = self.build(*flags, self.small(), builder=builder, env=env, check=FAILURES)
                self.assertRegex(result.stderr, "ERROR: .*Host key verification failed")
                if builder:
                    said = f"ERROR: cannot reach the Docker Engine at {self.sshd.url()}: ssh ended with"
                    self.assertIn(said, result.stderr)
                    self.assertIn("hint: is the Docker daemon running", result.stderr)


class Sessions(EndpointsTest):
    """A session with an Engine on this machine has a connection of its own: inside of a call, as elsewhere, the Engine
    would take each byte apart twice.
    """

    def through(self, **options):
        """A proxy before an Engine's socket, and the result of a build behind it."""
        engine = self.rig["ENGINE_CONTAINERD"].removeprefix("unix://")
        proxy = SocketProxy(engine, self.folder / f"engine{len(self.results)}.sock", **options)
        self.addCleanup(proxy.close)
        return proxy, self.builds(env={"DOCKER_HOST": proxy.url})

    def test_has_a_connection_of_its_own(self):
        proxy, _ = self.through()
        self.assertEqual(proxy.asked.count("/session"), 1)

    def test_goes_inside_of_a_call_where_a_proxy_lets_no_connection_through(self):
        refused = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        taken = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"
        for answer in ((refused, False), (b"", True), (taken, True), (taken, False)):
            with self.subTest(answer=answer):
                proxy, result = self.through(answers={"/session": answer})
                self.assertEqual(proxy.asked.count("/session"), 1)
                self.assertNotIn("session", result.stderr)
                self.assertNotIn("lost the builder", result.stderr)

    def test_is_lost_alone(self):
        proxy, result = self.through(cut={"/session": 1})
        self.assertEqual(proxy.asked.count("/session"), 2)
        self.assertEqual(result.stderr.count("lost the builder"), 1)


class Containers(EndpointsTest):
    """A container whose `buildctl dial-stdio` leads to a real BuildKit."""

    def setUp(self):
        super().setUp()
        self.programs.add_link("docker", self.rig["DOCKER"])
        dialler = self.work / "buildctl"
        dialler.write_text("#!/bin/sh\nexec nc " + self.plain_address().replace(":", " ") + "\n")
        dialler.chmod(0o755)

    def container(self, name=None):
        name = name or "e2e-" + self._token
        self.run_docker(
            *("run", "--detach", "--network", "host", "--name", name),
            *("--volume", f"{self.work}/buildctl:/bin/buildctl:ro"),
            *(self.rig["BASE"], "sleep", "3600"),
            engine="containerd",
        )
        self.addCleanup(
            self.engine("containerd").request, "DELETE", f"/containers/{name}?force=1"
        )
        return name

    def test_in_a_container(self):
        self.builds(f"docker-container://{self.container()}", engine="containerd")

    def test_by_context(self):
        host = self.rig["ENGINE_CONTAINERD"]
        self.run_docker("context", "create", "far", "--docker", f"host={host}")
        self.builds(f"docker-container://{self.container()}?context=far")

    def test_no_such_container(self):
        result = self.fails("docker-container://no-such-container", engine="containerd")
        self.assertRegex(result.stderr, "(?i)ERROR: .*docker ended.*no such container")

    def test_no_buildctl_in_it(self):
        name = self.container()
        (self.work / "buildctl").chmod(0o644)
        result = self.fails(f"docker-container://{name}", engine="containerd")
        # Docker says why on the output that is the connection, and ends: what is seen first is chance.
        self.assertRegex(result.stderr, "ERROR: builder docker-container://.*(HTTP/2|ended with exit code 126)")
        self.assertIn(f"does this work by hand? docker exec -i {name} buildctl", result.stderr)

    def test_an_instance_of_buildx(self):
        name = "e2e-" + self._token
        node = self.container(f"buildx_buildkit_{name}0")
        self.instance(name, "docker-container", self.rig["ENGINE_CONTAINERD"])
        result = self.builds(env={"BUILDX_BUILDER": name}, engine="containerd")
        self.assertIn(f"docker-container://{node}", result.stderr)

    def instance(self, name, driver, endpoint):
        folder = self.docker_config / "buildx" / "instances"
        folder.mkdir(parents=True)
        node = {"Name": f"{name}0", "Endpoint": endpoint, "Platforms": None}
        (folder / name).write_text(json.dumps({"Name": name, "Driver": driver, "Nodes": [node]}))

    def test_docker_before_a_container_is_killed_in_the_middle_of_a_build(self):
        context, step = self.endless()
        url = f"docker-container://{self.container()}"
        env = {"PATH": self.programs.path()}
        running = self.start_plugin(
            "build", "--retries=0", context, builder=url, engine="containerd", env=env
        )
        self.wait_for_step(step)
        (child,) = self.children_of(running.pid)
        os.kill(int(child), signal.SIGKILL)
        result = running.wait(20)
        self.assertIn(result.rc, FAILURES, str(result))
        self.assertRegex(result.stderr, rf"ERROR: lost the builder {url} after \d+ s: docker ended")
        self.assert_step_ends(step)


class StandIns(EndpointsTest):
    """Programs that the rig has not: what they are asked is what the real ones understand."""

    def check(self, program, url, *arguments, **options):
        record = self.programs.add_recorder(program, self.plain_address())
        self.builds(url, **options)
        self.assertEqual(record.read_text().splitlines(), list(arguments))
        pid = int((self.programs.folder / f"{program}.pid").read_text())
        self.assertFalse(self.alive(pid), "left behind")

    def test_podman(self):
        self.check(
            *("podman", "podman-container://box", "exec", "-i", "box"), *("buildctl", "dial-stdio")
        )

    def test_nerdctl(self):
        self.check(
            *("nerdctl", "nerdctl-container://box?namespace=k8s.io"),
            *("exec", "--namespace=k8s.io", "-i", "box", "buildctl", "dial-stdio"),
        )

    def test_kubectl(self):
        self.check(
            *("kubectl", "kube-pod://kit-0?namespace=ci&context=prod&container=kit"),
            *("--context=prod", "--namespace=ci", "exec", "--container=kit", "-i", "kit-0", "--"),
            *("buildctl", "dial-stdio"),
        )

    def test_an_instance_of_buildx_in_kubernetes(self):
        cluster = {"name": "c", "cluster": {"server": "http://127.0.0.1:1"}}
        context = {"name": "c", "context": {"cluster": "c", "namespace": "other"}}
        known = {"kind": "Config", "current-context": "c", "clusters": [cluster], "contexts": [context]}
        (self.work / "kubeconfig").write_text(json.dumps({"apiVersion": "v1", **known}))
        words = ("create", "--name", "kit", "--driver", "kubernetes", "--driver-opt", "namespace=ci")
        self.run_buildx(*words, env={"KUBECONFIG": self.work / "kubeconfig"})
        env = {"BUILDX_BUILDER": "kit", "BUILDX_CONFIG": str(self.folder / "buildx")}
        self.check(
            *("kubectl", None, f"--kubeconfig={self.work}/kubeconfig", "--namespace=ci"),
            *("exec", "--container=buildkitd", "-i", "deployment/kit0", "--", "buildctl", "dial-stdio"),
            env=env,
        )

    def test_what_a_program_says_is_shown(self):
        self.programs.add("kubectl", 'echo "first line" >&2; echo "pods \\"x\\" not found" >&2; exit 1')
        result = self.fails("kube-pod://x")
        self.assertIn('kubectl ended with exit code 1: first line; pods "x" not found', result.stderr)

    def test_kubectl_is_told_where_its_settings_are(self):
        self.programs.add("kubectl", 'echo "asked $KUBECONFIG" >&2; exit 1')
        result = self.fails("kube-pod://x", env={"KUBECONFIG": "/some/where"})
        self.assertIn("asked /some/where", result.stderr)

    def test_a_program_that_says_nothing_and_lives(self):
        self.programs.add("podman", "exec sleep 3600")
        running = self.start_plugin(
            "build",
            self.small(),
            builder="podman-container://box",
            env={"PATH": self.programs.path()},
        )
        running.wait_for_output("waiting for builder podman-container://box", seconds=15)
        (child,) = self.children_of(running.pid)
        running.send(signal.SIGINT)
        running.wait(10, check=130)
        self.assert_dies(child)

    def test_names_that_are_options(self):
        for url in ("ssh://-oProxyCommand=x", "docker-container://-it", "kube-pod://--help"):
            with self.subTest(url=url):
                result = self.build(self.small(), builder=url, check=125)
                self.assertRegex(result.stderr, "is not (a host|the name of)")
