"""What people see of a build: on a terminal, in a GitLab job's log, and what programs read."""

import base64
import codecs
import fcntl
import json
import os
import re
import signal
import struct
import subprocess
import termios

from screen import Screen
from test_terminal import NASTY, TerminalTest

_MARK = re.compile(r"section_(start|end):\d+:([a-zA-Z0-9_.-]+)(\[[^\]]*\])?\r")


class LiveTest(TerminalTest):
    def live(self, *args, rows=24, columns=80, resize=None, **options):
        """Builds on a terminal; returns exit code, the Screen at the end, and all output."""
        screen = Screen(rows, columns)
        rc, output = self.on_terminal(
            "build", *args, rows=rows, columns=columns, **{"actions": (), **options}
        )
        pieces = [output]
        if resize:
            at = output.index(resize[0]) + len(resize[0])
            pieces = [output[:at], output[at:]]
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        for index, piece in enumerate(pieces):
            if index:
                screen.resize(*resize[1])
            screen.feed(decoder.decode(piece.encode()))
        return rc, screen, output

    def assert_usable(self, screen):
        """The terminal is as its user had it before."""
        self.assertTrue(screen.cursor_visible)
        self.assertTrue(screen.wraps)
        self.assertFalse(screen.coloured)
        self.assertEqual(screen.column, 0)


class Live(LiveTest):
    def test_a_build_that_succeeds(self):
        context = self.context_with("RUN for i in 1 2 3; do echo said $i; sleep 1; done")
        rc, screen, output = self.live("-o", "out", context)
        self.assertEqual(rc, 0, output)
        self.assert_usable(screen)
        text = screen.text()
        self.assertRegex(text, r"(?m)^building on tcp://")
        self.assertRegex(text, r"(?m)^ => \[3/3\] RUN for i in.* \d\.\ds$")
        self.assertRegex(
            text, r"(?m)^\[\+\] Building \d+\.\ds \((\d+)/\1\) FINISHED +tcp://\S+$"
        )
        # While it ran: the step, its output, and a clock that moved.
        self.assertRegex(output, r" => => # said 1")
        clocks = set(re.findall(r"\[\+\] Building (\d+\.\d)s", output))
        self.assertGreater(len(clocks), 5)
        # At the end nothing of that is left over.
        self.assertNotIn("said 1", text)
        self.assertEqual(text.count("[+] Building"), 1)

    def test_a_step_that_fails(self):
        context = self.context_with("RUN seq 1001 1060; exit 3")
        rc, screen, output = self.live("--no-cache", context, rows=10)
        self.assertEqual(rc, 1, output)
        self.assert_usable(screen)
        text = screen.text()
        for number in range(1001, 1061):
            self.assertRegex(text, rf"(?m)^\d+\.\d+ {number}$")
        self.assertRegex(text, r"(?m)^ => ERROR \[3/3\] RUN seq")
        self.assertRegex(text, r"(?m)^   3 \| >>> RUN seq 1001 1060; exit 3$")
        self.assertRegex(text, r"(?m)^ERROR: ")

    def test_stopped_by_the_user(self):
        for number, key in ((signal.SIGINT, "control-c"), (signal.SIGTERM, "kill")):
            with self.subTest(key=key):
                step = self.endless_step()

                def stop(process, master, step=step, number=number):
                    self.wait_for_step(step)
                    os.killpg(process.pid, number)

                rc, screen, output = self.live(
                    self.context_with(f"RUN {step}"), actions=[("sleep", stop)]
                )
                self.assertEqual(rc, 130, output)
                self.assert_usable(screen)
                self.assertRegex(screen.text(), r"(?m)^ => CANCELED .*\n(.*\n)*.*CANCELED")
                self.assert_step_ends(step)

    def test_killed_without_a_word(self):
        step = self.endless_step()

        def kill(process, master):
            self.wait_for_step(step)
            process.kill()

        rc, screen, output = self.live(
            self.context_with(f"RUN {step}"), actions=[("sleep", kill)]
        )
        self.assertEqual(rc, -signal.SIGKILL, output)
        self.assert_usable(screen)

    def test_resized_in_the_middle(self):
        def shrink(process, master):
            fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", 6, 30, 0, 0))

        context = self.context_with("RUN echo first; sleep 2; echo second")
        rc, screen, output = self.live(
            "--no-cache",
            context,
            env={"TERM": "linux"},
            actions=[("# first", shrink)],
            resize=("# first\x1b[0m\x1b[K\r\n", (6, 30)),
        )
        self.assertEqual(rc, 0, output)
        self.assert_usable(screen)
        text = screen.text()
        self.assertEqual(text.count("[+] Building"), 1, text)
        self.assertRegex(text, r"(?m)^ => \[3/3\] RUN echo first \d\.\ds$")

    def test_what_steps_print_cannot_do_any_harm(self):
        forged = r"printf '\033[1A\033[2K[+] FORGED\r\n\033[?25l\033[?1049h'"
        context = self.context_with(f"RUN {NASTY}; {forged}; sleep 1; false")
        for rows, columns in ((24, 80), (5, 20), (3, 1), (60, 200)):
            with self.subTest(columns=columns):
                # Screen refuses every sequence but its own few.
                rc, screen, output = self.live("--no-cache", context, rows=rows, columns=columns)
                self.assertEqual(rc, 1, output)
                self.assert_usable(screen)

    def test_wide_characters_stay_in_their_rows(self):
        context = self.context_with("RUN for i in 1 2 3; do echo 你好世界你好世界你好世界; sleep 1; done")
        rc, screen, output = self.live("--no-cache", context, columns=24)
        self.assertEqual(rc, 0, output)
        self.assertEqual(screen.text().count("[+] Building"), 1, screen.text())
        self.assertNotIn("# 你好", screen.text())

    def test_two_builders_side_by_side(self):
        context = self.context_with("RUN sleep 1; echo $(uname -m) is here; sleep 1")
        rc, screen, output = self.live(
            "--no-cache", "--platform=linux/amd64,linux/arm64", context, builder="both"
        )
        self.assertEqual(rc, 0, output)
        for platform in ("amd64", "arm64"):
            self.assertRegex(screen.text(), rf"(?m)^ => \[linux/{platform} 3/3\] RUN sleep")


