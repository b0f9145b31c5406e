"""What a terminal, a pipe that ends early and a full disk do to the output."""

import contextlib
import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time

from harness import EndToEnd

# Escape sequences but for colours, and control characters but for newline, CR and tab.
UNWANTED = re.compile(r"\x1b(?!\[[0-9;:]*m)|[\x00-\x08\x0b\x0c\x0e-\x1a\x1c-\x1f\x7f-\x9f]")
NASTY = r"printf '\033]0;title\007\033[2J\033[H\033[5A\233\r over\bx\033[31mred\n'"


class TerminalTest(EndToEnd):
    def context_with(self, *lines):
        lines = [f"FROM {self.rig['BASE']}", f"RUN : {self.image_name()}", *lines, ""]
        return self.context({"Dockerfile": "\n".join(lines)})

    def on_terminal(self, *args, rows=24, columns=80, builder="tls", actions=(), env=None):
        """Runs the plugin with a terminal of this size; returns its exit code and the output.

        actions: (pattern, function of the process), each called once when the output has it.
        """
        master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        process = subprocess.Popen(
            [os.environ["DEPOT_PLUGIN"], *args],
            env=self.environment(builder=builder, env={"TERM": "xterm", **(env or {})}),
            cwd=self.work,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
        )
        os.close(slave)
        actions = list(actions)
        output = b""
        end = time.monotonic() + 60
        try:
            while time.monotonic() < end:
                if select.select([master], [], [], 0.1)[0]:
                    try:
                        output += os.read(master, 65536)
                    except OSError:  # EIO: nobody has the other side any more
                        break
                if actions and re.search(actions[0][0], output.decode(errors="replace")):
                    actions.pop(0)[1](process, master)
            return process.wait(10), output.decode(errors="replace")
        finally:
            os.close(master)
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            process.wait()

    def through_shell(self, command, check, *args, **options):
        """Runs `PLUGIN ARGS COMMAND` with bash, where COMMAND is redirections and pipes."""
        shell = f'set -o pipefail; "$0" "$@" {command}'
        process = subprocess.run(
            ["bash", "-c", shell, os.environ["DEPOT_PLUGIN"], *args],
            env=self.environment(builder="tls", **options),
            cwd=self.work,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            timeout=60,
            check=False,
        )
        self.assertIn(process.returncode, check, process.stderr.decode())
        return process

    def assert_clean(self, output):
        if found := UNWANTED.search(output):
            around = output[max(0, found.start() - 80) : found.end() + 40]
            self.fail(f"{found.group()!r} in {around!r}")


class Screens(TerminalTest):
    def test_a_build_on_a_terminal(self):
        rc, output = self.on_terminal("build", self.context_with("RUN echo hello"))
        self.assertEqual(rc, 0, output)
        self.assertIn("RUN echo hello", output)
        self.assertNotIn("\x1b]", output)

    def test_steps_cannot_play_with_the_terminal(self):
        context = self.context_with(f"RUN {NASTY}", f"RUN {NASTY}; false")
        for columns, rows in ((80, 24), (20, 5), (1, 1), (0, 0), (500, 200)):
            with self.subTest(columns=columns):
                rc, output = self.on_terminal(
                    "build", "--progress=plain", context, rows=rows, columns=columns
                )
                self.assertEqual(rc, 1, output)
                self.assert_clean(output)

    def test_automatic_progress_is_no_less_safe(self):
        rc, output = self.on_terminal("build", self.context_with(f"RUN {NASTY}; false"))
        self.assertEqual(rc, 1)
        for sequence in ("\x1b]0;", "\x1b[2J", "\x07", "\x1b[5A"):
            self.assertNotIn(sequence, output)

    def test_tiny_terminals(self):
        context = self.context_with("RUN seq 1 200")
        for columns, rows in ((20, 5), (1, 1), (3, 1000)):
            with self.subTest(columns=columns):
                rc, output = self.on_terminal(
                    "build", "--no-cache", context, rows=rows, columns=columns
                )
                self.assertEqual(rc, 0, output)

    def test_resized_while_it_runs(self):
        def shrink(process, master):
            fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", 5, 20, 0, 0))

        context = self.context_with("RUN echo first; sleep 1; echo second")
        rc, output = self.on_terminal("build", context, actions=[("first", shrink)])
        self.assertEqual(rc, 0, output)

    def test_control_c(self):
        step = self.endless_step()

        def press(process, master):
            self.wait_for_step(step)
            # No session leader of ours has the terminal, so the key is a signal to the group.
            os.killpg(process.pid, signal.SIGINT)

        rc, output = self.on_terminal(
            "build", self.context_with(f"RUN {step}"), actions=[("sleep", press)]
        )
        self.assertEqual(rc, 130, output)
        self.assertTrue(output.endswith("\n"), repr(output[-80:]))
        self.assert_step_ends(step)

    def test_terminals_that_cannot_do_anything(self):
        context = self.context_with("RUN echo hello")
        for variables in ({"TERM": "dumb"}, {"TERM": ""}, {"TERM": None}, {"NO_COLOR": "1"}):
            with self.subTest(variables=variables):
                rc, output = self.on_terminal("build", context, env=variables)
                self.assertEqual(rc, 0)
                self.assertNotRegex(output, r"\x1b\[[0-9;]*m")

    def test_archives_do_not_go_to_a_terminal(self):
        for output in ("-", "type=tar", "type=oci", "type=tar,dest=-"):
            with self.subTest(output=output):
                nobody = f"tcp://{self.closed_port()}"
                rc, told = self.on_terminal("build", "-o", output, self.context_with(), builder=nobody)
                self.assertEqual(rc, 125)
                self.assertIn("terminal", told)
                self.assertNotIn("refused", told)
                self.assertNotIn("\0", told)

    def test_errors_are_plain_on_a_terminal(self):
        rc, output = self.on_terminal("build", "--frobnicate", ".")
        self.assertEqual(rc, 125)
        self.assert_clean(output)


