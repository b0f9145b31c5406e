"""What a shell offers behind `depot` and `docker depot`: by docker's own request, and in real shells."""

import os
import pty
import re
import select
import subprocess
import time
import unittest

from harness import EndToEnd

_DOCKERFILE = """ARG VERSION=1
FROM BASE AS compile
ARG TARGETARCH
FROM scratch AS final
COPY --from=compile /x /
"""
_NO_SPACE, _NO_FILES, _FOLDERS = 2, 4, 16


def _shown(text):
    """What is left when colours are gone and what was gone back over is written anew."""
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text)
    while "\b" in text.lstrip("\b"):
        text = re.sub(r"[^\b]\x08", "", text.lstrip("\b"), count=1)
    return text


class Completion(EndToEnd):
    def ask(self, *words, **options):
        """(candidates, directive) as our program answers."""
        done = self.run_plugin("__completeNoDesc", *words, **options)
        self.assertEqual(done.stderr, "")
        *candidates, directive = done.stdout.splitlines()
        return candidates, int(directive.removeprefix(":"))

    def test_commands(self):
        candidates, directive = self.ask("")
        self.assertEqual(directive, _NO_FILES)
        for name in ("build", "imagetools", "list", "version"):
            self.assertIn(name, candidates)
        self.assertEqual(self.ask("bui"), (["build"], _NO_FILES))
        self.assertEqual(self.ask("imagetools", ""), (["create", "inspect"], _NO_FILES))
        self.assertEqual(self.ask("--builder", "x", "imagetools", "i"), (["inspect"], _NO_FILES))
        self.assertEqual(self.ask("nothing", ""), ([], _NO_FILES))
        self.assertIn("build", self.ask("help", "")[0])

    def test_with_what_they_are(self):
        done = self.run_plugin("__complete", "ver")
        self.assertEqual(done.stdout, "version\tShow version information\n:4\n")

    def test_each_command_tells_its_flags_and_does_nothing(self):
        commands, _ = self.ask("")
        words = [[name] for name in commands if name not in ("list", "cache", "imagetools", "help", "version")]
        words += [["list", "builds"], ["list", "projects"], ["cache", "reset"], ["imagetools", "create"]]
        before = sorted(os.listdir(self.work))
        for command in words:
            with self.subTest(command=command):
                self.assertIn("--help", self.ask(*command, "--")[0])
        self.assertEqual(sorted(os.listdir(self.work)), before)

    def test_values(self):
        (self.work / "docker-bake.hcl").write_text('target "default" {}\n')
        os.mkfifo(self.work / "pipe")
        for words, wanted in (
            (["build", "--progress", "pl"], (["plain"], _NO_FILES)),
            (["build", "--progress=pl"], (["plain"], _NO_FILES)),
            (["build", "--call", "o"], (["outline"], _NO_FILES)),
            (["build", "--platform", "linux/amd64,linux/arm6"], (["linux/amd64,linux/arm64"], _NO_SPACE | _NO_FILES)),
            (["build", "--file", ""], ([], 0)),
            (["build", "-f", ""], ([], 0)),
            (["build", ""], ([], _FOLDERS)),
            (["build", "--load", ""], ([], _FOLDERS)),
            (["ls", ""], ([], _NO_FILES)),
            (["bake", "--set", "x", "d"], (["default"], _NO_FILES)),
            (["bake", "-f", "pipe", "d"], ([], _NO_FILES)),
            (["completion", "z"], (["zsh"], _NO_FILES)),
        ):
            with self.subTest(words=words):
                self.assertEqual(self.ask(*words), wanted)

    def test_names_of_the_dockerfile(self):
        context = self.context({"Dockerfile": _DOCKERFILE.replace("BASE", self.rig["BASE"])})
        self.assertEqual(self.ask("build", "--target", "", cwd=context)[0], ["compile", "final"])
        self.assertEqual(self.ask("build", context, "--target", "f")[0], ["final"])
        self.assertEqual(self.ask("build", "-f", f"{context}/Dockerfile", "--no-cache-filter=c")[0], ["compile"])
        args = (["VERSION=", "TARGETARCH="], _NO_SPACE | _NO_FILES)
        self.assertEqual(self.ask("build", context, "--build-arg", ""), args)

    def test_a_dockerfile_that_is_none_holds_nobody_up(self):
        os.mkfifo(self.work / "pipe")
        (self.work / "binary").write_bytes(os.urandom(4096))
        for path in ("pipe", "binary", "missing", "/dev/zero", "."):
            with self.subTest(path=path):
                self.assertEqual(self.ask("build", "-f", path, "--target", "", timeout=60)[1], _NO_FILES)

    def test_builders(self):
        env = {"BUILDX_CONFIG": str(self.folder / "buildx")}
        self.run_plugin("create", "--name", "mine", "--driver", "remote", "tcp://builder.example:1234", env=env)
        for words in (["use", "m"], ["inspect", "m"], ["build", "--builder", "m"], ["du", "--builder=m"]):
            with self.subTest(words=words):
                self.assertEqual(self.ask(*words, env=env), (["mine"], _NO_FILES))

    def test_docker_asks(self):
        said = self.run_docker("__complete", "depot", "build", "--progress", "raw").stdout
        self.assertEqual(said.splitlines()[:2], ["rawjson", ":4"])