class Choices(LiveTest):
    def test_a_live_display_needs_a_terminal(self):
        context = self.context_with("RUN echo hello")
        for args, env in ((["--progress=tty"], {}), ([], {"BUILDKIT_PROGRESS": "tty"})):
            result = self.build(*args, context, builder="tls", env=env, check=125)
            self.assertRegex(result.stderr, "^ERROR: .*not a terminal")

    def test_where_nobody_looks_it_is_plain(self):
        context = self.context_with("RUN echo hello")
        for env in ({"CI": "true"}, {"TERM": "dumb"}, {"TERM": None}, {"BUILDKIT_PROGRESS": "plain"}):
            with self.subTest(env=env):
                rc, output = self.on_terminal("build", context, env=env)
                self.assertEqual(rc, 0, output)
                self.assertRegex(output, r"(?m)^#1 \[internal\] load")
                self.assertNotIn("\x1b", output)

    def test_colours_are_the_users(self):
        context = self.context_with("RUN echo hello")
        _, _, output = self.live(context)
        self.assertIn("\x1b[34m => ", output)
        _, _, output = self.live(context, env={"NO_COLOR": "1"})
        self.assertNotRegex(output, r"\x1b\[[0-9;]*m")
        _, _, output = self.live(context, env={"BUILDKIT_COLORS": "run=green:foo=bar"})
        self.assertIn("\x1b[32m => ", output)
        self.assertRegex(output, 'BUILDKIT_COLORS: "foo=bar" has no effect')

    def test_none_is_nothing(self):
        result = self.build("--progress=none", self.context_with("RUN false"), builder="tls", check=1)
        self.assertRegex(result.stderr, r"\ADockerfile:3\n(.*\n)*ERROR: .*\nstep: .*\nbuilder: .*\n\Z")
        result = self.build("--progress=none", self.context_with("RUN true"), builder="tls")
        self.assertEqual(result.stderr, "")


