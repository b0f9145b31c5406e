"""Recorded streams of large builds, played through every display: beside docker buildx, and beyond all measure."""

import contextlib
import datetime
import json
import os
import pty
import re
import select
import subprocess
from pathlib import Path

import streams
import test_display
from hostile_builder import HostileBuilder

_STEPS = 300
# Of a client, whatever it is sent, in MiB; a display of a small build takes 25.
_MOST_MEMORY = 128
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")


def high_water(pid):
    """The most resident memory of a process so far, in MiB; 0 when it is about to end."""
    with contextlib.suppress(OSError):
        found = re.search(r"(?m)^VmHWM:\s+(\d+) kB$", Path(f"/proc/{pid}/status").read_text())
        return int(found[1]) // 1024 if found else 0
    return 0


class StreamTest(test_display.LiveTest):
    def builder_of(self, messages):
        builder = HostileBuilder(self.folder, {"status": messages})
        self.addCleanup(builder.__exit__)
        return builder.url

    def small_context(self):
        return self.context({"Dockerfile": "FROM scratch\n"})

    def both(self, messages, progress):
        """What we and docker buildx print of the same stream."""
        url, context = self.builder_of(messages), self.small_context()
        args = ("build", f"--progress={progress}", "--output=type=cacheonly", context)
        return [run(*args, builder=url).stderr for run in (self.run_plugin, self.run_buildx)]


    def measured(self, *args, builder, terminal=False, env=None):
        """What the client wrote, byte for byte, and the most memory that it was seen to have, in MiB."""
        reading, writing = pty.openpty() if terminal else os.pipe()
        process = subprocess.Popen(
            [os.environ["DEPOT_PLUGIN"], "build", *args],
            env=self.environment(builder=builder, env={"TERM": "xterm", **(env or {})}),
            cwd=self.work,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=writing,
        )
        os.close(writing)
        output, peak = bytearray(), 0
        with process, contextlib.suppress(OSError):  # EIO: nobody has the other side any more
            while True:
                if not select.select([reading], [], [], 150)[0]:
                    process.kill()
                if not (piece := os.read(reading, 1 << 16)):
                    break
                output += piece
                peak = max(peak, high_water(process.pid))
        os.close(reading)
        text = output.decode(errors="replace")
        self.assertEqual(process.returncode, 0, text[-3000:])
        return text, peak


