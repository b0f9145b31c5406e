"""The command line of depot-pool: help, what is wrong with a line, exit codes."""

import os

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