class Shells(EndToEnd):
    """Real shells, with the scripts that `completion` prints."""

    def setUp(self):
        super().setUp()
        place = self.folder / "bin"
        place.mkdir()
        (place / "depot").symlink_to(self._plugin())
        self.env = {**self.environment(), "PATH": f"{place}:/usr/bin:/bin", "TERM": "xterm", "HOME": str(self.folder)}

    def typed(self, shell, keys, until):
        """Types `keys` into an interactive shell until it shows `until`."""
        pid, terminal = pty.fork()
        if pid == 0:
            os.chdir(self.work)
            os.execvpe(shell[0], shell, self.env)
        self.addCleanup(os.close, terminal)
        seen = ""
        try:
            os.write(terminal, keys.encode())
            end = time.monotonic() + 60
            while until not in _shown(seen) and time.monotonic() < end:
                if select.select([terminal], [], [], 1)[0]:
                    seen += os.read(terminal, 65536).decode(errors="replace")
        finally:
            os.kill(pid, 9)
            os.waitpid(pid, 0)
        self.assertIn(until, _shown(seen))

    def test_bash(self):
        bash = ["bash", "--norc", "--noprofile", "-i"]
        load = "PS1='> '; source <(depot completion bash)\n"
        self.typed(bash, load + "depot bui\t--progress=pl\t--target x", "depot build --progress=plain --target x")
        self.typed(bash, load + "depot build --platform linux/amd64,linux/riscv\t,", "linux/amd64,linux/riscv64,")
        (self.work / "folder").mkdir()
        self.typed(bash, load + "depot build -f fol\tend", "depot build -f folder/end")

    def test_zsh(self):
        zsh = ["zsh", "-f", "-i"]
        load = "PS1='> '; autoload -Uz compinit; compinit -D -u; source <(depot completion zsh)\n"
        self.typed(zsh, load + "depot bui\t--progress=pl\t--target x", "depot build --progress=plain --target x")

    def test_fish(self):
        for line, wanted in (
            ("depot bui", ["build\tBuild an image from a Dockerfile"]),
            ("depot build --progress=pl", ["--progress=plain"]),
        ):
            script = f"depot completion fish | source; complete -C '{line}'"
            done = subprocess.run(
                ["fish", "--no-config", "-c", script], env=self.env, cwd=self.work, capture_output=True, text=True, check=True
            )
            self.assertEqual(done.stdout.splitlines(), wanted)

    def test_a_shell_that_is_not_known(self):
        self.assertIn("bash, zsh or fish", self.run_plugin("completion", "tcsh", check=125).stderr)


if __name__ == "__main__":
    unittest.main()
