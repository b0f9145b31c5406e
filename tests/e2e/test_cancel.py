"""Whatever stops a build: exit code 130 within 3 s, nothing left running, nothing left behind.

That TMPDIR is empty afterwards is checked after every test of the harness.
"""

import contextlib
import os
import secrets
import signal
import socket
import stat
import subprocess
import time
from pathlib import Path

from harness import EndToEnd, file
from links import BlackHole

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class CancelTest(EndToEnd):
    def start_step(self, *args, start=None, **options):
        """A build in the middle of a RUN step; returns it with the step's command."""
        step = self.endless_step()
        context = self.context({"Dockerfile": f"FROM {self.rig['BASE']}\nRUN {step}\n"})
        start = start or (lambda *a, **o: self.start_plugin("build", *a, **o))
        if "-q" not in args:
            args = ("--progress=plain", *args)
        running = start(*args, context, **options)
        self.wait_for_step(step)
        return running, step

    def assert_cancelled(self, running, begin, within=3.0):
        result = running.wait(40)
        seconds = time.monotonic() - begin
        self.assertEqual(result.rc, 130, str(result))
        self.assertLess(seconds, within, str(result))
        return result

    def cancel(self, running, number=signal.SIGINT, within=3.0):
        begin = time.monotonic()
        running.send(number)
        return self.assert_cancelled(running, begin, within)


class Steps(CancelTest):
    def test_signals(self):
        for number in SIGNALS:
            with self.subTest(signal=number.name):
                running, step = self.start_step(builder="tls")
                result = self.cancel(running, number)
                self.assertRegex(result.stderr, "(?i)cancel|interrupt|stopp")
                self.assert_step_ends(step)

    def test_quiet(self):
        running, step = self.start_step("-q", builder="tls")
        result = self.cancel(running)
        self.assertEqual(result.stdout, "")
        self.assert_step_ends(step)

    def test_engines(self):
        for name in ("containerd", "classic", "oldest"):
            with self.subTest(engine=name):
                running, step = self.start_step(engine=name)
                self.cancel(running)
                self.assert_step_ends(step)

    def test_the_key_goes_to_the_whole_group(self):
        running, step = self.start_step(builder="tls")
        begin = time.monotonic()
        running.send_to_group(signal.SIGINT)
        self.assert_cancelled(running, begin)
        self.assert_step_ends(step)

    def test_frozen_builder(self):
        bridge = self.bridge("plain")
        running, step = self.start_step(builder=bridge.url)
        bridge.freeze()
        self.cancel(running)
        bridge.thaw()
        self.assert_step_ends(step)

    def test_second_signal_exits_at_once(self):
        bridge = self.bridge("plain")
        running, step = self.start_step(builder=bridge.url)
        bridge.freeze()
        running.send(signal.SIGINT)
        time.sleep(0.2)
        self.assertIsNone(running.process.poll(), "still telling the builder")
        result = self.cancel(running, signal.SIGTERM, within=0.5)
        said = [line for line in result.stderr.splitlines() if "ended at once" in line]
        self.assertEqual(len(said), 1, str(result))
        self.assertRegex(said[0], r"^ERROR: build ended at once \(a second signal, SIGTERM\): .* may go on$")
        bridge.thaw()
        self.assert_step_ends(step)

    def test_timeout_signals_twice(self):
        # timeout(1) signals its child, and then the group that the child is in.
        running, step = self.start_step(builder="tls")
        running.send(signal.SIGTERM)
        time.sleep(0.01)
        result = self.cancel(running, signal.SIGTERM)
        self.assertNotIn("ended at once", result.stderr)
        self.assert_step_ends(step)

    def test_killed(self):
        # Nothing can be said then; but the builder sees the connection end.
        running, step = self.start_step(builder="tls")
        running.send(signal.SIGKILL)
        running.wait(5, check=-signal.SIGKILL)
        self.assert_step_ends(step)


