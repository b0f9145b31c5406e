"""A builder that is lost in the middle of a build costs seconds, and not the build."""

import hashlib
import os
import re
import signal
import tarfile
import time

import trees
from faulty_registry import FaultyRegistry, answer
from harness import RIG_FOLDER, EndToEnd, alone

_BOTH = ("--platform", "linux/amd64,linux/arm64")
_SIZE = 12 << 20
_AGAIN = r"lost the builder (\S+) after \d+ s: .*; connecting again in 0\.\d s \(try 1 of 3\)"


class SurviveTest(EndToEnd):
    def setUp(self):
        super().setUp()
        self.way = self.link(self.plain_address())

    def big(self):
        """A context with a file that takes seconds on a slow link, and its digest."""
        content = os.urandom(_SIZE)
        context = self.context({"Dockerfile": "FROM scratch\nCOPY big /\n", "big": content})
        return context, hashlib.sha256(content).hexdigest()

    def start(self, *args, **options):
        options.setdefault("builder", self.way.url)
        return self.start_plugin("build", "--progress=plain", *args, **options)

    def finish(self, running, check=0):
        result = self._finish(running, check, 120)
        self.assertRegex(result.stderr, _AGAIN)
        return result

    def cut_while_it_comes(self, how, *args):
        """Builds on a slow link that is cut when a quarter of the result has come."""
        context, digest = self.big()
        self.build(context, builder="plain")
        self.way.close()
        self.way = self.link(self.plain_address(), rate=6 << 20)
        running = self.start(*args, context)
        self.wait_until(lambda: self.way.moved > _SIZE // 4, 60, "no result comes")
        self.way.cut(how)
        return running, digest


class Steps(SurviveTest):
    def test_a_step_is_not_lost_with_its_connection(self):
        for how in ("fin", "reset"):
            with self.subTest(how=how):
                cache = f"--mount=type=cache,id={self.image_name(how)},target=/c"
                first = f"RUN {cache} echo ran >>/c/runs; cp /c/runs /first"
                lines = [f"FROM {self.rig['BASE']}", first, "RUN sleep 2; date >/last"]
                context = self.context({"Dockerfile": "\n".join(lines)})
                running = self.start("-o", f"{self.work}/{how}", context)
                running.wait_for_output(r"3/3\] RUN sleep")
                self.way.cut(how)
                result = self.finish(running)
                self.assertIn("again: building once more", result.stderr)
                # What was done is not done again.
                self.assertEqual(trees.text(self.work / how, "first"), "ran\n")
                self.assertTrue(trees.text(self.work / how, "last"))

    def test_a_link_that_falls_silent(self):
        context = self.context({"Dockerfile": f"FROM {self.rig['BASE']}\nRUN : {self.image_name()}; sleep 3\n"})
        running = self.start("--lost-after=10s", "-o", "type=cacheonly", context)
        running.wait_for_output(r"RUN : ")
        self.way.cut("freeze")
        result = self.finish(running)
        self.assertIn("no sign of life from the builder for 10 s; connecting again", result.stderr)

    def test_a_builder_that_is_away_for_a_while(self):
        context = self.context({"Dockerfile": f"FROM {self.rig['BASE']}\nRUN : {self.image_name()}; sleep 2\n"})
        running = self.start("-o", "type=cacheonly", context)
        running.wait_for_output(r"RUN : ")
        self.way.close()
        running.wait_for_output("connecting again")
        self.link(self.plain_address(), port=int(self.way.address.rpartition(":")[2]))
        self.finish(running)

    def test_a_context_that_was_half_sent(self):
        context, digest = self.big()
        self.way.close()
        self.way = self.link(self.plain_address(), rate=6 << 20)
        running = self.start("-o", self.work / "out", context)
        self.wait_until(lambda: self.way.sent > _SIZE // 4, 60, "no context goes")
        self.way.cut("reset")
        self.finish(running)
        self.assertEqual(hashlib.sha256(trees.content(self.work / "out", "big")).hexdigest(), digest)

    def test_a_step_that_fails_is_not_run_again(self):
        context = self.context({"Dockerfile": f"FROM {self.rig['BASE']}\nRUN : {self.image_name()}; exit 7\n"})
        result = self.build("--exit-code=step", context, builder=self.way.url, check=7)
        self.assertNotIn("try 1", result.stderr)
        self.assertEqual(self.way.connections, 1)


class Standby(SurviveTest):
    """A step whose connection is lost is held from another one: it leaves a line for each time it ran."""

    def long_step(self, name):
        mark = self.image_name(name)
        cache = f"--mount=type=cache,id={mark},target=/c"
        run = f"RUN {cache} --mount=type=secret,id=s echo {mark} >>/c/runs; sleep 18; cp /c/runs /runs"
        files = {"Dockerfile": f"FROM {self.rig['BASE']}\nCOPY big /\n{run}\n", "big": os.urandom(_SIZE // 4)}
        (self.work / "secret").write_text("standby-secret-value")
        return self.context(files), mark

    def test_a_long_step_runs_once(self):
        arguments = (f"--secret=id=s,src={self.work}/secret", "--no-cache", "-o")
        # An older BuildKit does not know whose local sources these are.
        self.start_newest_engine()
        self.way = self.link(self.bridge("plain", engine="newest").url.removeprefix("tcp://"))
        context, mark = self.long_step("held")
        running = self.start(*arguments, self.work / "held", context)
        alone = self.link(self.plain_address())
        other = self.start(*arguments, self.work / "alone", "--no-standby", self.long_step("alone")[0], builder=alone.url)
        self.wait_until(lambda: self.way.connections == 2, 60, "no second connection comes")
        # The other solve takes a moment to join the step.
        time.sleep(2)
        self.way.cut_first()
        result = self.finish(running)
        self.assertIn("and the running steps have gone on", result.stderr)
        self.assertEqual(trees.text(self.work / "held", "runs"), f"{mark}\n")
        # The context has gone once.
        self.assertLess(self.way.sent, _SIZE // 2)
        self._finish(other, 0, 60)
        self.assertEqual(alone.connections, 1)
        self.assert_no_leak("standby-secret-value", written=[self.work / "secret"])


class Leftovers(SurviveTest):
    @alone
    def test_a_folder_that_a_killed_daemon_left(self):
        """It makes the folder of a snapshot before it notes that its number is taken."""
        self.start_newest_engine()
        snapshots = RIG_FOLDER / "engines/newest/data/containerd/daemon/io.containerd.snapshotter.v1.overlayfs/snapshots"
        # The last number that is given out is that of this step.
        self.build(self.context({"Dockerfile": f"FROM {self.rig['BASE']}\nRUN echo {self.image_name('before')}\n"}, name="before"), engine="newest")
        taken = max(int(one.name) for one in snapshots.iterdir() if one.name.isdigit())
        (snapshots / str(taken + 1) / "fs").mkdir(parents=True)
        context = self.context({"Dockerfile": f"FROM {self.rig['BASE']}\nRUN echo {self.image_name()}\n"})
        result = self.build(context, engine="newest")
        self.assertRegex(result.stderr, r"failed to rename: .*: file exists; building again in \S+ s \(try 1 of 3\)")


class Results(SurviveTest):
    def digest_in(self, tar):
        with tarfile.open(tar) as archive:
            member = archive.extractfile("big")
            return hashlib.sha256(member.read()).hexdigest()

    def test_a_directory(self):
        running, digest = self.cut_while_it_comes("reset", "-o", self.work / "out")
        self.finish(running)
        self.assertEqual(hashlib.sha256(trees.content(self.work / "out", "big")).hexdigest(), digest)

    def test_an_archive(self):
        running, digest = self.cut_while_it_comes("fin", "-o", f"type=tar,dest={self.work}/out.tar")
        self.finish(running)
        self.assertEqual(self.digest_in(self.work / "out.tar"), digest)

    def test_standard_output_has_no_second_beginning(self):
        running, _ = self.cut_while_it_comes("reset", "-o", "type=tar,dest=-")
        result = self.finish(running, check=111)
        self.assertRegex(result.stderr, r"ERROR: lost the builder")
        self.assertIn("standard output has a part of the result already", result.stderr)

    def test_a_context_from_standard_input_is_there_once(self):
        step = self.endless_step()
        context = self.context({"Dockerfile": f"FROM {self.rig['BASE']}\nRUN {step}\n"})
        archive = self.folder / "context.tar"
        with tarfile.open(archive, "w", format=tarfile.USTAR_FORMAT) as tar:
            tar.add(context / "Dockerfile", "Dockerfile")
        running = self.start("-o", "type=cacheonly", "-", stdin=archive.read_bytes())
        self.wait_for_step(step)
        self.way.cut("reset")
        result = self.finish(running, check=111)
        self.assertIn("the context came on standard input, and does so only once", result.stderr)
        self.assert_step_ends(step)

    def test_two_builders_of_which_one_is_lost(self):
        image = self.image_name(registry="open")
        step = f"RUN : {image}; [ $(uname -m) = x86_64 ] || sleep 3"
        context = self.context({"Dockerfile": f"FROM {self.rig['BASE']}\n{step}\n"})
        bridge = self.bridge("plain", engine="arm64")
        way = self.link(bridge.url.removeprefix("tcp://"))
        builder = f"linux/amd64={self.rig['BUILDER_PLAIN']},linux/arm64={way.url}"
        running = self.start(*_BOTH, "-t", image, "--push", context, builder=builder)
        self.wait_for_step("sleep 3")
        way.cut("reset")
        result = self.finish(running)
        self.assertEqual(result.stderr.count("lost the builder"), 1)
        index = self.repository(image).document("latest")
        self.assertEqual(len(index["manifests"]), 2)


class Limits(SurviveTest):
    def lost(self, *args, **options):
        step = self.endless_step()
        context = self.context({"Dockerfile": f"FROM {self.rig['BASE']}\nRUN {step}\n"})
        running = self.start("-o", "type=cacheonly", *args, context, **options)
        self.wait_for_step(step)
        self.way.close()
        return running

    def test_no_retries(self):
        for args, env in ((["--retries=0"], {}), ([], {"DEPOT_RETRIES": "0"}), (["--retry-for=0s"], {})):
            with self.subTest(args=args, env=env):
                self.way = self.link(self.plain_address())
                result = self._finish(self.lost(*args, env=env), 111, 60)
                self.assertNotIn("again in", result.stderr)
                self.assertRegex(result.stderr, "ERROR: lost the builder")

    def test_ctrl_c_while_it_connects(self):
        running = self.lost()
        running.wait_for_output("connecting again")
        running.send(signal.SIGINT)
        result = running.wait(15)
        self.assertEqual(result.rc, 130, str(result))

    def test_settings_that_are_none(self):
        for args, env, said in (
            (["--retries=some"], {}, "--retries is a number from 0 to 1000"),
            (["--retry-for=10"], {}, "--retry-for is a duration such as 90s"),
            (["--lost-after=1s"], {}, "--lost-after is a duration from 10s to 10m"),
            ([], {"DEPOT_RETRIES": "x"}, "DEPOT_RETRIES is a number"),
        ):
            context = self.context({"Dockerfile": "FROM scratch\n"}, name=f"c{len(said)}")
            result = self.build(*args, context, builder="plain", env=env, check=125)
            self.assertIn(said, result.stderr)


class Push(SurviveTest):
    def setUp(self):
        super().setUp()
        self.registry = FaultyRegistry(self.registry_host("open"))
        self.addCleanup(self.registry.__exit__)
        self.path = self.image_name(tag="1")
        self.image = f"{self.registry.address}/{self.path}"

        self.ill = True
        self.registry.will("PUT", r"/manifests/1$", self.answer_when_ill)

    def answer_when_ill(self, request):
        if self.ill:
            self.fault(request)
        else:
            request.reply(*request.ask_registry())

    def start_push(self):
        context = self.context({"Dockerfile": "FROM scratch\nCOPY file /\n", "file": self.path})
        output = f"type=image,name={self.image},push=true,store=false"
        return self.start("--no-preflight", "-o", output, context, builder="plain")

    def test_a_registry_that_is_busy_for_a_while(self):
        self.is_busy_for_a_while(answer(429))

    def test_one_that_says_no_more_than_a_number(self):
        self.is_busy_for_a_while(answer(429, reason=""))

    def is_busy_for_a_while(self, fault):
        self.fault = fault
        running = self.start_push()
        running.wait_for_output(r"WARNING: build failed: failed to push .* 429 .*; pushing again in .* \(try 1 of 3\)")
        self.ill = False
        self._finish(running, 0, 60)
        kept = self.repository(f"{self.registry_host('open')}/{self.path}")
        self.assertTrue(kept.has("1"))

    def test_one_that_has_gone_away(self):
        """What failed is said in each step; the reason behind it, and the step, are not repeated."""
        image = f"{self.closed_port()}/{self.path}"
        context = self.context({"Dockerfile": f"FROM {self.rig['BASE']}\nRUN echo {self.path} >/own\n"})
        args = ("--retries=2", "--no-preflight", "--push", "-t", image, context)
        said = self.build(*args, builder="plain", check=113).stderr
        self.assertEqual(said.count("\n > exporting to image:\n"), 1, said)
        self.assertRegex(said, r"WARNING: build failed: failed to push .*; pushing again in .* \(try 1 of 2\)")
        self.assertRegex(said, r"WARNING: the push failed again; pushing again in .* \(try 2 of 2\)")
        self.assertRegex(said, r"(?m)^hint: tried again 2 times; can the builder reach that registry\?$")

    def test_one_that_refuses_us(self):
        for fault in (answer(403, code="DENIED"), answer(403, reason=""), answer(403, reason="Nope")):
            self.fault = fault
            result = self._finish(self.start_push(), 112, 60)
            self.assertNotIn("pushing again", result.stderr)
