"""--ssh: a private repository behind a real sshd, fetched in a step and as the build context."""

import os
import shutil
import subprocess
import threading
import unittest

import trees
from harness import FAILURES, EndToEnd
from tunnels import Programs, Sshd

_GIT = ["git", "-c", "user.name=t", "-c", "user.email=t@t", "-c", "init.defaultBranch=main"]


def _libraries(program):
    """What the dynamic linker loads for it."""
    out = subprocess.run(["ldd", program], check=True, capture_output=True, text=True).stdout
    words = [word for line in out.splitlines() for word in line.split() if word.startswith("/")]
    return [word for word in words if not word.startswith("(")]


class Ssh(EndToEnd):
    def setUp(self):
        super().setUp()
        self.sshd = Sshd(self.work / "sshd", Programs(self.work / "programs"))
        self.addCleanup(self.sshd.close)
        self.key = self.work / "sshd" / "user"
        self.repository_folder = self.repository_of({"word": "private\n"})

    def repository_of(self, files):
        """A repository that the server's root may read."""
        place = self.work / "repository"
        place.mkdir()
        for name, text in files.items():
            (place / name).write_text(text)
        for command in (["init", "-q"], ["add", "."], ["commit", "-qm", "one"]):
            subprocess.run([*_GIT, *command], cwd=place, check=True)
        return place

    def agent(self, *keys):
        """A real ssh-agent with these keys. Gives its socket."""
        place = self.work / "agent"
        running = subprocess.Popen(["ssh-agent", "-D", "-a", place], stdout=subprocess.DEVNULL)
        self.addCleanup(running.wait)
        self.addCleanup(running.kill)
        self.wait_until(place.exists, 10, "the ssh agent did not start")
        for key in keys:
            subprocess.run(
                ["ssh-add", "-q", key], env={"SSH_AUTH_SOCK": str(place)}, check=True, capture_output=True
            )
        return place

    def cloning(self, mount="--mount=type=ssh"):
        """A context whose step clones the repository with git and ssh of this machine."""
        programs = ["/usr/bin/git", "/usr/bin/ssh"]
        files = {path for program in programs for path in (program, *_libraries(program))}
        context = self.context({}, name="cloning")
        for path in files:
            target = context / "root" / path.lstrip("/")
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(os.path.realpath(path), target)
        options = "-o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null"
        url = self.sshd.url(self.repository_folder)
        (context / "Dockerfile").write_text(
            f"""FROM {self.rig['BASE']} AS clone
COPY root /
RUN --network=host {mount} : {self.image_name()}; \\
    GIT_SSH_COMMAND="ssh {options}" git clone -q {url} /clone
FROM scratch
COPY --from=clone /clone/word /
"""
        )
        return context

    def cloned(self, *ssh, context=None, **options):
        out = self.work / "out"
        self.build(
            "--allow", "network.host", *ssh, "-o", out, context or self.cloning(), builder="tls", **options
        )
        self.assertEqual(trees.text(out, "word"), "private\n")

    def test_agent(self):
        socket = self.agent(self.key)
        self.cloned("--ssh", "default", env={"SSH_AUTH_SOCK": str(socket)})

    def test_socket_and_key_file_under_names(self):
        socket = self.agent(self.key)
        self.cloned("--ssh", f"deploy={socket}", context=self.cloning("--mount=type=ssh,id=deploy"))

    def test_key_file(self):
        self.cloned("--ssh", f"default={self.key}")
        self.assertNotIn(self.key.read_text().splitlines()[2], self.results[-1].stderr)

    def test_key_from_a_pipe(self):
        pipe = self.work / "pipe"
        os.mkfifo(pipe)
        threading.Thread(target=pipe.write_text, args=(self.key.read_text(),), daemon=True).start()
        self.cloned("--ssh", f"default={pipe}")

    def test_second_key_of_several(self):
        stranger = self.work / "sshd" / "stranger"
        self.cloned("--ssh", f"default={stranger},{self.key}")

    def test_rsa_and_ecdsa_keys(self):
        lines = []
        for kind in ("rsa", "ecdsa"):
            place = self.work / kind
            form = ["-m", "PEM"] if kind == "rsa" else []
            subprocess.run(["ssh-keygen", "-q", "-N", "", "-t", kind, *form, "-f", place], check=True)
            lines.append((self.work / f"{kind}.pub").read_text())
            (self.work / "sshd" / "authorized").write_text(lines[-1])
            self.cloned("--ssh", f"default={place}", context=self.cloning())
            shutil.rmtree(self.work / "out")

    def test_key_in_a_variable(self):
        self.cloned("--ssh", "default=env=DEPLOY_KEY", env={"DEPLOY_KEY": self.key.read_text()})

    def test_git_context_over_ssh(self):
        (self.repository_folder / "Dockerfile").write_text("FROM scratch\nCOPY word /\n")
        for command in (["add", "."], ["commit", "-qm", "two"]):
            subprocess.run([*_GIT, *command], cwd=self.repository_folder, check=True)
        url = self.sshd.url(self.repository_folder)
        out = self.work / "out"
        self.build("--ssh", f"default={self.key}", "-o", out, url, builder="tls")
        self.assertEqual(trees.text(out, "word"), "private\n")
        stranger = self.work / "sshd" / "stranger"
        refused = self.build("--ssh", f"default={stranger}", "--no-cache", url, builder="tls", check=112)
        self.assertIn("Permission denied (publickey", refused.stderr)
        self.assertIn("that server takes none of the keys", refused.stderr)
        refused = self.build("-o", self.work / "none", url, builder="tls", check=1)
        self.assertIn("the build context is fetched over ssh, and no --ssh says by which key", refused.stderr)
        # As with docker buildx an agent that is there is used unasked.
        socket = self.agent(self.key)
        self.build("-o", self.work / "third", url, "--no-cache", builder="tls", env={"SSH_AUTH_SOCK": str(socket)})

    def test_step_without_ssh_says_what_to_give(self):
        context = self.context(
            {"Dockerfile": f"FROM {self.rig['BASE']}\nRUN --mount=type=ssh,required=true : {self.image_name()}\n"}
        )
        refused = self.build(context, builder="tls", check=1)
        self.assertIn("unset ssh forward key default", refused.stderr)
        self.assertIn("--ssh ID=KEYFILE", refused.stderr)

    def refusal(self, *ssh, env=None, check=FAILURES):
        """That of a build which must not get to its builder."""
        context = self.context({"Dockerfile": "FROM scratch\n"}, name="refused")
        builder = f"tcp://{self.closed_port()}"
        result = self.build(*ssh, context, builder=builder, env=env, check=check)
        self.assertNotIn("connect", result.stderr.split("--ssh", 1)[0])
        return result.stderr

    def test_bad_keys_are_told_before_connecting(self):
        locked, pub, text = self.work / "locked", self.work / "sshd" / "user.pub", self.work / "text"
        subprocess.run(["ssh-keygen", "-q", "-N", "secret", "-t", "ed25519", "-f", locked], check=True)
        text.write_text("hello\n")
        said = {
            locked: "the key is encrypted with a passphrase",
            pub: "is a public key",
            text: "is no private key",
            self.work / "missing": "no such file or directory",
            self.work: "is a directory",
        }
        for path, words in said.items():
            with self.subTest(path.name):
                self.assertIn(words, self.refusal("--ssh", f"default={path}"))

    def test_bad_variables_are_told_without_their_text(self):
        self.assertIn("the variable NONE is not set", self.refusal("--ssh", "default=env=NONE"))
        word = "c2VjcmV0LWtleS1tYXRlcmlhbA"
        self.refusal("--ssh", "default=env=BAD", env={"BAD": f"-----BEGIN OPENSSH PRIVATE KEY-----\n{word}\n"})
        shown = self.refusal("--ssh", f"default=-----BEGIN OPENSSH PRIVATE KEY-----\n{word}", check=125)
        self.assertIn("--ssh default=env=VARIABLE", shown)
        self.assertNotIn(word, "".join(result.stderr for result in self.results))

    def test_agents_that_cannot_help_are_told_before_connecting(self):
        self.assertIn("SSH_AUTH_SOCK is not set", self.refusal("--ssh", "default"))
        gone = self.work / "gone"
        self.assertIn("no such file", self.refusal("--ssh", "default", env={"SSH_AUTH_SOCK": str(gone)}).lower())
        socket = self.agent()
        self.assertIn("shows no keys", self.refusal("--ssh", f"default={socket}"))
        mixed = self.refusal("--ssh", f"default={socket},{self.key}", check=125)
        self.assertIn("an agent and keys cannot be given for one id", mixed)

    def test_a_locked_agent_is_told_before_connecting(self):
        agent = self.agent(self.key)
        words = {"input": "word\nword\n", "env": {"SSH_AUTH_SOCK": str(agent)}, "text": True}
        subprocess.run(["ssh-add", "-x"], check=True, capture_output=True, **words)
        self.assertRegex(self.refusal("--ssh", f"default={agent}"), "shows no keys: .* locked")

    def test_a_key_of_somebody_else_is_told_before_connecting(self):
        context = self.context({"Dockerfile": "FROM scratch\n"})
        closed = self.work / "closed"
        shutil.copyfile(self.key, closed)
        closed.chmod(0o600)
        said = self.as_nobody("build", "--ssh", f"default={closed}", context, builder=f"tcp://{self.closed_port()}")
        self.assertEqual(said.returncode, 1, said.stderr)
        self.assertIn(f"ERROR: --ssh default: {closed}: open {closed}: permission denied", said.stderr)

    def test_same_words_as_buildx(self):
        """What goes through and what does not is the same."""
        context = self.context(
            {"Dockerfile": f"FROM {self.rig['BASE']}\nRUN --mount=type=ssh test -S $SSH_AUTH_SOCK && : {self.image_name()}\n"}
        )
        for ssh, good in (("default", False), (f"default={self.key}", True), (f"={self.key}", True), ("default=", False)):
            with self.subTest(ssh):
                code = 0 if good else 1
                self.run_buildx("build", "--ssh", ssh, context, builder="tls", check=code)
                self.build("--ssh", ssh, context, builder="tls", check=code)


if __name__ == "__main__":
    unittest.main()