class Streams(TerminalTest):
    def test_standard_error_is_closed(self):
        context = self.context_with("RUN echo hello")
        self.through_shell("2>&-", [0], "build", "-o", "out", context)
        self.assertTrue((self.work / "out" / "bin").exists())

    def test_all_are_closed(self):
        context = self.context_with("RUN echo closed")
        self.through_shell("<&- >&- 2>&-", [0], "build", "-o", "out", context)
        # Descriptors 0 to 2 are free then: nothing of ours may end up in a file by that.
        for path in (self.work / "out").rglob("*"):
            if path.is_file() and path.stat().st_size < 1 << 16:
                self.assertNotIn(b"#1 [internal]", path.read_bytes(), path)

    def test_standard_error_is_full(self):
        context = self.context_with("RUN seq 1 1000")
        self.through_shell("2>/dev/full", [0], "build", "-o", "out", context)
        self.assertTrue((self.work / "out" / "bin").exists())
        failing = self.context_with("RUN false")
        self.through_shell("2>/dev/full", [1], "build", failing)

    def test_the_reader_of_standard_error_goes_away(self):
        context = self.context_with("RUN seq 1 20000")
        self.through_shell("2>&1 | head -1", [0, 1, 141], "build", "--no-cache", context)
        # A reader that loses interest does not break what it did not ask for.
        self.through_shell("2> >(head -1 >&2)", [0], "build", "--no-cache", "-o", "o", context)
        self.assertTrue((self.work / "o" / "bin").exists())

    def test_the_reader_of_an_archive_goes_away(self):
        context = self.context_with("RUN seq 1 300000 >/numbers")
        done = self.through_shell("| head -c 1000", [1, 141], "build", "-o", "-", context)
        self.assertEqual(len(done.stdout), 1000)

    def test_results_that_find_no_room(self):
        context = self.context_with("RUN echo hello")
        tag = self.image_name(registry="open")
        for command in (">/dev/full", ">&-"):
            with self.subTest(command=command):
                args = ("build", "-q", "-t", tag, "--push", context)
                done = self.through_shell(command, [1, 102, 125], *args)
                self.assertRegex(done.stderr.decode(), "(?i)standard output|stdout")
        done = self.through_shell(">/dev/full", [102], "build", "-o", "-", context)
        self.assertRegex(done.stderr.decode(), "(?i)no space left")

    def test_help_and_version_that_find_no_room(self):
        for line in ("version", "--help", "build --help", "docker-cli-plugin-metadata"):
            with self.subTest(line=line):
                self.through_shell(">/dev/full", [1, 102], *line.split())