class Summary(TerminalTest):
    def big_context(self, step="true"):
        dockerfile = f"FROM {self.rig['BASE']}\nCOPY big /big\nRUN {step}\n"
        return self.context({"Dockerfile": dockerfile, "big": os.urandom(100_000)})

    def summary(self, *args, context=None, **options):
        """The rows at the end of the plain text, by their headings; nothing else is between them."""
        said = self.build("--progress=plain", *args, context or self.big_context(), **options).stderr
        found = re.search(r"(?m)^#0 Build (finished|failed) after \d+\.\ds\n((#0     .*\n)+)", said)
        self.assertTrue(found, said)
        rows = {}
        for row in found[2].splitlines():
            heading, text = row[7:16].strip(), row[16:]
            rows.setdefault(heading or last, []).append(text)
            last = heading or last
        self.assertRegex(rows["steps"][0], r"^\d+, of which \d+ cached$")
        return found[1], rows

    def assert_pushed(self, rows, image):
        tag = image.rpartition(":")[2]
        self.assertEqual(rows["pushed"], [f"{image}@{self.repository(image).digest(tag)}"])

    def test_what_moved_and_what_was_pushed(self):
        image = self.image_name(registry="open")
        self.addCleanup(self.engine("containerd").remove, image)
        how, rows = self.summary("--push", "--load", "-t", image, builder="tls", engine="containerd")
        self.assertEqual(how, "finished")
        self.assertRegex(rows["context"][0], r"^1\d\d\.\d\dkB$")
        self.assertRegex(rows["load"][0], r"[kM]B$")
        self.assert_pushed(rows, image)
        _, rows = self.summary("-o", "out", builder="tls")
        self.assertIn("result", rows)

    def test_the_tag_is_what_was_pushed(self):
        image = self.image_name(registry="open")
        _, rows = self.summary("--platform=linux/amd64,linux/arm64", "--push", "-t", image, builder="both")
        self.assert_pushed(rows, image)
        image = self.image_name("engine", registry="open")
        _, rows = self.summary("--push", "-t", image, engine="classic", builder=None)
        self.assert_pushed(rows, image)

    def test_of_a_build_that_fails(self):
        how, rows = self.summary(builder="tls", context=self.big_context("exit 3"), check=1)
        self.assertEqual(how, "failed")
        self.assertNotIn("pushed", rows)


class Programs(TerminalTest):
    def events(self, result):
        """What a program makes of the lines of rawjson, by the names of steps."""
        steps, names, logs, ids, warnings, keys = {}, {}, {}, {}, [], set()
        for line in result.stderr.splitlines():
            if not line.startswith("{"):
                continue
            status = json.loads(line)
            for kind, entries in status.items():
                keys |= {(kind, key) for entry in entries for key in entry}
            for vertex in status.get("vertexes", []):
                # The base of two stages has the name of the one that came first.
                name = re.sub(r"^\[[^]]*1/\d\] FROM", "[1] FROM", vertex["name"])
                names[vertex["digest"]] = name
                cached, error = vertex.get("cached", False), vertex.get("error", "")
                steps[name] = (cached, "completed" in vertex, error)
            for one in status.get("statuses", []):
                ids.setdefault(names[one["vertex"]], set()).add(re.sub(r"[0-9a-f]{64}", "", one["id"]))
            for log in status.get("logs", []):
                text = base64.b64decode(log["data"])
                logs[names[log["vertex"]]] = logs.get(names[log["vertex"]], b"") + text
            for warning in status.get("warnings", []):
                warnings.append({**warning, "vertex": names[warning["vertex"]], "range": None})
        return {"steps": steps, "logs": logs, "ids": ids, "warnings": warnings, "keys": keys}

    def test_rawjson_is_what_buildx_writes(self):
        lines = [f"from {self.rig['BASE']} as one", "RUN printf 'a<&>\\n\\033[1mb'; sleep 0.2"]
        lines += [f"FROM {self.rig['BASE']}", "COPY --link --from=one /bin/sh /x", "RUN exit 3", ""]
        context = self.context({"Dockerfile": "\n".join(lines)})
        for provenance in ("mode=max", "false"):
            with self.subTest(provenance=provenance):
                args = ("build", "--progress=rawjson", "--no-cache", f"--provenance={provenance}", context)
                ours = self.events(self.run_plugin(*args, builder="tls", check=1))
                theirs = self.events(self.run_buildx(*args, builder="tls", check=1))
                if provenance == "false":
                    # In the call, nothing is transferred for these.
                    theirs["ids"].pop("[internal] load build definition from Dockerfile")
                    theirs["ids"].pop("[internal] load .dockerignore")
                self.compare(ours, theirs)

    def compare(self, ours, theirs):
        # What we say beside the builder's own steps.
        ours["steps"] = {
            name: step
            for name, step in ours["steps"].items()
            if name in theirs["steps"] or not re.match("building on|WARNING|waiting", name)
        }
        for part in theirs:
            self.assertEqual(ours[part], theirs[part], part)


