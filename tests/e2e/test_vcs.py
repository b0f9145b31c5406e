"""What a build says of the git checkout that it is made from: the same as docker buildx, and but for one variable without running git."""

import json
import os

from harness import EndToEnd, file

URL = "https://gitlab-ci-token:t0k3n@gitlab.test/g/p.git"
LABELS = (
    "org.opencontainers.image.revision",
    "org.opencontainers.image.source",
    "com.docker.image.source.entrypoint",
)


class VcsTest(EndToEnd):
    def git(self, *command, cwd):
        settings = {
            "user.name": "someone",
            "user.email": "someone@test",
            "init.defaultBranch": "main",
            "protocol.file.allow": "always",
        }
        env = {"GIT_CONFIG_COUNT": str(len(settings))}
        for number, (key, value) in enumerate(settings.items()):
            env |= {f"GIT_CONFIG_KEY_{number}": key, f"GIT_CONFIG_VALUE_{number}": value}
        done = self._start(["git", *command], None, None, env, cwd, None)
        return self._finish(done, 0, 60).stdout.strip()

    def checkout(self, name="repo", url=URL):
        """A repository with one commit, and the folder `app` to build."""
        dockerfile = f"FROM scratch\nCOPY * /\nLABEL own={self.image_name()}\n"
        files = {"app/Dockerfile": dockerfile, "build/other": dockerfile}
        root = self.context(files, name=name)
        self.git("init", "-q", cwd=root)
        self.git("add", ".", cwd=root)
        self.git("commit", "-q", "-m", "first", cwd=root)
        if url:
            self.git("remote", "add", "origin", url, cwd=root)
        return root

    def said(self, which):
        """The vcs: facts of the provenance, and the labels, of what one of the two has built."""
        about = json.loads((self.work / f"{which}.json").read_text())["buildx.build.provenance"]
        noted = about["metadata"]["https://mobyproject.org/buildkit@v1#metadata"]
        layout = self.oci_layout(self.work / f"{which}.tar")
        labels = layout.config()["config"].get("Labels", {})
        return noted.get("vcs", {}), {k: v for k, v in labels.items() if k in LABELS}

    def ours(self, *args, cwd, **env):
        env = {"BUILDX_METADATA_PROVENANCE": "max", "BUILDX_GIT_LABELS": "1", **env}
        flags = ["--metadata-file", self.work / "ours.json"]
        flags += ["-o", f"type=oci,dest={self.work}/ours.tar", *args]
        result = self.build(*flags, builder="tls", env=env, cwd=cwd)
        said = [(self.work / f"ours.{kind}").read_bytes() for kind in ("json", "tar")]
        for place in (result.stdout_bytes, result.stderr.encode(), *said):
            self.assertNotIn(b"t0k3n", place)
        return result, *self.said("ours")

    def check(self, *args, cwd, **env):
        """Both say the same; but for the user in front of a host, whom we leave out."""
        _, *ours = self.ours(*args, cwd=cwd, **env)
        env = {"BUILDX_METADATA_PROVENANCE": "max", "BUILDX_GIT_LABELS": "1", **env}
        flags = ["--metadata-file", self.work / "theirs.json"]
        flags += ["-o", f"type=oci,dest={self.work}/theirs.tar", *args]
        self.run_buildx("build", *flags, builder="tls", env=env, cwd=cwd)
        theirs = json.loads(json.dumps(self.said("theirs")).replace("xxxxx:xxxxx@", ""))
        self.assertEqual(list(ours), theirs)
        return ours


class Checkouts(VcsTest):
    def test_a_branch(self):
        root = self.checkout()
        revision = self.git("rev-parse", "HEAD", cwd=root)
        vcs, labels = self.check("app", cwd=root)
        self.assertEqual(vcs["revision"], revision)
        self.assertEqual(vcs["source"], "https://gitlab.test/g/p.git")
        self.assertEqual(vcs["localdir:context"], "app")
        self.assertEqual(labels[LABELS[0]], revision)
        self.assertEqual(labels[LABELS[2]], "app/Dockerfile")

    def test_a_dockerfile_elsewhere_and_the_whole_checkout(self):
        vcs, labels = self.check("-f", "build/other", ".", cwd=self.checkout())
        self.assertEqual(vcs["localdir:context"], ".")
        self.assertEqual(vcs["localdir:dockerfile"], "build")
        self.assertEqual(labels[LABELS[2]], "build/other")

    def test_a_detached_head_and_packed_refs(self):
        root = self.checkout(url="git@gitlab.test:g/p.git")
        self.git("pack-refs", "--all", cwd=root)
        self.assertFalse((root / ".git/refs/heads/main").exists())
        self.check("app", cwd=root)
        self.git("checkout", "-q", "--detach", cwd=root)
        self.check(".", "-f", "app/Dockerfile", cwd=root)

    def test_another_remote_than_origin(self):
        root = self.checkout(url=None)
        self.git("remote", "add", "upstream", "ssh://gitlab.test/g/up.git", cwd=root)
        vcs, _ = self.check("app", cwd=root)
        self.assertEqual(vcs["source"], "ssh://gitlab.test/g/up.git")

    def test_a_worktree_and_a_submodule(self):
        root, other = self.checkout(), self.checkout("other", url="https://gitlab.test/g/o.git")
        self.git("worktree", "add", "-q", "-b", "side", "../side", cwd=root)
        vcs, _ = self.check("app", cwd=root.parent / "side")
        self.assertEqual(vcs["source"], "https://gitlab.test/g/p.git")
        self.git("submodule", "--quiet", "add", str(other), "sub", cwd=root)
        vcs, _ = self.check("app", cwd=root / "sub")
        self.assertEqual(vcs["source"], str(other))
        self.assertEqual(vcs["revision"], self.git("rev-parse", "HEAD", cwd=other))

    def test_without_a_commit_or_a_checkout(self):
        root = self.context({"app/Dockerfile": "FROM scratch\nCOPY * /\n"}, name="new")
        for _ in range(2):
            vcs, _ = self.check("app", cwd=root)
            self.assertNotIn("revision", vcs)
            self.git("init", "-q", cwd=root)