class Docker(CancelTest):
    """docker stops its plugins by closing a socket (docker/cli cli-plugins/socket)."""

    def test_end_of_the_plugin_socket(self):
        name = "docker_cli_" + secrets.token_hex(16)
        listener = socket.socket(socket.AF_UNIX)
        listener.bind("\0" + name)
        listener.listen()
        self.addCleanup(listener.close)
        running, step = self.start_step(
            builder="tls",
            start=lambda *a, **o: self.start_plugin("depot", "build", *a, **o),
            env={
                "DOCKER_CLI_PLUGIN_SOCKET": "@" + name,
                "DOCKER_CLI_PLUGIN_ORIGINAL_CLI_COMMAND": self.rig["DOCKER"],
            },
        )
        listener.settimeout(5)
        connection, _ = listener.accept()
        begin = time.monotonic()
        connection.close()
        self.assert_cancelled(running, begin)
        self.assert_step_ends(step)

    def test_a_plugin_socket_that_leads_nowhere(self):
        context = self.context({"Dockerfile": f"FROM {self.rig['BASE']}\n"})
        for address in ("@docker_cli_nobody", "/nonexistent/socket", "@", "x" * 300, ""):
            with self.subTest(address=address):
                self.build(context, builder="tls", env={"DOCKER_CLI_PLUGIN_SOCKET": address})

    def docker_step(self):
        return self.start_step(
            builder="tls", start=lambda *a, **o: self.start_docker("depot", "build", *a, **o)
        )

    def test_a_signal_to_docker_alone(self):
        for number in (signal.SIGINT, signal.SIGTERM):
            with self.subTest(signal=number.name):
                running, step = self.docker_step()
                self.cancel(running, number)
                self.assert_step_ends(step)
                self.assert_group_ends(running)

    def test_a_signal_to_docker_and_its_children(self):
        running, step = self.docker_step()
        begin = time.monotonic()
        running.send_to_group(signal.SIGINT)
        # The plugin gets the signal and the end of the socket: that is one request, not two.
        self.assert_cancelled(running, begin)
        self.assert_step_ends(step)

    def test_docker_killed(self):
        running, step = self.docker_step()
        running.send(signal.SIGKILL)
        running.process.wait()
        self.assert_step_ends(step)
        self.assert_group_ends(running)

    def assert_group_ends(self, running):
        def ended():
            with contextlib.suppress(ProcessLookupError):
                os.killpg(running.pid, 0)
                return False
            return True

        self.wait_until(ended, 5, "the plugin still runs")


class Connecting(CancelTest):
    def test_while_connecting(self):
        hole = BlackHole()
        self.addCleanup(hole.close)
        context = self.context({"Dockerfile": "FROM scratch\n"})
        for name, address, env in (
            ("refused", self.closed_port(), {}),
            ("black hole", hole.address, {}),
            ("silent", self.silent_port(), {}),
            ("silent behind TLS", self.silent_port(), self.tls_variables()),
        ):
            with self.subTest(place=name):
                running = self.start_plugin(
                    "build", context, builder=f"tcp://{address}", env=env
                )
                time.sleep(1)
                result = self.cancel(running, signal.SIGTERM, within=1.0)
                self.assertNotIn("wants TLS", result.stderr)

    def test_at_any_moment(self):
        # From before main to after the end: never a crash, never a code that is neither.
        context = self.context({"Dockerfile": f"FROM {self.rig['BASE']}\nRUN sleep 0.2\n"})
        for milliseconds in (0, 1, 2, 4, 8, 16, 30, 60, 100, 150, 250, 400):
            running = self.start_plugin("build", "--no-cache", context, builder="tls")
            time.sleep(milliseconds / 1000)
            running.send(signal.SIGINT)
            result = running.wait(10)
            self.assertIn(result.rc, (0, 130, -signal.SIGINT), str(result))
            self.assertLess(result.seconds, 5)


