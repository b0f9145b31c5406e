"""A build in tmux, which is a terminal of its own: what is on the screen meanwhile, and what stays."""

import re
import shutil
import subprocess

from harness import EndToEnd


class Tmux(EndToEnd):
    def tearDown(self):
        self.tmux("kill-server", check=False)
        super().tearDown()

    def start(self, *args, rows=24, columns=80, term="screen"):
        """Builds in a new tmux, which says how the build ended and stays."""
        self.assertTrue(shutil.which("tmux"), "the package tmux is missing (tests/packages-test.txt)")
        script = self.folder / "run.sh"
        # The key is for all that runs in the terminal, this shell too.
        script.write_text('trap : INT\n"$@"\necho "ended with $?"\nexec sleep 1000\n')
        command = ["sh", script, self._plugin(), "build", *args]
        environment = self.environment(builder="tls", env={"TERM": "xterm"})
        self.tmux(
            "-f", "/dev/null", "new-session", "-d", "-x", columns, "-y", rows, "env", f"TERM={term}", *command,
            env=environment,
        )  # fmt: skip

    def tmux(self, *args, check=True, env=None):
        argv = ["tmux", "-u", "-S", self.folder / "tmux", *args]
        done = subprocess.run(map(str, argv), env=env, cwd=self.work, capture_output=True, text=True, check=check)
        return done.stdout

    def screen(self, *more):
        return self.tmux("capture-pane", "-p", *more)

    def whole(self):
        """With what scrolled away."""
        return self.screen("-S", "-")

    def wait_for(self, pattern):
        self.wait_until(lambda: re.search(pattern, self.whole()), 60, f"no {pattern!r} on the screen")

    def assert_usable(self):
        """Cursor, line breaks and screen are as a shell wants them."""
        state = self.tmux("display-message", "-p", "#{cursor_flag} #{wrap_flag} #{alternate_on} #{cursor_x}")
        self.assertEqual(state, "1 1 0 0\n")

    def context_with(self, *lines):
        lines = [f"FROM {self.rig['BASE']}", f"RUN : {self.image_name()}", *lines, ""]
        return self.context({"Dockerfile": "\n".join(lines)})

    def step_fills(self, columns):
        """Its time is a column before the edge."""
        shown = self.screen().splitlines()
        return any(line.startswith(" => [3/3] RUN") and len(line) == columns - 1 for line in shown)

    def test_resized_and_interrupted(self):
        step = self.endless_step()
        self.start(self.context_with(f"RUN echo first; {step}"))
        self.wait_for("=> => # first")
        for columns, rows in ((40, 10), (100, 30)):
            self.tmux("resize-window", "-x", columns, "-y", rows)
            self.wait_until(lambda columns=columns: self.step_fills(columns), 60, f"no step {columns} columns wide")
        self.tmux("send-keys", "C-c")
        self.wait_for("ended with 130")
        self.assert_usable()
        text = self.whole()
        self.assertRegex(text, r"(?m)^ => CANCELED \[3/3\] RUN echo first; sleep")
        self.assertRegex(text, r"(?m)^\[\+\] Building [\d.]+s \(\d+/\d+\) CANCELED +tcp://")
        self.assertRegex(text, r"(?m)^ERROR: (.*\n)*ended with 130\n")
        self.assertNotIn("# first", self.screen())
        self.assert_step_ends(step)

    def test_a_build_that_ends(self):
        self.start(self.context_with("RUN for i in $(seq 60); do echo 你好 $i; done; sleep 1"), columns=60, rows=12)
        self.wait_for("ended with 0")
        self.assert_usable()
        text = self.whole()
        self.assertRegex(text, r"(?m)^building on tcp://")
        self.assertRegex(text, r"(?m)^ => \[3/3\] RUN for i in .* \d+\.\ds$")
        self.assertEqual(len(re.findall(r"(?m)^\[\+\] Building [\d.]+s \((\d+)/\1\) FINISHED", text)), 1)
        self.assertEqual(text.count("[+] Building"), 1, text)
        self.assertNotIn("你好 60", text)

    def test_a_terminal_that_can_do_nothing(self):
        self.start(self.context_with("RUN echo hello; false"), term="dumb")
        self.wait_for("ended with 1")
        self.assert_usable()
        text = self.whole()
        self.assertRegex(text, r"(?m)^#\d+ \[3/3\] RUN echo hello; false$")
        self.assertRegex(text, r"(?m)^ERROR: ")
        self.assertNotIn("[+] Building", text)