class Wishes(VcsTest):
    def test_switched_off(self):
        root = self.checkout()
        off = {"BUILDX_GIT_INFO": "0", "BUILDX_GIT_LABELS": None}
        self.assertEqual(self.check("app", cwd=root, **off), [{}, {}])
        vcs, labels = self.check("app", cwd=root, BUILDX_GIT_INFO="false", BUILDX_GIT_LABELS="full")
        self.assertEqual(vcs, {})
        self.assertEqual(sorted(labels), sorted(LABELS))

    def test_a_label_of_the_user_counts(self):
        root = self.checkout()
        _, _, labels = self.ours("--label", f"{LABELS[0]}=mine", "app", cwd=root)
        self.assertEqual(labels[LABELS[0]], "mine")

    def test_changes_are_looked_for_when_asked(self):
        root = self.checkout()
        revision = self.git("rev-parse", "HEAD", cwd=root)
        vcs, _ = self.check("app", cwd=root, BUILDX_GIT_CHECK_DIRTY="1")
        self.assertEqual(vcs["revision"], revision)
        (root / ".gitignore").write_text("new\n.gitignore\n")
        (root / "app/new").write_text("ignored, and a change all the same")
        vcs, labels = self.check("app", cwd=root, BUILDX_GIT_CHECK_DIRTY="1")
        self.assertEqual(vcs["revision"], f"{revision}-dirty")
        self.assertEqual(labels[LABELS[0]], f"{revision}-dirty")
        vcs, _ = self.check("app", cwd=root, BUILDX_GIT_CHECK_DIRTY="false")
        self.assertEqual(vcs["revision"], revision)
        result, vcs, _ = self.ours("app", cwd=root, BUILDX_GIT_CHECK_DIRTY="1", PATH=str(self.folder))
        self.assertIn("WARNING: BUILDX_GIT_CHECK_DIRTY: whether anything was changed is not known: ", result.stderr)
        self.assertEqual(vcs["revision"], revision)

    def test_looking_for_changes_runs_nothing_of_the_checkout(self):
        root = self.checkout()
        self.git("config", "core.fsmonitor", f"touch {self.folder}/ran;", cwd=root)
        (root / "app/new").write_text("x")
        _, vcs, _ = self.ours("app", cwd=root, BUILDX_GIT_CHECK_DIRTY="1")
        self.assertTrue(vcs["revision"].endswith("-dirty"))
        self.assertFalse((self.folder / "ran").exists())

    def test_a_gitlab_job_without_a_checkout(self):
        dockerfile = f"FROM scratch\nCOPY * /\nLABEL own={self.image_name()}\n"
        root = self.context({"app/Dockerfile": dockerfile}, name="project")
        job = {
            "GITLAB_CI": "true",
            "CI_PROJECT_DIR": str(root),
            "CI_COMMIT_SHA": "a" * 40,
            "CI_PROJECT_URL": "https://gitlab.test/g/p",
            "CI_REPOSITORY_URL": URL,
            "CI_JOB_TOKEN": "t0k3n",
        }
        _, vcs, labels = self.ours("app", cwd=root, **job)
        facts = {"revision": "a" * 40, "source": "https://gitlab.test/g/p"}
        self.assertEqual({key: vcs[key] for key in facts}, facts)
        self.assertEqual(labels[LABELS[1]], "https://gitlab.test/g/p")


class Broken(VcsTest):
    def test_what_cannot_be_read_costs_a_line(self):
        """And no time: a pipe is not waited for, a large file is not read."""
        root = self.checkout()
        head = root / ".git/HEAD"

        def pipe():
            os.mkfifo(head)

        def huge():
            with open(head, "wb") as made:
                made.truncate(1 << 40)

        def away():
            head.symlink_to("/etc/hostname")

        def loop():
            head.symlink_to("HEAD")

        for make in (pipe, huge, away, loop):
            with self.subTest(make=make.__name__):
                head.unlink()
                make()
                result, vcs, labels = self.ours("app", cwd=root)
                self.assertIn("current commit information was not captured", result.stderr)
                self.assertEqual((vcs.get("revision"), labels), (None, {}))

    def test_a_stranger_leads_to_no_other_repository(self):
        mine = self.checkout()
        files = {"Dockerfile": f"FROM scratch\nCOPY * /\nLABEL own={self.image_name()}\n"}
        files[".git"] = file(f"gitdir: {mine}/.git\n")
        result, vcs, labels = self.ours(".", cwd=self.context(files, name="stranger"))
        self.assertIn("is not the repository of this checkout", result.stderr)
        self.assertEqual((vcs, labels), ({}, {}))
        self.assertNotIn("gitlab.test", (self.work / "ours.json").read_text())
