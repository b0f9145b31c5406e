"""Contexts from fresh clones: a file that has not changed does not travel again, and no step sees another time for it."""

import json
import os
import random
import re
import shutil
import subprocess
import threading
import time

import trees
from harness import EndToEnd, file, hardlink, symlink

MB = 1_000_000
ALL = "FROM scratch\nCOPY . /\n"


def sizes(result, name="context"):
    """Bytes sent and in all, as the build says them."""
    units = {"B": 1, "kB": 1e3, "MB": 1e6, "GB": 1e9}
    said = re.findall(
        rf"^(?:#\d+ )?.*\b{name}: ([\d.]+)(B|kB|MB|GB) of ([\d.]+)(B|kB|MB|GB) sent", result.stderr, re.M
    )
    return [(float(a) * units[b], float(c) * units[d]) for a, b, c, d in said]


class CloneTest(EndToEnd):
    """Repositories, fresh clones of them, and jobs that build these on a builder of the test's own key."""

    def setUp(self):
        super().setUp()
        self.jobs = 0
        self.project = self.image_name()

    def git(self, *command, cwd):
        settings = ["user.name=x", "user.email=x@test", "init.defaultBranch=main", "gc.auto=0"]
        flags = [word for setting in settings for word in ("-c", setting)]
        subprocess.run(["git", *flags, *command], cwd=cwd, check=True, capture_output=True)

    def repository(self, entries):
        root = self.context({".dockerignore": ".git\n", **entries}, name="origin")
        self.git("init", "-q", cwd=root)
        self.commit(root)
        return root

    def commit(self, root, message="next"):
        self.git("add", "-A", cwd=root)
        self.git("commit", "-q", "-m", message, cwd=root)

    def clone(self, origin):
        """Like a job's: another folder each time, of the same name."""
        self.jobs += 1
        place = self.work / f"job{self.jobs}"
        place.mkdir()
        self.git("clone", "-q", str(origin), str(place / "app"), cwd=place)
        return place / "app"

    def ci(self, **more):
        """What a job of this project has in its environment, in a home that nobody had before."""
        self.jobs += 1
        home = self.folder / f"home{self.jobs}"
        home.mkdir()
        return {"CI": "true", "CI_PROJECT_PATH": self.project, "HOME": home, "DOCKER_CONFIG": home} | more

    def job(self, context, *args, check=0, builder="tls", **env):
        return self.build("--progress=plain", *args, context, builder=builder, env=self.ci(**env), check=check)

    def files(self, count=40, size=MB // 4):
        """Contents that no other test has, and that do not shrink."""
        return {f"d{n % 5}/f{n:03}": bytes(self.random(size)) for n in range(count)}

    def random(self, size):
        with open("/dev/urandom", "rb") as source:
            return source.read(size)


class FreshClones(CloneTest):
    def test_only_what_changed_travels(self):
        files = self.files()
        origin = self.repository({"Dockerfile": ALL, **files})
        first = self.job(self.clone(origin))
        self.assertGreaterEqual(sizes(first)[0][0], 10 * MB)
        again = self.job(self.clone(origin))
        self.assertLess(sizes(again)[0][0], 0.01 * sizes(again)[0][1])
        (origin / "d0/f000").write_bytes(self.random(MB // 4))
        self.commit(origin)
        changed = self.job(self.clone(origin))
        self.assertLess(sizes(changed)[0][0], 1.2 * MB // 4)

    def test_bytes_at_the_socket(self):
        origin = self.repository({"Dockerfile": ALL, **self.files()})
        counts = []
        for _ in range(2):
            link = self.link(self.rig["BUILDER"].removeprefix("tcp://"))
            variables = self.tls_variables()
            self.job(self.clone(origin), builder=link.url, **variables)
            counts.append(link.sent)
        self.assertGreater(counts[0], 10 * MB)
        self.assertLess(counts[1], 0.01 * 10 * MB)

    def test_steps_see_the_time_of_the_job(self):
        stat = 'RUN stat -c "%Y %n" /w/a /w/d/b /w/d /w/l\n'
        dockerfile = f"FROM {self.rig['BASE']}\nRUN echo {self.image_name()}\nCOPY . /w/\n{stat}"
        big = {"big": bytes(self.random(5 * MB))}
        origin = self.repository({"Dockerfile": dockerfile, "a": "1", "d/b": "2", "l": symlink("a"), **big})
        begin = int(time.time())
        result = self.job(self.clone(origin), "--no-cache")
        self.assertTrue(sizes(result))
        seen = re.findall(r"(\d{9,}) /w/", result.stderr)
        self.assertEqual(len(seen), 4, result)
        for moment in seen:
            self.assertGreaterEqual(int(moment), begin)

    def cached(self, result):
        return len(re.findall(r"^#\d+ CACHED", result.stderr, re.M))

    def test_steps_stay_cached(self):
        """Also those of builds with the times of files, but for a COPY of the whole context: BuildKit's key of that
        has the root folder in it, which a local source has no entry for and a copy has."""
        for what, earlier in (("d0", "file"), ("d0", "content"), (".", "content")):
            with self.subTest(what=what, earlier=earlier):
                name = f"{self.image_name()} {what} {earlier}"
                dockerfile = f"FROM {self.rig['BASE']}\nCOPY {what} /w/\nRUN echo {name}\n"
                root = self.context({"Dockerfile": dockerfile, ".dockerignore": ".git\n", **self.files(20)}, name)
                self.git("init", "-q", cwd=root)
                self.commit(root)
                self.job(self.clone(root), f"--context-times={earlier}")
                result = self.job(self.clone(root))
                self.assertTrue(sizes(result))
                self.assertGreaterEqual(self.cached(result), 2, result)
                self.assertNotRegex(result.stderr, r"(?m)^#\d+ [\d.]+ e2e-", result)

    def test_the_ignore_file_and_what_is_copied_decide(self):
        files = self.files(20)
        origin = self.repository(
            {"Dockerfile": "FROM scratch\nCOPY d0 /d0/\n", ".dockerignore": ".git\nd0/f005\n", **files}
        )
        out = self.work / "out"
        result = self.job(self.clone(origin), "-o", out)
        self.assertEqual(sorted(trees.files_in(out)), ["d0/f000", "d0/f010", "d0/f015"])
        self.assertLess(sizes(result)[0][1], 1 * MB)

    def test_the_same_files_arrive(self):
        entries = {
            "x": file("#!", mode=0o755),
            "readonly": file("r", mode=0o444),
            "suid": file("s", mode=0o4755),
            "link": symlink("x"),
            "dangling": symlink("nowhere"),
            "hard": hardlink("x"),
            "deep/er/file": "1",
            "empty/.keep": "",
            "big": bytes(self.random(5 * MB)),
        }
        context = self.clone(self.repository({"Dockerfile": ALL, **entries}))
        (context / "untracked").write_text("u")
        (context / "hollow").mkdir(mode=0o700)
        self.job(context, "-o", f"type=tar,dest={self.work}/content.tar", "--context-times=content")
        self.job(context, "-o", f"type=tar,dest={self.work}/file.tar", "--context-times=file")
        self.assert_same_tree(
            trees.tree_of_tar(self.work / "file.tar"), trees.tree_of_tar(self.work / "content.tar"), ignore=("mtime",)
        )

    def test_provenance_is_the_same(self):
        context = self.clone(self.repository({"Dockerfile": ALL, **self.files(4)}))
        told = []
        for times in ("content", "file"):
            metadata = self.work / f"{times}.json"
            self.job(context, f"--context-times={times}", "--provenance=mode=min", "--metadata-file", metadata)
            provenance = json.loads(metadata.read_text())["buildx.build.provenance"]
            told.append(provenance)
        self.assertIn("invocation", told[0])
        self.assertEqual(*told)

    def test_both_kinds_of_times_have_a_copy_of_their_own(self):
        context = self.clone(self.repository({"Dockerfile": ALL, **self.files(20)}))
        for _ in range(2):
            content, plain = self.job(context), self.job(context, "--context-times=file")
        self.assertLess(sizes(content)[0][0], 0.1 * MB)
        self.assertRegex(plain.stderr, r"(?m)transferring context: [\d.]+k?B .*done$")

    def test_a_change_that_git_has_not_seen(self):
        """Same size, and the time that the file had before: its change time tells."""
        origin = self.repository({"Dockerfile": ALL, "a": b"1" * 1000, "big": bytes(self.random(5 * MB))})
        self.job(self.clone(origin))
        context = self.clone(origin)
        before = (context / "a").stat()
        (context / "a").write_bytes(b"2" * 1000)
        os.utime(context / "a", ns=(before.st_atime_ns, before.st_mtime_ns))
        out = self.work / "out"
        result = self.job(context, "-o", out)
        self.assertTrue(sizes(result))
        self.assertEqual(trees.content(out, "a"), b"2" * 1000)

    def test_jobs_at_the_same_time(self):
        origin = self.repository({"Dockerfile": ALL, **self.files(20)})
        clones = [self.clone(origin) for _ in range(2)]
        outs = [self.work / f"out{n}" for n in range(2)]
        running = [
            self.start_plugin("build", "--progress=plain", "-o", out, clone, builder="tls", env=self.ci())
            for clone, out in zip(clones, outs)
        ]
        for one in running:
            one.wait(100, check=0)
        self.assert_same_tree(trees.tree_of(outs[0]), trees.tree_of(outs[1]), ignore=("mtime",))

    def test_a_file_that_is_written_to_all_the_time(self):
        context = self.clone(self.repository({"Dockerfile": ALL, **self.files(20)}))
        logs = [context / "d0" / name for name in ("log1", "log2", "log3")]
        growing, ended = context / "growing", threading.Event()
        for log in logs:
            log.write_bytes(b"x" * MB)

        def write():
            while not ended.is_set():
                for log in logs:
                    log.write_bytes(b"%d" % time.monotonic_ns() + b"x" * MB)

        def append():
            with growing.open("ab", buffering=0) as out:
                while not ended.wait(0.0005):
                    out.write(b"x" * 1000)

        writers = [threading.Thread(target=one) for one in (write, append)]
        for writer in writers:
            writer.start()
        self.addCleanup(lambda: (ended.set(), [writer.join() for writer in writers]))
        for _ in range(2):
            self.job(context)


class Edits(CloneTest):
    def test_no_tool_uses_a_stale_artefact(self):
        """Tools that compare times, with their artefacts in a cache mount; the source goes back and forth. A make looks at the
        artefact's time, a cargo at that of a file which it made before it compiled."""
        make = "if [ ! -e /o/art ] || [ /w/src -nt /o/art ]; then cp /w/src /o/art; fi; echo made $(cat /o/art)"
        cargo = "if [ ! -e /o/dep ] || [ /w/src -nt /o/dep ]; then touch /o/dep; sleep 1; cp /w/src /o/bin; fi; echo ran $(cat /o/bin)"
        key = self.tag_of(self.image_name())
        mount = f"--mount=type=cache,target=/o,id={self.project}"
        dockerfile = f"FROM {self.rig['BASE']}\nCOPY . /w/\nRUN {mount} {make}\nRUN {mount} {cargo}\n"
        origin = self.repository({"Dockerfile": f"# {key}\n{dockerfile}", "src": "x", "big": bytes(self.random(5 * MB))})
        for content in ("one", "two", "one", "two"):
            (origin / "src").write_text(content + key)
            self.git("commit", "-q", "--allow-empty", "-am", content, cwd=origin)
            result = self.job(self.clone(origin), "--no-cache")
            self.assertTrue(sizes(result))
            for said in ("made", "ran"):
                self.assertRegex(result.stderr, rf"(?m)^#\d+ [\d.]+ {said} {content}{key}$")

    def test_whatever_is_edited_arrives(self):
        """Random edits of a checkout, some of which git has seen: content, mode, size, name, time, kind, another branch. What
        is copied is what the disk has; what a step sees is what it sees without all this, but never older than the job."""
        random_ = random.Random(7)
        look = "find . -type f -exec stat -c '%n %a %s' {} + -exec md5sum {} +; find . ! -type f -exec stat -c '%n %a %F' {} +"
        step = f"cd /w && ({look}) | sort >/tree && find . -exec stat -c %Y {{}} + | sort -n | head -n 1 >/oldest"
        dockerfile = f"FROM {self.rig['BASE']} AS see\nRUN --mount=type=bind,target=/w {step}\n"
        dockerfile += "FROM scratch\nCOPY . /all/\nCOPY --from=see /tree /oldest /\n"
        origin = self.repository({"Dockerfile": dockerfile, **self.files(20)})
        context = self.clone(origin)
        for number in range(6):
            for _ in range(6):
                self.edit(context, random_)
            if number == 2:
                self.git("checkout", "-q", "-f", "-b", "side", cwd=context)
                self.commit(context)
            if number == 4:
                self.git("checkout", "-q", "-f", "main", cwd=context)
                context = self.clone(context)
            # Side by side, from the third on.
            times = ["content", "file"] if number > 2 else ["content"]
            begin = int(time.time())
            running = [self.start_edited(context, f"{number}-{one}", one) for one in times]
            ended = [one.wait(100) for one in running]
            self.assertEqual([one.rc for one in ended], [0] * len(times), ended)
            self.assertTrue(sizes(ended[0]))
            out = self.work / f"out{number}-content"
            expected = {path: e for path, e in trees.tree_of(context).items() if path.split("/")[0] != ".git"}
            self.assert_same_tree(expected, trees.tree_of(out / "all"), ignore=("mtime", "uid", "gid"))
            self.assertGreaterEqual(int(trees.text(out, "oldest")), begin)
            if len(times) > 1:
                self.assertEqual(trees.text(out, "tree"), trees.text(self.work / f"out{number}-file", "tree"))

    def start_edited(self, context, name, times):
        """What was compared with has a new copy of the context: with the times of files one of the same size and time passes
        for the same."""
        flags = ["--progress=plain", "--no-cache", f"--context-times={times}", "-o", self.work / f"out{name}"]
        project = self.project if times == "content" else f"{self.project}/{name}"
        return self.start_plugin("build", *flags, context, builder="tls", env=self.ci(CI_PROJECT_PATH=project))

    def edit(self, context, random_):
        files = [path for path in sorted(context.glob("d*/*")) if path.is_file() and not path.is_symlink()]
        path = random_.choice(files)
        kind = random_.randrange(8)
        before = path.stat()
        if kind == 0:
            path.write_bytes(self.random(before.st_size))
        elif kind == 1:
            path.write_bytes(self.random(before.st_size))
            os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
        elif kind == 2:
            path.chmod(0o755 if before.st_mode & 0o777 == 0o644 else 0o644)
        elif kind == 3:
            path.rename(path.with_name(f"{path.name}r"))
        elif kind == 4:
            # In 1938, in 2242, in 2318.
            os.utime(path, ns=(1, random_.choice((-(10**18), 2**33 * 10**9, 11 * 10**18))))
        elif kind == 5:
            other = random_.choice(files)
            shutil.copyfile(other, context / "swap")
            shutil.copyfile(path, other)
            (context / "swap").rename(path)
        elif kind == 6:
            path.unlink()
            path.symlink_to("somewhere")
        else:
            self.git("add", "-A", cwd=context)
            path.write_bytes(b"after the index" + self.random(before.st_size - 15))


class Engines(CloneTest):
    def test_all_kinds(self):
        """From BuildKit 0.8 on; a home that is kept, since an Engine's key is in it."""
        self.start_newest_engine()
        for engine in ("oldest", "classic", "containerd", "newest"):
            with self.subTest(engine=engine):
                origin = self.context({"Dockerfile": ALL, **self.files(20)}, name=f"from-{engine}")
                sent = []
                for _ in range(2):
                    flags = ["--progress=plain", "--context-times=content", "-o", self.work / f"out-{engine}"]
                    result = self.build(*flags, self.copy(origin), engine=engine)
                    sent.append(sizes(result)[0][0])
                self.assertGreaterEqual(sent[0], 5 * MB)
                self.assertLess(sent[1], 0.01 * 5 * MB)

    def copy(self, origin):
        self.jobs += 1
        place = self.work / f"copy{self.jobs}" / "app"
        shutil.copytree(origin, place, copy_function=shutil.copyfile)
        return place


class NamedContexts(CloneTest):
    def test_they_profit_too(self):
        origin = self.repository({"app/Dockerfile": "FROM scratch\nCOPY --from=lib . /\n", **self.files()})
        sent = []
        for _ in range(2):
            context = self.clone(origin)
            args = ["-f", context / "app/Dockerfile", "--build-context", f"lib={context}"]
            sent.append(sizes(self.job(context / "app", *args), "lib")[0][0])
        self.assertGreaterEqual(sent[0], 10 * MB)
        self.assertLess(sent[1], 0.1 * MB)

    def test_platforms_profit_too(self):
        origin = self.repository({"Dockerfile": ALL, **self.files(20)})
        flags = ["--platform=linux/amd64,linux/arm64"]
        self.job(self.clone(origin), *flags, builder="both")
        again = self.job(self.clone(origin), *flags, builder="both")
        self.assertTrue(sizes(again))
        self.assertLess(sum(sent for sent, _ in sizes(again)), 0.1 * MB)


class Choosing(CloneTest):
    def test_who_decides(self):
        origin = self.repository({"Dockerfile": ALL, **self.files(20)})
        outside = self.context({"Dockerfile": ALL, **self.files(20)}, name="plain")
        small = self.clone(self.small())
        clone = self.clone(origin)
        for expected, context, args, env in (
            (True, clone, [], {}),
            (False, clone, ["--context-times=file"], {"DEPOT_CONTEXT_TIMES": "content"}),
            (False, clone, [], {"DEPOT_CONTEXT_TIMES": "file"}),
            (False, clone, [], {"CI": ""}),
            (True, clone, [], {"CI": "", "DEPOT_CONTEXT_TIMES": "content"}),
            (False, outside, [], {}),
            (True, outside, ["--context-times=content"], {}),
            (False, small, [], {}),
        ):
            with self.subTest(context=context.name, args=args, env=env):
                self.assertEqual(bool(sizes(self.job(context, *args, **env))), expected)

    def small(self):
        root = self.context({"Dockerfile": ALL, "a": "1"}, name="small")
        self.git("init", "-q", cwd=root)
        self.commit(root)
        return root

    def test_reasons_with_debug(self):
        outside = self.context({"Dockerfile": ALL, "a": "1"}, name="plain")
        self.assertIn("it is not in a git checkout", self.job(outside, "-D").stderr)
        context = self.clone(self.repository({"Dockerfile": ALL, ".gitattributes": "*.bin filter=lfs\n", "a": "1"}))
        said = self.job(context, "-D").stderr
        self.assertIn("git's index is not used", said)
        self.assertIn("goes by the folder's name, \"app\"", said)
        self.assertTrue(sizes(self.results[-1]))

    def test_wrong_words(self):
        context = self.context({"Dockerfile": ALL})
        self.assertIn('unknown times "x"', self.job(context, "--context-times=x", check=125).stderr)
        self.assertIn("DEPOT_CONTEXT_TIMES", self.job(context, DEPOT_CONTEXT_TIMES="x", check=125).stderr)


class Checkouts(CloneTest):
    """Other forms of a checkout: the image is right, what has not changed stays here, and -D says where git's index is of no use."""

    def worktree(self, clone):
        self.git("worktree", "add", "-q", "../tree", cwd=clone)
        return clone.parent / "tree"

    def submodule(self, clone):
        allowed = ["-c", "protocol.file.allow=always"]
        self.git("clone", "-q", str(clone), "../above", cwd=clone)
        self.git(*allowed, "submodule", "--quiet", "add", str(clone), "app", cwd=clone.parent / "above")
        return clone.parent / "above" / "app"

    def split(self, clone):
        self.git("update-index", "--split-index", cwd=clone)
        return clone

    def sparse(self, clone):
        self.git("sparse-checkout", "set", "--cone", "--sparse-index", "d0", "d1", cwd=clone)
        return clone

    def large_files(self, clone):
        """As a checkout without git-lfs has them: the pointers are the files."""
        (clone / ".gitattributes").write_text("d0/* filter=lfs\n")
        (clone / "d0/f000").write_text(f"version https://git-lfs.github.com/spec/v1\noid sha256:{'a' * 64}\nsize 5\n")
        self.git("add", ".gitattributes", cwd=clone)
        return clone

    def other_line_ends(self, clone):
        self.git("config", "core.autocrlf", "true", cwd=clone)
        (clone / "text").unlink()
        self.git("checkout", "-q", "--", "text", cwd=clone)
        self.assertEqual((clone / "text").read_bytes(), b"one\r\ntwo\r\n")
        return clone

    def unreadable(self, clone):
        (clone / ".git/index").write_bytes(b"DIRC" + b"\xff" * 100)
        return clone

    def nowhere(self, clone):
        shutil.rmtree(clone / ".git")
        (clone / ".git").write_text("gitdir: /no/such/folder\n")
        return clone

    def test_all_forms(self):
        origin = self.repository({"Dockerfile": ALL, "text": "one\ntwo\n", **self.files(20, MB // 20)})
        for form, says in (
            (self.worktree, None),
            (self.submodule, None),
            (self.other_line_ends, None),
            (self.sparse, None),
            (self.split, "git's index is not used for .*: the index is split"),
            (self.large_files, r"git's index is not used for .*: \.gitattributes lets files be converted"),
            (self.unreadable, "git's index is not used for "),
            (self.nowhere, "git is not asked about .*/no/such/folder, which is not there"),
        ):
            with self.subTest(form=form.__name__):
                places = [form(self.clone(origin)) for _ in range(2)]
                out = self.work / f"out-{form.__name__}"
                flags = ["-D", "--context-times=content"]
                first = self.job(places[0], *flags, "-o", out)
                again = self.job(places[1], *flags)
                self.assertLess(sizes(again)[0][0], 0.1 * sizes(again)[0][1], again)
                said = re.findall(r"git's index is not used.*|git is not asked.*", first.stderr)
                self.assertRegex("\n".join(said), says or r"\A\Z")
                expected = {path: e for path, e in trees.tree_of(places[0]).items() if path.split("/")[0] != ".git"}
                self.assert_same_tree(expected, trees.tree_of(out), ignore=("mtime", "uid", "gid"))