class Transfers(CancelTest):
    def big_context(self):
        context = self.context({"Dockerfile": "FROM scratch\nCOPY big /\n"})
        with open(context / "big", "wb") as big:
            big.write(self.image_name().encode())
            big.truncate(64 << 20)
        return context

    def big_result(self, megabytes=32):
        """A context whose image holds a file that does not compress; built already."""
        step = f"RUN : {self.image_name()}; head -c {megabytes << 20} /dev/urandom >/big"
        context = self.context({"Dockerfile": f"FROM {self.rig['BASE']}\n{step}\n"})
        self.build(context, builder="plain")
        return context

    def test_while_the_context_travels(self):
        context = self.big_context()
        link = self.link(self.plain_address(), rate=2 << 20)
        running = self.start_plugin("build", "--progress=plain", context, builder=link.url)
        running.wait_for_output("transferring context")
        time.sleep(1)
        self.cancel(running)

    def test_while_the_context_is_stuck(self):
        context = self.big_context()
        link = self.link(self.plain_address(), rate=2 << 20)
        running = self.start_plugin("build", "--progress=plain", context, builder=link.url)
        running.wait_for_output("transferring context")
        link.stalled.set()
        time.sleep(1)
        self.cancel(running)

    def test_while_an_archive_is_written(self):
        context = self.big_result()
        archive = self.work / "out.tar"
        archive.write_text("the old one")
        link = self.link(self.plain_address(), rate=2 << 20)
        for place in ("type=tar,dest=out.tar", "type=oci,dest=out.tar", "type=local,dest=out"):
            with self.subTest(output=place):
                before = set(self.work.iterdir())
                running = self.start_plugin("build", "-o", place, context, builder=link.url)
                self.wait_until(lambda: self.grown(running, 1 << 20), 30, "nothing is written")
                self.cancel(running)
                self.assertEqual(archive.read_text(), "the old one")
                after = set(self.work.iterdir()) - {self.work / "out"}
                self.assertEqual(after, before, "a temporary file is left")

    def grown(self, running, size):
        """Whether a file in `work` that the build has open, if without a name, has this size."""
        for opened in Path(f"/proc/{running.pid}/fd").iterdir():
            with contextlib.suppress(OSError):
                here = os.readlink(opened).startswith(f"{self.work}/")
                status = opened.stat()
                if here and stat.S_ISREG(status.st_mode) and status.st_size >= size:
                    return True
        return False

    def test_while_nobody_reads_standard_output(self):
        context = self.big_result()
        process = subprocess.Popen(
            [os.environ["DEPOT_PLUGIN"], "build", "-o", "-", context],
            env=self.environment(builder="plain"),
            cwd=self.work,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        try:
            process.stdout.read(1)
            time.sleep(1)
            begin = time.monotonic()
            process.send_signal(signal.SIGINT)
            self.assertEqual(process.wait(10), 130)
            self.assertLess(time.monotonic() - begin, 3)
        finally:
            process.kill()
            process.wait()
            process.stdout.close()

    def test_while_standard_input_is_read(self):
        for args in (("-",), ("-f", "-", ".")):
            with self.subTest(args=args):
                read, write = os.pipe()
                with open(read, "rb") as source:
                    running = self.start_plugin("build", *args, builder="tls", stdin=source)
                time.sleep(0.5)
                self.cancel(running)
                os.close(write)

    def test_while_the_engine_loads(self):
        context = self.big_result()
        engine = self.rig["ENGINE_CLASSIC"].removeprefix("unix://")
        link = self.link(engine, port=self.folder / "engine.sock", stall_at=b"/images/load")
        image = self.image_name()
        running = self.start_plugin(
            "build",
            "--progress=plain",
            "-t",
            image,
            "--load",
            context,
            builder="plain",
            env={"DOCKER_HOST": link.url},
        )
        self.wait_until(link.stalled.is_set, 30, "nothing is loaded")
        time.sleep(0.5)
        self.cancel(running)
        link.close()
        self.assertIsNone(self.engine("classic").inspect(image))

    def test_while_a_credential_helper_hangs(self):
        helper = self.folder / "bin" / "docker-credential-slow"
        helper.parent.mkdir()
        step = self.endless_step()
        helper.write_text(f"#!/bin/sh\nexec {step}\n")
        helper.chmod(0o755)
        self.docker_settings(credsStore="slow")
        context = self.context({"Dockerfile": "FROM scratch\nCOPY Dockerfile /\n"})
        image = self.image_name(registry="basic")
        running = self.start_plugin(
            "build",
            "-t",
            image,
            "--push",
            context,
            builder="tls",
            env={"PATH": f"{helper.parent}:{os.environ['PATH']}"},
        )
        self.wait_for_step(step)
        self.cancel(running)
        self.assert_step_ends(step)


class After(CancelTest):
    def test_files_asked_for_are_not_there(self):
        files = ("--iidfile", "iid", "--metadata-file", "meta.json", "-o", "type=oci,dest=oci.tar")
        running, step = self.start_step(*files, builder="tls")
        self.cancel(running)
        self.assert_step_ends(step)
        left = [path.name for path in self.work.iterdir() if path.is_file()]
        self.assertEqual(left, [])

    def test_the_next_build_works(self):
        context = self.context(
            {"Dockerfile": "FROM scratch\nCOPY a /\n", "a": file(self.image_name())}
        )
        running, _ = self.start_step(builder="tls")
        self.cancel(running)
        self.build("-o", "out", context, builder="tls")
