"""Contexts from fresh clones: a file that has not changed does not travel again, and no step sees another time for it."""

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
            self.assertEqual(one.wait(100).rc, 0)
        self.assert_same_tree(trees.tree_of(outs[0]), trees.tree_of(outs[1]), ignore=("mtime",))

    def test_a_file_that_is_written_to_all_the_time(self):
        context = self.clone(self.repository({"Dockerfile": ALL, **self.files(20)}))
        log, ended = context / "d0" / "log", threading.Event()
        log.write_bytes(b"x" * MB)

        def write():
            while not ended.is_set():
                log.write_bytes(b"%d" % time.monotonic_ns() + b"x" * MB)

        writer = threading.Thread(target=write)
        writer.start()
        self.addCleanup(lambda: (ended.set(), writer.join()))
        for _ in range(2):
            self.job(context)


class Edits(CloneTest):
    def test_a_make_never_uses_a_stale_artefact(self):
        """One that compares times, with its artefacts in a cache mount; the source goes back and forth."""
        make = "if [ ! -e /o/art ] || [ /w/src -nt /o/art ]; then cp /w/src /o/art; fi; echo made $(cat /o/art)"
        key = self.tag_of(self.image_name())
        dockerfile = f"FROM {self.rig['BASE']}\nCOPY . /w/\nRUN --mount=type=cache,target=/o,id={self.project} {make}\n"
        origin = self.repository({"Dockerfile": f"# {key}\n{dockerfile}", "src": "x", "big": bytes(self.random(5 * MB))})
        for content in ("one", "two", "one", "two"):
            (origin / "src").write_text(content + key)
            self.git("commit", "-q", "--allow-empty", "-am", content, cwd=origin)
            result = self.job(self.clone(origin), "--no-cache")
            self.assertTrue(sizes(result))
            self.assertRegex(result.stderr, rf"(?m)^#\d+ [\d.]+ made {content}{key}$")

    def test_whatever_is_edited_arrives(self):
        """Random edits of a checkout, some of which git has seen: content, mode, size, name, time, kind, another branch."""
        random_ = random.Random(7)
        origin = self.repository({"Dockerfile": ALL, **self.files(20)})
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
            out = self.work / f"out{number}"
            result = self.job(context, "-o", out)
            self.assertTrue(sizes(result))
            expected = {path: e for path, e in trees.tree_of(context).items() if path.split("/")[0] != ".git"}
            self.assert_same_tree(expected, trees.tree_of(out), ignore=("mtime", "uid", "gid"))

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
            os.utime(path, (1, 2**33))
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
        for engine in ("oldest", "classic", "containerd"):
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
        self.assertTrue(sizes(self.results[-1]))

    def test_wrong_words(self):
        context = self.context({"Dockerfile": ALL})
        self.assertIn('unknown times "x"', self.job(context, "--context-times=x", check=125).stderr)
        self.assertIn("DEPOT_CONTEXT_TIMES", self.job(context, DEPOT_CONTEXT_TIMES="x", check=125).stderr)