class BesideBuildx(StreamTest):
    """docs/inside.md names what differs on purpose."""

    maxDiff = 4000

    def lines(self, text):
        """Without what each says of itself, and without colours."""
        text = re.sub(r"(?m)^#0 .*\n", "", _COLOURS.sub("", text))
        lines = re.sub(r"\n{3,}", "\n\n", text).strip("\n").splitlines()
        # docker buildx lists the warnings at the end in any order.
        warned = next(at for at, line in enumerate(lines) if "warnings found" in line)
        return [*lines[: warned + 1], *sorted(lines[warned + 1 :])]

    def by_step(self, lines):
        """Each step's own lines, by its name: whose turn it is, and when, is left out."""
        steps, names = {}, {}
        for before, line in zip(["", *lines], lines):
            if not (found := re.match(r"#(\d+) (.*)", line)):
                continue
            number, text = found.groups()
            if before == "":
                self.assertEqual(names.setdefault(number, text), text)
            elif text != "...":
                steps.setdefault(names[number], []).append(text)
        return steps

    def test_plain_is_the_same_text(self):
        ours, theirs = map(self.lines, self.both(streams.one_by_one(_STEPS), "plain"))
        self.assertGreater(len(theirs), 4 * _STEPS)
        self.assertEqual(ours, theirs)

    def test_plain_says_the_same_of_parallel_steps(self):
        ours, theirs = (self.by_step(self.lines(text)) for text in self.both(streams.side_by_side(_STEPS), "plain"))
        self.assertEqual(len(theirs), _STEPS)
        self.assertEqual(ours, theirs)

    def events(self, text):
        """The lists of all lines, of the builder's own steps, with times after the first one's."""
        events = {"vertexes": [], "statuses": [], "logs": [], "warnings": []}
        for line in text.splitlines():
            if line.startswith("{"):
                for kind, entries in json.loads(line).items():
                    events[kind] += entries
        own = {streams.digest(number) for number in range(_STEPS)}
        events = {kind: [one for one in some if one.get("digest", one.get("vertex")) in own] for kind, some in events.items()}
        begin = self.nanoseconds(events["vertexes"][0]["started"])
        for one in (one for some in events.values() for one in some):
            for key in one.keys() & {"started", "completed", "timestamp"}:
                one[key] = self.nanoseconds(one[key]) - begin
        return events

    def nanoseconds(self, time):
        found = re.fullmatch(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)", time)
        seconds = datetime.datetime.fromisoformat(found[1] + found[3].replace("Z", "+00:00")).timestamp()
        return int(seconds) * 10**9 + int((found[2] or "").ljust(9, "0"))

    def test_rawjson_is_the_same_events(self):
        for messages in (streams.one_by_one(_STEPS), streams.side_by_side(_STEPS)):
            ours, theirs = map(self.events, self.both(messages, "rawjson"))
            for kind, entries in theirs.items():
                self.assertGreater(len(entries), _STEPS // 7, kind)
                self.assertEqual(ours[kind], entries, kind)


class EveryDisplay(StreamTest):
    def test_three_hundred_steps(self):
        url, context = self.builder_of(streams.side_by_side(_STEPS)), self.small_context()
        rc, screen, output = self.live(context, builder=url, columns=100)
        self.assertEqual(rc, 0, output)
        self.assert_usable(screen)
        text = screen.text()
        self.assertRegex(text, rf"\({_STEPS}/{_STEPS}\) FINISHED")
        log, _ = self.measured(context, builder=url, env={"GITLAB_CI": "true"})
        sections = "".join(text for _, text in test_display.Gitlab.sections(self, log))
        steps = set(re.findall(r"(?m)#\d+ (\[stage.*) (?:DONE|CACHED)", _COLOURS.sub("", log)))
        for number in range(_STEPS):
            name = streams.name(number, _STEPS)
            self.assertEqual(len(re.findall(rf"(?m)^ => (CACHED )?{re.escape(name)} ", text)), 1, name)
            self.assertIn(name, steps)
            if f"compiling part {number}\n" in log:
                self.assertIn(f"compiling part {number}\n", sections)
        self.assertEqual(self.build("--progress=none", context, builder=url).stderr, "")
        self.assertNotIn("RUN make", self.build("--progress=quiet", context, builder=url).stderr)


class BeyondMeasure(StreamTest):
    def displays(self, messages):
        """What each display shows of it, within the bounds."""
        url, context = self.builder_of(messages), self.small_context()
        for mode, options in (("plain", {}), ("tty", {"terminal": True}), ("gitlab", {})):
            text, peak = self.measured(f"--progress={mode}", context, builder=url, **options)
            if not os.environ.get("ASAN_OPTIONS"):
                self.assertLess(peak, _MOST_MEMORY, f"MiB, with {mode}")
            yield mode, text

    def test_a_hundred_thousand_steps(self):
        for mode, text in self.displays(streams.nameless(100_000)):
            self.assertIn("RUN step 9999", text)
            self.assertIn("the builder reports more steps than can be shown: some are left out", text)
            if mode == "gitlab":
                self.assertIn("Build finished", text)
            if mode == "tty":
                self.assertRegex(text, r"\(\d{4,}/\d{4,}\) FINISHED")

    def test_a_hundred_mebibytes_of_output(self):
        for mode, text in self.displays(streams.talkative(100)):
            self.assertIn("RUN yes", text)
            if mode == "plain":
                self.assertRegex(text, r"#\d+ DONE \d")
            if mode == "gitlab":
                self.assertLess(len(text), 4 << 20)
                test_display.Gitlab.sections(self, text)
                # By the queue, when the display gets too little of the machine, or else by the log's own bound.
                self.assertRegex(text, r"\[\d+ lines left out(: the steps have printed as much|\])")
                self.assertIn("Build finished", text)
            if mode == "tty":
                self.assertRegex(text, r"\(1/1\) FINISHED")
