"""`docker depot configure-docker`: the alias in config.json, and the link docker-buildx."""

import json
import os
import shutil
import subprocess
import threading

from harness import EndToEnd

_NOBODY = 65534
# As docker writes it, with what this version of it does not know.
_CONFIG = """{
\t"auths": {
\t\t"registry.test": {
\t\t\t"auth": "dTpz"
\t\t}
\t},
\t"detachKeys": "ctrl-e,e",
\t"futureThing": [1, 2.50, {"n": 12345678901234567890123}, "\\u00e9é"]
}
"""


class ConfigureDockerTest(EndToEnd):
    """What the tests below share."""

    def setUp(self):
        super().setUp()
        self.config = self.docker_config / "config.json"
        self.plugins = self.docker_config / "cli-plugins"
        self.link = self.plugins / "docker-buildx"

    def configure(self, *args, **options):
        return self.run_plugin("configure-docker", *args, **options)

    def refused(self, *args, says, rc=1, **options):
        """The command fails for a reason, and no file has changed."""
        before = self._seen()
        said = self.configure(*args, check=rc, **options).stderr
        for part in says if isinstance(says, tuple) else (says,):
            self.assertIn(part, said)
        self.assertEqual(self._seen(), before)

    def alias(self):
        return json.loads(self.config.read_text()).get("aliases", {}).get("builder")

    def _seen(self):
        """Every name below DOCKER_CONFIG, with content or target."""
        seen = {}
        for path in sorted(self.docker_config.rglob("*")):
            if path.is_symlink():
                seen[path] = os.readlink(path)
            else:
                seen[path] = path.read_bytes() if path.is_file() else None
        return seen

    def run_as_nobody(self, *args):
        """The program as a user who owns nothing; (exit code, output)."""
        program = self.folder / "docker-depot"
        shutil.copy(self._plugin(), program)
        self.folder.chmod(0o711)
        done = subprocess.run(
            [program, "configure-docker", *args],
            env={"DOCKER_CONFIG": str(self.docker_config)},
            cwd="/",
            user=_NOBODY,
            group=_NOBODY,
            extra_groups=[],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        return done.returncode, done.stdout + done.stderr


class Alias(ConfigureDockerTest):
    def test_a_first_file(self):
        shutil.rmtree(self.docker_config)
        said = self.configure().stdout
        self.assertEqual(json.loads(self.config.read_text()), {"aliases": {"builder": "depot"}})
        self.assertEqual(self.config.stat().st_mode & 0o777, 0o600)
        self.assertIn(str(self.config), said)
        self.assertIn("`docker build`", said)

    def test_everything_else_stays_byte_by_byte(self):
        self.config.write_text(_CONFIG)
        self.configure()
        self.assertEqual(
            self.config.read_text(),
            _CONFIG[: -len("\n}\n")] + ',\n\t"aliases": {"builder": "depot"}\n}\n',
        )
        self.configure("--uninstall")
        self.assertEqual(self.config.read_text(), _CONFIG)

    def test_twice_is_once(self):
        self.config.write_text(_CONFIG)
        self.configure()
        once = self.config.read_bytes(), self.config.stat().st_ino
        self.assertIn("already", self.configure().stdout)
        self.assertEqual((self.config.read_bytes(), self.config.stat().st_ino), once)
        self.configure("--uninstall")
        self.assertIn("has no alias", self.configure("--uninstall").stdout)

    def test_an_empty_file(self):
        for text in ("", "\n", "{}"):
            self.config.write_text(text)
            self.configure()
            self.assertEqual(self.alias(), "depot")

    def test_other_aliases_stay(self):
        self.docker_settings(aliases={"b": "buildx"})
        self.configure()
        self.assertEqual(json.loads(self.config.read_text())["aliases"], {"b": "buildx", "builder": "depot"})
        self.configure("--uninstall")
        self.assertEqual(json.loads(self.config.read_text())["aliases"], {"b": "buildx"})

    def test_dry_run_changes_nothing(self):
        self.config.write_text(_CONFIG)
        before = self._seen()
        self.assertIn("would be written", self.configure("--dry-run").stdout)
        self.assertIn("would be", self.configure("--dry-run", "--as", "buildx").stdout)
        self.assertEqual(self._seen(), before)
        self.configure()
        before = self._seen()
        self.assertIn("would go", self.configure("--dry-run", "--uninstall").stdout)
        self.assertEqual(self._seen(), before)

    def test_permissions_stay(self):
        for mode in (0o600, 0o644, 0o640, 0o400):
            self.config.write_text(_CONFIG)
            self.config.chmod(mode)
            self.configure()
            self.assertEqual(self.config.stat().st_mode & 0o7777, mode)
            self.configure("--uninstall")
            self.assertEqual(self.config.stat().st_mode & 0o7777, mode)
            self.config.unlink()

    def test_the_owner_stays(self):
        self.config.write_text(_CONFIG)
        os.chown(self.config, _NOBODY, _NOBODY - 1)
        self.configure()
        status = self.config.stat()
        self.assertEqual((status.st_uid, status.st_gid), (_NOBODY, _NOBODY - 1))

    def test_through_a_symlink(self):
        real = self.folder / "dotfiles" / "docker.json"
        real.parent.mkdir()
        real.write_text(_CONFIG)
        real.chmod(0o640)
        middle = self.folder / "middle"
        middle.symlink_to("dotfiles/docker.json")
        self.config.symlink_to(middle)
        self.configure()
        self.assertEqual(os.readlink(self.config), str(middle))
        self.assertEqual(os.readlink(middle), "dotfiles/docker.json")
        self.assertEqual(json.loads(real.read_text())["aliases"], {"builder": "depot"})
        self.assertEqual(real.stat().st_mode & 0o777, 0o640)
        self.assertEqual([path.name for path in real.parent.iterdir()], ["docker.json"])

    def test_through_a_symlinked_folder(self):
        real = self.folder / "elsewhere"
        self.docker_config.rename(real)
        self.docker_config.symlink_to(real)
        self.configure()
        self.assertTrue(self.docker_config.is_symlink())
        self.assertEqual(self.alias(), "depot")

    def test_a_symlink_that_leads_nowhere(self):
        self.config.symlink_to(self.folder / "gone.json")
        self.refused(says=(f"open {self.config}", "no such file"))

    def test_a_symlink_to_itself(self):
        self.config.symlink_to("config.json")
        self.refused(says="config.json")

    def test_broken_json(self):
        for text in ('{"auths": s3cret}', '{"aliases": {"builder": "depot"}', "[]", "{}{}"):
            self.config.write_text(text)
            for args in ([], ["--uninstall"], ["--dry-run"]):
                self.refused(*args, says=str(self.config))
        self.assert_no_leak("s3cret")

    def test_aliases_of_another_kind(self):
        for aliases in ([], "builder", 1, True):
            self.docker_settings(aliases=aliases)
            self.refused(says="aliases")
        self.docker_settings(aliases={"builder": ["depot"]})
        self.refused(says="builder")

    def test_an_alias_of_another_program(self):
        self.docker_settings(aliases={"builder": "buildx"})
        self.refused(says=('"buildx"', "docker buildx uninstall"))
        self.refused("--uninstall", says='"buildx"')
        self.docker_settings(aliases={"builder": "other"})
        self.refused(says=('"other"', "by hand"))

    def test_no_regular_file(self):
        self.config.mkdir()
        self.refused(says="config.json")
        self.config.rmdir()
        os.mkfifo(self.config)
        said = self.configure(check=1).stderr
        self.assertIn("config.json", said)

    def test_a_user_who_may_not(self):
        self.config.write_text(_CONFIG)
        before = self._seen()
        rc, said = self.run_as_nobody()
        self.assertEqual(rc, 1)
        self.assertIn(str(self.config), said)
        self.assertEqual(self._seen(), before)

    def test_a_read_only_file(self):
        self.docker_config.chmod(0o777)
        self.config.write_text(_CONFIG)
        os.chown(self.config, _NOBODY, _NOBODY)
        self.config.chmod(0o444)
        rc, said = self.run_as_nobody()
        self.assertEqual(rc, 1, said)
        self.assertIn("permission denied", said)
        self.assertEqual(self.config.read_text(), _CONFIG)

    def test_another_owners_file_in_a_folder_of_everybody(self):
        self.docker_config.chmod(0o777)
        self.config.write_text(_CONFIG)
        self.config.chmod(0o666)
        rc, said = self.run_as_nobody()
        self.assertEqual(rc, 1, said)
        self.assertIn("belongs to another user", said)
        self.assertEqual(self.config.read_text(), _CONFIG)
        self.assertEqual(self.config.stat().st_uid, os.getuid())

    def test_many_at_once(self):
        self.config.write_text(_CONFIG)
        running = [self.start_plugin("configure-docker") for _ in range(8)]
        for one in running:
            one.wait(check=0)
        self.assertEqual(self.alias(), "depot")
        self.assertEqual(json.loads(self.config.read_text())["detachKeys"], "ctrl-e,e")
        self.assertEqual({path.name for path in self.docker_config.iterdir()}, {"config.json", "cli-plugins"})

    def test_beside_a_program_that_writes(self):
        """What others write in between is not lost."""
        self.config.write_text(_CONFIG)
        stop = threading.Event()

        def others():
            while not stop.is_set():
                beside = self.docker_config / "beside"
                known = json.loads(self.config.read_text())
                known["count"] = known.get("count", 0) + 1
                beside.write_text(json.dumps(known))
                beside.rename(self.config)

        thread = threading.Thread(target=others)
        thread.start()
        try:
            for _ in range(5):
                said = self.configure(check=None)
                if said.rc != 0:
                    self.assertIn("keep on changing", said.stderr)
        finally:
            stop.set()
            thread.join()
        self.assertEqual(json.loads(self.config.read_text())["detachKeys"], "ctrl-e,e")

    def test_docker_finds_the_plugin_then(self):
        (self.docker_config / "cli-plugins").mkdir(exist_ok=True)
        self.configure()
        self.assertEqual(os.readlink(self.plugins / "docker-depot"), str(self._plugin()))
        listed = self._finish(self._start([self.rig["DOCKER"], "--help"], None, None, None, None, None), 0, 60)
        self.assertRegex(listed.stdout, r"(?m)^  depot\*? ")

    def test_where_docker_is_told_to_look_there_is_no_link(self):
        elsewhere = self.folder / "plugins"
        elsewhere.mkdir()
        shutil.copy(self._plugin(), elsewhere / "docker-depot")
        self.docker_settings(cliPluginsExtraDirs=[str(elsewhere)])
        self.configure()
        self.assertFalse((self.plugins / "docker-depot").exists())

    def test_the_folder_of_the_flag(self):
        other = self.folder / "other"
        self.run_plugin("--config", other, "configure-docker")
        self.assertTrue((other / "config.json").exists())
        self.assertFalse(self.config.exists())

    def test_wrong_words(self):
        self.refused("--as", "compose", says="builder and buildx are known", rc=125)
        self.refused("now", says="no argument", rc=125)


class Link(ConfigureDockerTest):
    def test_made_and_removed(self):
        said = self.configure("--as", "buildx").stdout
        self.assertEqual(os.readlink(self.link), str(self._plugin()))
        self.assertIn("`docker buildx`", said)
        self.assertIn("already", self.configure("--as=buildx").stdout)
        self.configure("--as", "buildx", "--uninstall")
        self.assertFalse(self.link.is_symlink())
        self.assertIn("is not there", self.configure("--as", "buildx", "--uninstall").stdout)

    def test_uninstall_takes_both(self):
        self.configure()
        self.configure("--as", "buildx")
        self.configure("--uninstall")
        self.assertIsNone(self.alias())
        self.assertFalse(self.link.is_symlink())

    def test_uninstall_of_one_leaves_the_other(self):
        self.configure()
        self.configure("--as", "buildx")
        self.configure("--uninstall", "--as", "builder")
        self.assertTrue(self.link.is_symlink())
        self.configure()
        self.configure("--uninstall", "--as", "buildx")
        self.assertEqual(self.alias(), "depot")

    def test_an_older_link_of_ours_is_replaced(self):
        self.plugins.mkdir(exist_ok=True)
        self.link.symlink_to("/old/place/docker-depot")
        self.configure("--as", "buildx")
        self.assertEqual(os.readlink(self.link), str(self._plugin()))

    def test_another_program_stays(self):
        self.plugins.mkdir(exist_ok=True)
        self.link.write_text("#!/bin/sh\n")
        self.refused("--as", "buildx", says="is another program")
        self.assertIn("stays", self.configure("--as", "buildx", "--uninstall").stdout)
        self.link.unlink()
        self.link.symlink_to("/usr/libexec/docker/cli-plugins/docker-buildx")
        self.refused("--as", "buildx", says="is another program")
        self.assertIn("stays", self.configure("--uninstall").stdout)
        self.assertTrue(self.link.is_symlink())

    def test_no_folder_to_put_it_in(self):
        self.plugins.write_text("a file")
        self.refused("--as", "buildx", says="cli-plugins")
