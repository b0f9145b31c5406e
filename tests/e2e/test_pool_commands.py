"""The command line of depot-pool: help, what is wrong with a line, exit codes."""

import contextlib
import json
import os
import pty
import signal
import sqlite3
import subprocess
import termios
import unicodedata

from pool import PoolTest


class CommandLine(PoolTest):
    def setUp(self):
        super().setUp()
        self.pool = self.make_pool()

    def says(self, *args):
        """What a right line prints."""
        result = self.pool.command(*args)
        self.assertEqual(result.stderr, "")
        return result.stdout

    def assert_wrong(self, args, *texts):
        """A wrong line: exit code 2, and what is said of it on standard error alone."""
        result = self.pool.command(*args, check=2)
        self.assertEqual(result.stdout, "")
        for text in texts:
            self.assertIn(text, result.stderr)
        return result.stderr

    def test_help_lists_all_commands(self):
        help_text = self.says("help")
        for args in (["--help"], ["-h"], []):
            self.assertEqual(self.says(*args), help_text)
        for text in (
            "serve\n",
            "token create [--project P] [--user U] [--expires AGE]\n",
            "token list\n",
            "token revoke ID\n",
            "login approve CODE --user U [--expires AGE]\n",
            "builds list [--project P] [--limit N]\n",
            "builds cancel ID\n",
            "migrate\n",
            "ca show [--builder NAME] [--state DIR]\n",
            "ca server-certificate HOST... --out DIR [--builder NAME] [--state DIR]\n",
            "front --builder NAME --pool URL --certificates DIR [--listen ADDRESS:PORT] [--socket PATH] [--drain]\n",
            "version\n",
            "DEPOT_POOL_CONFIG",
            "/etc/depot-pool/pool.yaml",
        ):
            self.assertIn(text, help_text)
        self.assertLessEqual(max(map(len, help_text.splitlines())), 140)

    def test_a_command_has_help_of_its_own(self):
        for args in (["token", "create", "--help"], ["token", "create", "-h", "--project", "x"]):
            text = self.says(*args)
            self.assertIn("Usage: depot-pool token create [--project P]", text)
            self.assertIn("30d", text)
            self.assertNotIn("builds list", text)
        group = self.says("token", "--help")
        self.assertIn("token revoke ID", group)
        self.assertNotIn("builds list", group)

    def test_version(self):
        self.assertRegex(self.says("version"), r"^depot-pool \d+\.\d+\.\d+\n$")

    def test_an_unknown_option_names_the_nearest(self):
        self.assert_wrong(["token", "create", "--projekt", "one"], "--projekt", "did you mean --project?")
        self.assert_wrong(["token", "list", "--confg=x"], "unknown option --confg", "--config?")
        self.assert_wrong(["token", "list", "--quux"], "--quux", "see depot-pool token list --help")
        self.assert_wrong(["ca", "server-certificate", "h", "--ot", "x"], "--ot", "did you mean --out?")
        self.assert_wrong(["--vershun"], "unknown option --vershun")

    def test_an_option_of_another_command_is_no_option(self):
        self.assert_wrong(["token", "list", "--limit", "5"], "unknown option --limit")

    def test_an_unknown_command_names_the_nearest(self):
        self.assert_wrong(["tokens", "list"], "unknown command tokens", "did you mean token?")
        self.assert_wrong(["token", "revok", "x"], "unknown command revok", "did you mean revoke?")
        self.assert_wrong(["quux"], "unknown command quux", "see depot-pool --help")
        text = self.assert_wrong(["to\x1bken"], "unknown command")
        self.assertNotIn("\x1b", text)

    def test_help_about_what_there_is_not_is_its_error(self):
        alone = self.assert_wrong(["nonsense"], "unknown command nonsense", "see depot-pool --help")
        for args in (["nonsense", "--help"], ["--help", "nonsense"], ["nonsense", "-h"]):
            self.assertEqual(self.assert_wrong(args), alone)
        self.assert_wrong(["token", "revok", "--help"], "unknown command revok", "did you mean revoke?")
        self.assert_wrong(["--nonsense", "--help"], "unknown option --nonsense")

    def test_a_command_without_its_verb_says_which_there_are(self):
        self.assert_wrong(["token"], "create or list or revoke", "depot-pool token --help")
        self.assert_wrong(["ca"], "show or server-certificate")

    def test_what_is_missing_is_named(self):
        self.assert_wrong(["token", "create", "--project"], "--project", "usage: depot-pool token create")
        self.assert_wrong(["token", "revoke"], "ID", "usage: depot-pool token revoke ID")
        self.assert_wrong(["login", "approve", "CODE"], "--user")
        self.assert_wrong(["ca", "server-certificate", "host"], "--out")
        self.assert_wrong(["token", "create"], "--project P", "--user U")

    def test_what_is_too_much_is_named(self):
        self.assert_wrong(["token", "list", "all"], "all is one word too many")
        self.assert_wrong(["serve", "now"], "now is one word too many", "usage: depot-pool serve")
        self.assert_wrong(["token", "create", "--project", "one", "--user", "ada"], "project or of a user")

    def test_values_are_checked(self):
        for wrong in ("0", "100001", "many", "-5", "1.5"):
            self.assert_wrong(["builds", "list", f"--limit={wrong}"], "--limit")
        for wrong in ("0d", "5", "5w", "4000d", "-1d"):
            self.assert_wrong(["token", "create", "--project", "one", f"--expires={wrong}"], "30d")
        self.assert_wrong(["front", "--builder", "b", "--certificates", "x", "--pool", "http://p"], "https://")

    def test_the_last_of_an_option_given_twice_counts(self):
        self.pool.command("token", "create", "--project", "nothing", "--project", "one")
        self.assertIn("project one", self.pool.command("token", "list").stdout)

    def test_options_may_stand_before_the_command_and_have_an_equals_sign(self):
        elsewhere = f"--config={self.folder / 'nothing.yaml'}"
        argv = [os.environ["DEPOT_POOL"], elsewhere, "token", "list"]
        result = self._finish(self._start(argv, None, None, {}, None, None), 1, 30)
        self.assertIn("nothing.yaml", result.stderr)
        self.pool.command("--config", "nothing.yaml", "token", "list")

    def test_the_reason_of_a_build_is_last_and_whole_but_on_a_terminal(self):
        reason = "push failed: " + "\u4f60\u597d " * 60 + "the end"
        with contextlib.closing(sqlite3.connect(self.pool.state / "builds.sqlite")) as database:
            self.pool.command("builds", "list")
            database.execute(
                "INSERT INTO builds (id, project, creator, created_at, ends_at, token_hash, saved, options, state, error,"
                " finished_at, cancel_at) VALUES ('b1', 'one', 'ada', 1, 2, 'h', 0, '', 2, ?, 3, 0)",
                (reason,),
            )
            database.commit()
        (line,) = self.says("builds", "list").splitlines()
        self.assertTrue(line.endswith(f"  by ada  {reason}"), line)
        for columns in (70, 100):
            shown = self.on_terminal(columns, "builds", "list").rstrip()
            self.assertTrue(shown.endswith("\u2026"), shown)
            self.assertLessEqual(sum(2 if unicodedata.east_asian_width(c) == "W" else 1 for c in shown), columns)
            self.assertTrue(line.startswith(shown[:-1]), shown)
        self.assertEqual(self.on_terminal(2000, "builds", "list").rstrip(), line)

    def on_terminal(self, columns, *args):
        """What a terminal that wide is sent."""
        ours, theirs = pty.openpty()
        termios.tcsetwinsize(theirs, (24, columns))
        argv = [os.environ["DEPOT_POOL"], *args, "--config", self.pool.file]
        done = subprocess.Popen(argv, stdin=theirs, stdout=theirs)
        os.close(theirs)
        text = b""
        with open(ours, "rb", buffering=0) as screen, contextlib.suppress(OSError):
            while more := screen.read(4096):
                text += more
        self.assertEqual(done.wait(30), 0)
        return text.decode()

    def test_a_file_that_is_not_there_is_named_with_what_to_do(self):
        nowhere = self.folder / "none.yaml"
        argv = [os.environ["DEPOT_POOL"], "serve", "--config", nowhere]
        result = self._finish(self._start(argv, None, None, {}, None, None), 1, 30)
        self.assertIn(f"{nowhere}: no such file or directory", result.stderr)
        self.assertIn("hint: write the pool's settings there, or say where they are: --config FILE", result.stderr)
        self.pool.settings["tls"] = {"certificate": "none.pem", "key": "none-key.pem"}
        self.pool.write()
        line = 1 + self.pool.file.read_text().splitlines().index('  certificate: "none.pem"')
        result = self.pool.command("serve", check=1)
        self.assertIn(f"{self.pool.file}: line {line}: tls: certificate names a file that cannot be read: ", result.stderr)
        self.assertIn("none.pem: no such file or directory\nhint: put it there", result.stderr)
        self.pool.command("token", "list")

    def test_one_state_has_one_server(self):
        self.pool.start()
        other = self.pool.file.with_name("other.yaml")
        other.write_text(self.pool.file.read_text().replace(self.pool.settings["listen"], "127.0.0.1:0"))
        argv = [os.environ["DEPOT_POOL"], "serve", "--config", other]

        def second(check=1):
            return self._finish(self._start(argv, None, None, {}, None, None), check, 30).stderr

        said = second()
        self.assertIn(f"another depot-pool serves from {self.pool.state}, and two would give every slot twice", said)
        self.assertIn("hint: stop that one first", said)
        # What opens the records beside a server does as ever.
        token = self.pool.token(project="one")
        self.pool.command("builds", "list")
        self.pool.command("ca", "show")
        self.assertEqual(self.pool.builds(token, "one"), {})
        self.pool.process.send(signal.SIGSTOP)
        self.assertIn("another depot-pool serves", second())
        # By another way it is the same folder.
        alias = self.folder / "alias"
        alias.symlink_to(self.pool.state)
        other.write_text(other.read_text().replace('"state"', json.dumps(str(alias))))
        self.assertIn("another depot-pool serves", second())
        # The lock is the process's: nothing of it is left.
        self.pool.kill()
        self.pool.start()
        self.assertEqual(self.pool.stop().rc, 0)
        self.pool.start()

    def test_what_fails_ends_with_1(self):
        for args in (
            ["token", "create", "--project", "nothing"],
            ["token", "revoke", "nothing"],
            ["builds", "cancel", "nothing"],
            ["login", "approve", "NOTHING", "--user", "ada"],
        ):
            result = self.pool.command(*args, check=1)
            self.assertEqual(result.stdout, "")
            self.assertTrue(result.stderr.startswith("depot-pool: "), result.stderr)