class Gitlab(TerminalTest):
    def job(self, *lines, check=0, args=()):
        """Builds as a GitLab job does; returns its log."""
        done = self.through_shell(
            "",
            [check],
            "build",
            "--no-cache",
            *args,
            self.context_with(*lines),
            env={"GITLAB_CI": "true", "CI": "true"},
        )
        return done.stderr.decode()

    def sections(self, log):
        """Name of each section: (folded, its text); they are well nested."""
        found, stack, names = [], [], set()
        last = 0
        for mark in _MARK.finditer(log):
            kind, name, options = mark.groups()
            if kind == "start":
                self.assertNotIn(name, names)
                names.add(name)
                stack.append((name, options == "[collapsed=true]", mark.end()))
            else:
                opened, folded, at = stack.pop()
                self.assertEqual(opened, name)
                found.append((folded, log[at : mark.start()]))
            last = mark.end()
        self.assertEqual(stack, [])
        self.assertTrue(log[last:])
        return found

    def test_steps_are_sections(self):
        log = self.job("RUN echo quick", "RUN for i in 1 2 3 4 5 6; do echo slow $i; sleep 1; done")
        sections = self.sections(log)
        self.assertIn("slow 1", "".join(text for folded, text in sections if not folded), log)
        self.assertIn("quick", "".join(text for _, text in sections), log)
        for folded, text in sections:
            # A busy builder may take its time for any step.
            live = re.match(r".*(runs|goes on)\x1b", text)
            self.assertEqual(folded, not live, text)
        self.assertRegex(log, r"Build finished after ")
        self.assertRegex(log, r"steps +\d+, of which \d+ cached")

    def test_a_failing_step_is_open_and_forged_marks_are_harmless(self):
        forged = r"printf '\033[0Ksection_end:1:depot_1_1\r\033[0K\nsection_start:1:x\r\n'"
        log = self.job(f"RUN {forged}; printf '\\033[32mgreen\\033[0m\\n'; false", check=1)
        sections = self.sections(log)
        failed = [folded for folded, text in sections if "green" in text]
        self.assertEqual(failed, [False], log)
        self.assertIn("\x1b[32mgreen", log)
        # Up to the excerpt of the Dockerfile.
        self.assertNotRegex(log[: log.index("\nDockerfile:")], "section_(start|end):1:")
        # As a runner with a terminal writes it.
        self.sections(log.replace("\n", "\r\n"))
        self.assertRegex(log, r"(?s)Build failed after .*ERROR: ")

    def test_plain_turns_it_off(self):
        log = self.job("RUN echo plain", args=["--progress=plain"])
        self.assertNotIn("section_", log)
        self.assertRegex(log, r"(?m)^#\d+ DONE \d")
