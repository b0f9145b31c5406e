"""What has no effect, what is waited for, and what is wrong on this machine: each is said, with what to do."""

import json
import os
import signal
import socket

from harness import EndToEnd


class NeverSilent(EndToEnd):
    def small(self, *lines):
        dockerfile = f"FROM {self.rig['BASE']}\nRUN echo {self.image_name()} >/own\n"
        return self.context({"Dockerfile": dockerfile + "".join(lines)})

    def fails(self, *args, says, hint, check=1, **options):
        ended = self.build(*args, check=check, **options)
        said, _, told = ended.stderr.partition("hint: ")
        self.assertIn(says, said)
        self.assertIn(hint, told)
        return ended

    def dead_socket(self):
        """One that its daemon left behind."""
        path = self.folder / "left.sock"
        with socket.socket(socket.AF_UNIX) as bound:
            bound.bind(str(path))
        return path

    def test_what_an_old_buildkit_does_not_know(self):
        args = ["--ulimit", "nofile=1024", "--shm-size", "32m", self.small()]
        report = ["--code-quality-file", "report.json"]
        env = {"SOURCE_DATE_EPOCH": "0"}
        old = self.build("--cgroup-parent", "x", *report, *args, engine="oldest", env=env).stderr
        lines = ("--ulimit has no effect", "--shm-size has no effect", "--cgroup-parent has no effect",
                 "SOURCE_DATE_EPOCH has no effect", "--code-quality-file stays empty")
        for line in lines:
            self.assertEqual(old.count(line), 1, line)
        self.assertEqual(json.loads((self.work / "report.json").read_text()), [])
        new = self.build(*report, *args, builder="plain", env=env).stderr
        for line in lines:
            self.assertNotIn(line, new)

    def test_a_time_that_is_none(self):
        for engine in ("oldest", "containerd"):
            self.fails(self.small(), engine=engine, env={"SOURCE_DATE_EPOCH": "foo"}, says="foo",
                       hint="seconds since 1970")

    def test_annotations_where_no_image_has_any(self):
        image = self.image_name()
        said = self.build("--annotation", "a=b", "-t", image, self.small(), engine="classic").stderr
        self.assertEqual(said.count("annotations have no effect"), 1)
        self.engine("classic").remove(image)
        self.fails("--annotation", "index:a=b", self.small(), engine="classic", says="classic image store", hint="containerd")

    def test_the_line_of_an_ignore_file_that_is_no_pattern(self):
        context = self.small("COPY . /\n")
        (context / ".dockerignore").write_text("# notes\nok\n[a-\n")
        for engine in ("containerd", "oldest"):
            self.fails(context, engine=engine, says='"[a-" is malformed', hint="line 3 of .dockerignore: [a-")

    def test_flags_are_called_by_their_names(self):
        self.fails("--sbom-dir", "out", self.small(), engine="classic", says="ERROR: --sbom-dir: ", hint="0.11")
        missing = self.fails("--ssh", "default=/no/key", self.small(), builder="plain", says="/no/key: no such file", hint="")
        self.assertEqual(missing.stderr.count("/no/key"), 1)
        env = {"SSH_AUTH_SOCK": "/no/agent"}
        gone = self.fails("--ssh", "default", self.small(), builder="plain", env=env, says="SSH_AUTH_SOCK: /no/agent: ", hint="ssh-add")
        self.assertEqual(gone.stderr.count("/no/agent"), 1)

    def test_a_socket_that_nobody_listens_on(self):
        env = {"DOCKER_HOST": f"unix://{self.dead_socket()}"}
        self.fails(self.small(), env=env, check=110, says="connection refused", hint="nobody listens on it")
        load = ["--load", self.small()]
        self.fails(*load, builder="plain", env=env, check=114, says="connection refused", hint="nobody listens on it")

    def test_files_of_buildx_that_cannot_be_read(self):
        current = self.folder / "buildx/current"
        current.mkdir(parents=True)
        env = {"BUILDX_CONFIG": self.folder / "buildx"}
        self.fails(self.small(), engine="containerd", env=env, check=None, says="buildx/current", hint="--builder")
        current.rmdir()
        current.write_text("{")
        self.fails(self.small(), engine="containerd", env=env, check=None, says="not valid JSON", hint="--builder")

    def test_archives_whose_folder_is_not_there(self):
        nobody = f"tcp://{self.closed_port()}"
        for output in ("type=tar,dest=no/where/x.tar", f"type=oci,dest={self.work}/no/x.tar"):
            ended = self.fails("-o", output, self.small(), builder=nobody, says="there is no folder", hint="mkdir -p")
            self.assertNotIn("waiting", ended.stderr)
            theirs = self.run_buildx("build", "-o", output, self.small(), builder="plain", check=1).stderr
            self.assertIn("no such file or directory", theirs)
        self.assertFalse((self.work / "no").exists())

    def pipe(self):
        """One that stays open, and that nobody writes into."""
        reader, writer = os.pipe()
        self.addCleanup(os.close, writer)
        return os.fdopen(reader, "rb")

    def test_sources_that_nobody_writes(self):
        """Before the display is there, and a builder has been reached."""
        nobody = f"tcp://{self.closed_port()}"
        context = self.small()
        os.mkfifo(self.work / "pipe")
        silent = f"http://{self.silent_port()}/Dockerfile"
        waits = (
            (["-"], self.pipe(), "standard input"),
            (["-f", "-", context], self.pipe(), "standard input"),
            (["-f", "pipe", context], None, "what is written into the pipe pipe"),
            (["--ssh", "default=pipe", context], None, "the keys of --ssh"),
            (["-f", silent, context], None, silent.removesuffix("/Dockerfile")),
        )
        started = [self.start_plugin("build", *words, builder=nobody, stdin=stdin) for words, stdin, _ in waits]
        for running, (words, _, says) in zip(started, waits, strict=True):
            with self.subTest(words=words):
                running.wait_for_output(rf"waiting for {says} \(\d+ s\)", 60)
                running.send(signal.SIGINT)
                running.wait(20, check=130)

    def test_a_pipe_that_nobody_writes_into(self):
        context = self.small("RUN --mount=type=secret,id=s grep -q 'the word' /run/secrets/s\n")
        os.mkfifo(self.work / "pipe")
        running = self.start_plugin("build", "--secret", "id=s,src=pipe", context, builder="plain")
        running.wait_for_output("waiting for what is written into the pipe pipe", 60)
        (self.work / "pipe").write_text("the word\n")
        running.wait(60, check=0)
