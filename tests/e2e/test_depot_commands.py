"""The commands of a Depot account: login, logout, init, list, cache reset, pull."""

import csv
import io
import json
import os
import re
import signal
import stat
import time
from pathlib import Path

import connect
import fake_api
import trees
from fake_api import failure, hang, say
from harness import FAILURES
from pool import PoolTest
from test_terminal import TerminalTest

TOKEN = "depot_user_7d6e5f4a3b2c1d0e8c1f2a9b"
LOGIN_TOKEN = "depot_user_0f1e2d3c4b5a69788796a5b4"
APPROVE_URL = "https://depot.example/approve?code=ABCD-1234"
ESCAPE = "\x1b]0;title\x07\x1b[2J"


def approved(token=LOGIN_TOKEN, error=None):
    """FinishLogin's stream: a token, or an error after which there is none."""
    message = connect.envelope(connect.encode("FinishLoginResponse", {"token": token}))
    stream = connect.end_of_stream(error) if error else message + connect.end_of_stream()
    return lambda handler, _: handler.answer(200, stream, "application/connect+proto")


class AccountTest(TerminalTest):
    """A test with a Depot API; no token may show, nor be in any file but the login's."""

    def setUp(self):
        super().setUp()
        self.api = fake_api.FakeApi(self.rig)
        self.addCleanup(self.api.close)
        self.login_file = self.home / ".config" / "depot" / "depot.yaml"

    def tearDown(self):
        try:
            for secret in (TOKEN, LOGIN_TOKEN):
                self.assert_no_leak(secret, written=[self.login_file])
        finally:
            super().tearDown()

    def variables(self, token=TOKEN, **more):
        values = {"DEPOT_API_URL": self.api.url, "SSL_CERT_FILE": self.api.ca_file}
        return {**values, "DEPOT_TOKEN": token, **more}

    def run_command(self, *args, token=TOKEN, env=None, **options):
        return self.run_plugin(*args, env=self.variables(token, **(env or {})), **options)

    def will_log_in(self, url=APPROVE_URL):
        self.api.always("StartLogin", say("StartLogin", id="login1", approve_url=url))
        self.api.always("FinishLogin", approved())

    def asked_with(self, method):
        """The tokens that calls of a method came with."""
        return [request.token for request in self.api.asked(method)]


class Help(AccountTest):
    COMMANDS = ("login", "logout", "init", "list projects", "list builds", "cache reset", "pull", "push", "image list", "image rm",
                "projects create", "projects get", "projects update", "projects delete")

    def test_every_command_has_help_and_the_root_lists_it(self):
        root = self.run_plugin("--help").stdout
        for words in self.COMMANDS:
            said = self.run_plugin(*words.split(), "--help").stdout
            self.assertTrue(said.startswith(f"Usage:  docker-depot {words} [OPTIONS]"), said)
            self.assertRegex(root, rf"(?m)^  {words} ")
        self.assertEqual(self.api.asked(), [])

    def test_a_group_alone_shows_its_commands(self):
        for args in (["list"], ["list", "--help"], ["help", "list"]):
            self.assertRegex(self.run_plugin(*args).stdout, r"(?m)^  builds ")

    def test_unknown_words_name_the_nearest(self):
        said = self.run_plugin("list", "projcets", check=125).stderr
        self.assertIn("did you mean projects?", said)
        said = self.run_plugin("pul", check=125).stderr
        self.assertIn("did you mean pull?", said)

    def test_who_has_no_token_may_have_meant_another_pull(self):
        said = self.run_command("pull", "alpine", token=None, check=112).stderr
        self.assertIn("there is no Depot token", said)
        self.assertIn("by its name, comes with docker pull", said)


class Login(AccountTest):
    def test_login_stores_a_token_that_the_other_commands_use(self):
        self.will_log_in()
        result = self.run_command("login", token=None)
        self.assertIn(APPROVE_URL, result.stderr)
        self.assertIn("Waiting", result.stderr)
        self.assertIn(str(self.login_file), result.stdout)
        self.assertEqual(stat.S_IMODE(self.login_file.stat().st_mode), 0o600)
        self.assertIn(LOGIN_TOKEN, self.login_file.read_text())
        self.assertEqual(self.api.asked("FinishLogin")[0].message[0]["id"], "login1")
        self.run_command("list", "projects", token=None)
        self.assertEqual(self.asked_with("ListProjects"), [LOGIN_TOKEN])

    def test_nobody_approves_a_login_that_cannot_be_stored(self):
        self.will_log_in()
        (self.home / ".config").write_text("not a folder")
        result = self.run_command("login", token=None, check=1)
        self.assertIn("the login cannot be stored", result.stderr)
        self.assertIn("XDG_CONFIG_HOME", result.stderr)
        self.assertNotIn(APPROVE_URL, result.stderr)
        self.assertEqual(self.api.asked(), [])

    def test_hints_call_the_program_as_the_user_does(self):
        name = self.folder / "depot"
        name.symlink_to(self._plugin())
        for program, words in ((name, "`depot login`"), (self._plugin(), "`docker-depot login`")):
            with self.subTest(program=program):
                running = self._start(
                    [program, "list", "projects"], None, None, self.variables(None), None, None
                )
                result = self._finish(running, 112, 60)
                self.assertIn(words, result.stderr)
                self.assertNotIn("docker depot", result.stderr)

    def test_a_build_on_a_terminal_lets_the_user_log_in_first(self):
        self.will_log_in()
        context = self.context({"Dockerfile": "FROM scratch\n"})
        env = {**self.variables(None), "DEPOT_PROJECT_ID": "one"}
        _, output = self.on_terminal("build", context, builder=None, env=env)
        self.assertIn(APPROVE_URL, output)
        self.assertEqual(self.asked_with("CreateBuild"), [LOGIN_TOKEN])

    def test_a_build_without_a_terminal_says_how_to_give_a_token(self):
        context = self.context({"Dockerfile": "FROM scratch\n"})
        env = {**self.variables(None), "DEPOT_PROJECT_ID": "one"}
        result = self.build(context, env=env, check=112)
        self.assertIn("DEPOT_TOKEN", result.stderr)
        self.assertEqual(self.api.asked("StartLogin"), [])

    def test_a_second_login_says_so_and_clear_replaces_the_first(self):
        self.will_log_in()
        self.run_command("login", token=None)
        self.assertIn("already logged in", self.run_command("login", token=None).stdout)
        quiet = self.run_command("login", "--quiet", token=None)
        self.assertEqual(quiet.stdout + quiet.stderr, "")
        self.assertEqual(len(self.api.asked("StartLogin")), 1)
        self.run_command("login", "--clear", token=None)
        self.assertEqual(len(self.api.asked("StartLogin")), 2)

    def test_logout_removes_the_token_and_nothing_else(self):
        self.login_file.parent.mkdir(parents=True)
        self.login_file.write_text(f"api_token: {LOGIN_TOKEN}\norg_id: org1\n")
        self.assertIn("Logged out", self.run_command("logout", token=None).stdout)
        self.assertNotIn(LOGIN_TOKEN, self.login_file.read_text())
        self.assertIn("org1", self.login_file.read_text())
        self.assertIn("not logged in", self.run_command("logout", token=None).stdout)
        self.assertEqual(self.api.asked(), [])

    def test_a_variable_that_stays_in_charge_is_said(self):
        self.will_log_in()
        self.assertIn("DEPOT_TOKEN is set", self.run_command("login").stderr)

    def test_the_browser_opens_where_there_is_a_screen(self):
        self.will_log_in()
        tools = self.folder / "tools"
        tools.mkdir()
        opener = tools / "xdg-open"
        opened = self.folder / "opened"
        opener.write_text(f'#!/bin/sh\nprintf %s "$1" >{opened}\n')
        opener.chmod(0o755)
        env = {"PATH": f"{tools}:/usr/bin:/bin"}
        self.run_command("login", token=None, env=env)
        self.assertFalse(opened.exists())
        self.run_command("login", "--clear", token=None, env={**env, "DISPLAY": ":0"})
        self.wait_until(lambda: opened.exists() and opened.read_text(), 10, "no browser")
        self.assertEqual(opened.read_text(), APPROVE_URL)

    def test_an_address_that_is_none_is_refused(self):
        for url in ("javascript:alert(1)", "", "--help", "https://x/ --help"):
            self.will_log_in(url)
            said = self.run_command("login", token=None, check=1).stderr
            self.assertIn("no web address", said)
        self.assertEqual(self.api.asked("FinishLogin"), [])

    def test_a_login_that_is_not_approved_stores_nothing(self):
        self.will_log_in()
        refused = {"code": "permission_denied", "message": "login was declined"}
        self.api.always("FinishLogin", approved(error=refused))
        self.assertIn("login was declined", self.run_command("login", token=None, check=112).stderr)
        self.assertFalse(self.login_file.exists())

    def test_ctrl_c_ends_the_waiting(self):
        self.will_log_in()
        self.api.always("FinishLogin", hang())
        running = self.start_plugin("login", env=self.variables(None))
        running.wait_for_output("Waiting")
        time.sleep(0.3)
        running.send(signal.SIGINT)
        result = running.wait(10)
        self.assertEqual(result.rc, 130, result)
        self.assertIn("login cancelled (SIGINT)", result.stderr)
        self.assertFalse(self.login_file.exists())


class Init(AccountTest):
    def test_init_writes_a_project_file_that_list_builds_reads(self):
        folder = self.work / "app"
        folder.mkdir()
        self.assertIn("One", self.run_command("init", "--project", "proj1", folder).stdout)
        self.assertEqual(json.loads((folder / "depot.json").read_text())["id"], "proj1")
        self.run_command("list", "builds", cwd=folder)
        self.assertEqual(self.api.asked("ListBuilds")[0].message["project_id"], "proj1")

    def test_a_project_file_is_only_replaced_by_force(self):
        (self.work / "depot.json").write_text('{"id": "old"}')
        self.run_command("init", "--project", "proj1", check=1)
        self.assertEqual(json.loads((self.work / "depot.json").read_text()), {"id": "old"})
        self.run_command("init", "--project", "proj1", "--force")
        self.assertEqual(json.loads((self.work / "depot.json").read_text())["id"], "proj1")

    def test_an_unknown_project_names_the_nearest_and_writes_nothing(self):
        said = self.run_command("init", "--project", "proj2", check=1).stderr
        self.assertIn('opens no project "proj2"', said)
        self.assertIn("did you mean proj1?", said)
        self.assertEqual(list(self.work.iterdir()), [])

    def test_without_a_terminal_the_project_must_be_named(self):
        said = self.run_command("init", check=125).stderr
        self.assertIn("init needs --project when there is no terminal to ask on", said)
        self.assertEqual(self.api.asked(), [])

    def ask(self, answer):
        projects = [{"id": "2", "name": f"Odd{ESCAPE}"}, {"id": "proj1", "name": "One"}]
        self.api.always("ListProjects", say("ListProjects", projects=projects))
        actions = [("and Enter:", answer)]
        return self.on_terminal(
            "init", "--force", builder=None, env=self.variables(), actions=actions
        )

    def test_on_a_terminal_the_project_is_chosen_by_number_or_id(self):
        for typed, chosen in ((b"1\n", "2"), (b"2\n", "2"), (b" proj1 \n", "proj1")):
            code, output = self.ask(lambda _, master, typed=typed: os.write(master, typed))
            self.assertEqual(code, 0, output)
            self.assert_clean(output)
            self.assertEqual(json.loads((self.work / "depot.json").read_text())["id"], chosen)

    def test_ctrl_c_ends_the_question(self):
        code, output = self.ask(lambda process, _: process.send_signal(signal.SIGINT))
        self.assertEqual(code, 130, output)
        self.assertEqual(list(self.work.iterdir()), [])


class Lists(AccountTest):
    NAMES = ['a "b", c', "two\nlines", f"Ünïcode {ESCAPE}", "", " blank"]
    # What came from elsewhere has its control characters replaced, wherever it goes.
    SHOWN = [re.sub(r"[\x00-\x1f]", "?", name) for name in NAMES]

    def with_names(self):
        projects = [
            {"id": f"p{at}", "name": name, "org_id": "o1", "org_name": "Org"}
            for at, name in enumerate(self.NAMES)
        ]
        self.api.always("ListProjects", say("ListProjects", projects=projects))

    def test_projects_as_csv_when_piped(self):
        self.with_names()
        rows = list(csv.reader(io.StringIO(self.run_command("list", "projects").stdout)))
        self.assertEqual(rows[0], ["Project ID", "Name"])
        self.assertEqual([row[1] for row in rows[1:]], self.SHOWN)

    def test_projects_as_json(self):
        self.with_names()
        said = json.loads(self.run_command("list", "projects", "--output", "json").stdout)
        self.assertEqual(said, [{"id": f"p{at}", "name": n} for at, n in enumerate(self.SHOWN)])

    def test_projects_as_a_table_on_a_terminal(self):
        self.with_names()
        code, output = self.on_terminal("list", "projects", builder=None, env=self.variables())
        self.assertEqual(code, 0, output)
        self.assert_clean(output)
        lines = output.replace("\r\n", "\n").splitlines()
        self.assertEqual(len(lines), len(self.NAMES) + 1, output)
        self.assertRegex(lines[0], r"^PROJECT ID +NAME +ORGANIZATION$")
        self.assertEqual({line.index("Org") for line in lines[1:]}, {lines[0].index("ORG")})

    def test_no_project_is_an_empty_list(self):
        self.api.always("ListProjects", say("ListProjects"))
        self.assertEqual(self.run_command("list", "projects").stdout, "")
        self.assertEqual(self.run_command("list", "projects", "--output=json").stdout, "[]\n")
        table = self.run_command("list", "projects", "--output=table").stdout
        self.assertEqual(table.split(), ["PROJECT", "ID", "NAME", "ORGANIZATION"])

    def test_builds(self):
        begin, end = {"seconds": 1_700_000_000}, {"seconds": 1_700_000_065}
        builds = [
            {"id": "b3", "status": 1, "created_at": {"seconds": int(time.time()) - 5}},
            {"id": "b2", "status": 3, "created_at": begin, "finished_at": end},
            {"id": "b1", "status": 99},
        ]
        answer = say("ListBuilds", builds=builds, next_page_token="more")
        self.api.always("ListBuilds", answer)
        args = ["list", "builds", "--project", "proj1"]
        result = self.run_command(*args)
        rows = list(csv.reader(io.StringIO(result.stdout)))
        self.assertEqual(rows[0], ["Build ID", "Status", "Started", "Duration (s)"])
        self.assertEqual(rows[2], ["b2", "failed", "2023-11-14T22:13:20Z", "65"])
        self.assertEqual(rows[3], ["b1", "unknown", "", "0"])
        self.assertIn("newest 3 builds", result.stderr)
        said = json.loads(self.run_command(*args, "--output=json").stdout)
        expected = {"id": "b2", "status": "failed", "startTime": rows[2][2], "duration": 65}
        self.assertEqual(said[1], expected)
        self.assertEqual(said[0]["status"], "running")
        self.assertLess(5, said[0]["duration"] + 1)

    def test_builds_of_no_project(self):
        said = self.run_command("list", "builds", check=125).stderr
        self.assertIn("no project is named", said)
        self.assertIn("--project", said)

    def test_an_unknown_format_is_refused_before_anything_is_asked(self):
        said = self.run_command("list", "projects", "--output", "jsno", check=125).stderr
        self.assertIn("did you mean json?", said)
        self.assertEqual(self.api.asked(), [])

    def test_output_that_cannot_be_written_is_an_error(self):
        self.through_shell(">&-", [1], "list", "projects", env=self.variables())
        self.through_shell(">/dev/full", [102], "list", "projects", env=self.variables())


class Tokens(AccountTest):
    def test_without_a_token_the_ways_to_give_one_are_said(self):
        said = self.run_command("list", "projects", token=None, check=112).stderr
        for way in ("--token", "DEPOT_TOKEN", "login"):
            self.assertIn(way, said)

    def test_the_flag_beats_the_variable(self):
        self.run_command("list", "projects", "--token", LOGIN_TOKEN)
        self.assertEqual(self.asked_with("ListProjects"), [LOGIN_TOKEN])
        # The argument list of that run is the test's own doing.
        self.results.clear()

    def test_a_refused_token_is_named_by_its_source(self):
        refusal = failure(401, "unauthenticated", "invalid token")
        self.api.always("ListProjects", refusal)
        said = self.run_command("list", "projects", check=112).stderr
        self.assertIn("DEPOT_TOKEN", said)
        self.assertIn("invalid token", said)

    def test_an_api_that_is_busy_is_asked_again_and_says_so(self):
        self.api.will("ListProjects", failure(503))
        result = self.run_command("list", "projects")
        self.assertIn("proj1", result.stdout)
        self.assertIn("503", result.stderr)

    def test_ctrl_c_ends_a_call(self):
        self.api.always("ListProjects", hang())
        running = self.start_plugin("list", "projects", env=self.variables())
        self.wait_until(lambda: self.api.asked("ListProjects"), 20, "nothing was asked")
        running.send(signal.SIGINT)
        result = running.wait(10)
        self.assertEqual(result.rc, 130, result)
        self.assertIn("list projects cancelled", result.stderr)


class CacheReset(AccountTest):
    def test_the_project_named_by_flag_or_folder(self):
        self.api.always("ResetProjectCache", say("ResetProjectCache", name="One", org_name="Org"))
        self.assertIn("One", self.run_command("cache", "reset", "--project", "p9").stdout)
        below = self.work / "app" / "src"
        below.mkdir(parents=True)
        (self.work / "app" / "depot.yml").write_text("id: p8\n")
        self.run_command("cache", "reset", below)
        asked = [request.message["project_id"] for request in self.api.asked("ResetProjectCache")]
        self.assertEqual(asked, ["p9", "p8"])


class Pull(AccountTest):
    ENGINES = ("containerd", "classic", "oldest")

    def setUp(self):
        super().setUp()
        self.image = self.image_name(registry="basic")
        self.name = self.image_name("pulled")
        self.user, self.password = self.rig["PUSHER"].split(":")

    def push_image(self):
        """Puts the rig's base image under a name of ours into the registry that wants a login."""
        self.login("basic")
        for args in (
            ["pull", self.rig["BASE"]],
            ["tag", self.rig["BASE"], self.image],
            ["push", self.image],
            ["rmi", self.image],
        ):
            self.run_docker(*args, engine="containerd")
        self.docker_settings(auths={})
        for name in (self.image, self.name):
            self.addCleanup(self.remove, name)

    def remove(self, name):
        for engine in self.ENGINES:
            self.engine(engine).request("DELETE", f"/images/{name}")

    def will_give(self, password=None, saved=True, reference=None):
        values = {
            "reference": reference or self.image,
            "username": self.user,
            "password": self.password if password is None else password,
            "options": [{"command": connect.COMMAND_BUILD, "save": saved}],
        }
        self.api.always("GetPullInfo", say("GetPullInfo", **values))

    def test_a_saved_build_comes_into_the_engine_under_the_names_asked_for(self):
        self.push_image()
        self.will_give()
        other = self.name + "-2"
        self.addCleanup(self.remove, other)
        for engine in self.ENGINES:
            args = ["-t", self.name, "--tag", other, "--platform", "linux/amd64", "build1"]
            result = self.run_command("pull", *args, engine=engine)
            self.assertEqual(result.stdout.split(), [self.name, other])
            self.assertIn(f"pulling {self.image.removesuffix(':latest')}", result.stderr)
            for name in (self.name, other, self.image):
                self.assertTrue(self.engine(engine).inspect(name))
        self.assertEqual(self.api.asked("GetPullInfo")[0].message, {"build_id": "build1"})
        self.assert_no_leak(self.password)

    def test_targets_of_a_bake(self):
        """Each has a tag of its own in the registry."""
        whole = self.image
        targets = [f"{whole}-web", f"{whole}-api"]
        for self.image in targets:
            self.push_image()
        self.will_give(reference=whole)
        args = ["pull", "--target", "web", "--target", "api", "build1"]
        self.assertEqual(self.run_command(*args, engine="containerd").stdout.split(), targets)
        self.assertIn("several targets", self.run_command(*args, "-t", "x", engine="containerd", check=125).stderr)
        self.assertIn("no name of a bake target", self.run_command("pull", "--target", "a:b", "x", check=125).stderr)

    def test_quiet_prints_the_name_alone(self):
        self.push_image()
        self.will_give()
        result = self.run_command("pull", "--progress", "quiet", "build1", engine="containerd")
        self.assertEqual((result.stdout, result.stderr), (f"{self.image}\n", ""))

    def test_a_build_that_was_not_saved(self):
        self.will_give(saved=False)
        said = self.run_command("pull", "build1", engine="containerd", check=1).stderr
        self.assertIn("was not saved", said)
        self.assertIn("--save", said)

    def test_a_credential_that_the_registry_refuses(self):
        self.will_give(password="wrong-pa55word")
        said = self.run_command("pull", "build1", engine="containerd", check=1).stderr
        self.assertIn("could not pull", said)
        self.assertIn("credential", said)
        self.assert_no_leak("wrong-pa55word")

    def test_an_image_that_is_not_there(self):
        self.will_give(reference=self.image_name("absent", registry="basic"))
        said = self.run_command("pull", "build1", engine="containerd", check=1).stderr
        self.assertIn("could not pull", said)
        self.assertIn("removed from the registry", said)

    def test_a_platform_that_was_not_built(self):
        self.push_image()
        self.will_give()
        for engine in self.ENGINES:
            args = ["pull", "--platform", "linux/s390x", "build1"]
            said = self.run_command(*args, engine=engine, check=1).stderr
            self.assertIn("could not pull", said)
            self.assertIn("was the build made for that platform?", said)

    def test_no_engine_is_said_before_the_api_gives_a_credential(self):
        self.will_give()
        said = self.run_command("pull", "build1", check=1).stderr
        self.assertIn("is the Docker daemon running?", said)
        self.assertEqual(self.api.asked("GetPullInfo"), [])

    def test_without_a_build_the_newest_are_named(self):
        said = self.run_command("pull", "--project", "proj1", check=125).stderr
        self.assertIn("pull needs the ID of a build", said)
        self.assertIn("build1", said)
        said = self.run_command("pull", check=125).stderr
        self.assertIn("list builds", said)

    def test_a_build_that_the_api_does_not_know(self):
        self.api.always("GetPullInfo", failure(404, "not_found", "no such build"))
        said = self.run_command("pull", "build9", engine="containerd", check=1).stderr
        self.assertIn("no such build", said)


class PushSaved(AccountTest):
    """The image of a saved build goes on to another registry."""

    def setUp(self):
        super().setUp()
        self.saved = self.image_name("saved", registry="basic")
        self.user, _, self.password = self.rig["PUSHER"].partition(":")
        with_login = {"auths": self.auths("basic")}
        (self.home / "saver").mkdir()
        (self.home / "saver" / "config.json").write_text(json.dumps(with_login))
        context = self.context({"Dockerfile": f"FROM {self.rig['BASE']}\nRUN echo {self._token} >/word\n"})
        args = ("--platform=linux/amd64", "--push", "-t", self.saved, context)
        self.build(*args, builder="tls", env={"DOCKER_CONFIG": str(self.home / "saver")})

    def will_give(self, **values):
        given = {"reference": self.saved, "username": self.user, "password": self.password, "save_for_load": True}
        self.api.always("GetPullInfo", say("GetPullInfo", **{**given, **values}))

    def test_it_is_copied_with_its_digest_under_every_name(self):
        self.will_give()
        self.login("bearer")
        names = [self.image_name("one", registry="open"), self.image_name("two", registry="bearer")]
        result = self.run_command("push", "build1", *(part for name in names for part in ("-t", name)))
        digest = self.repository(self.saved).digest("latest")
        self.assertEqual(result.stdout.split(), [f"{name}@{digest}" for name in names])
        for name in names:
            self.assertIn(f"pushed {name}@{digest}", result.stderr)
            self.assertEqual(self.repository(name).digest("latest"), digest)
            self.assertIn("word", trees.tree_of_layers(self.repository(name).layers("latest")))
        self.assert_no_leak(self.password, written=[self.home / "saver" / "config.json", *self.login_files()])

    def login_files(self):
        return list((self.home / ".docker").glob("config.json"))

    def test_what_opens_the_saved_image_writes_nothing(self):
        self.will_give()
        said = self.run_command("push", "-t", self.image_name("own", registry="basic"), "build1", check=112).stderr
        self.assertRegex(said, "ERROR: .*(401|denied|credentials)")
        self.will_give(password="wrong-pa55word")
        said = self.run_command("push", "-t", self.image_name(registry="open"), "build1", check=112).stderr
        self.assertIn("the Depot API", said)
        self.assert_no_leak("wrong-pa55word")

    def test_push_lines_that_cannot_work(self):
        for args, says, rc in (
            (["build1"], "give --tag NAME", 125),
            (["-t", "x@sha256:" + "0" * 64, "build1"], "no name with a tag", 125),
            (["-t", "oci-layout://x", "build1"], "no name with a tag", 125),
            (["-t", "x", "--project=proj1"], "the newest of the project proj1 are build1", 125),
        ):
            self.assertIn(says, self.run_command("push", *args, check=rc).stderr)
        self.will_give(save_for_load=False, options=[{"command": connect.COMMAND_BUILD}])
        self.assertIn("was not saved", self.run_command("push", "-t", "x", "build1", check=1).stderr)
        self.will_give()
        image = self.image_name(registry="open")
        said = self.run_command("push", "-t", image, "--target", "nope", "build1", check=FAILURES).stderr
        self.assertIn("latest-nope", said)


class Projects(AccountTest):
    """Beside the official client, which must ask the same and print the same."""

    def both(self, *args, check=0):
        """The requests and the output of ours, which are the official client's."""
        ours = self.run_command(*args, check=check)
        asked = [(one.method, one.message) for one in self.api.asked()]
        if self.rig.get("DEPOT"):
            env = self.variables(DEPOT_NO_UPDATE_NOTIFIER="1", DEPOT_ERROR_TELEMETRY="0")
            running = self._start([self.rig["DEPOT"], *args], None, None, env, None, None)
            theirs = self._finish(running, None, 60)
            self.assertEqual([(one.method, one.message) for one in self.api.asked()[len(asked) :]], asked)
            self.assertEqual(self.meaning(ours.stdout), self.meaning(theirs.stdout))
        return asked, ours.stdout

    def meaning(self, text):
        """Of JSON the values: members have no order."""
        return json.loads(text) if text[:1] in ("{", "[") else text

    def test_create(self):
        asked, _ = self.both("projects", "create", "A name")
        policy = {"keep_bytes": 50 << 30, "keep_days": 14}
        self.assertEqual(asked, [("CreateProject", {"name": "A name", "region_id": "us-east-1", "cache_policy": policy})])

    def test_create_with_everything(self):
        args = ["--organization=org2", "--region=eu-central-1", "--cache-storage-policy=7"]
        asked, said = self.both("projects", "create", *args, "--cache-policy-keep-days=3", "B")
        self.assertEqual(asked[0][1]["cache_policy"], {"keep_bytes": 7 << 30, "keep_days": 3})
        self.assertEqual(json.loads(said)["cache_policy"], {"keep_bytes": 7 << 30, "keep_days": 3})

    def test_get(self):
        _, said = self.both("projects", "get", "proj7")
        self.assertRegex(said, "(?m)^Cache storage: +50 GB$")
        self.assertEqual(json.loads(self.run_command("projects", "get", "-o", "json", "-p", "x").stdout)["project_id"], "x")

    def test_get_as_json(self):
        self.both("projects", "get", "--output=json", "proj7")

    def test_update_changes_what_is_said_and_keeps_the_days(self):
        asked, _ = self.both("projects", "update", "proj7", "--name=New", "--cache-storage-policy=9", "-o", "json")
        policy = {"keep_bytes": 9 << 30, "keep_days": 14}
        self.assertEqual(asked[-1], ("UpdateProject", {"project_id": "proj7", "name": "New", "cache_policy": policy}))

    def test_delete(self):
        asked, _ = self.both("projects", "delete", "--project-id=proj7", "--yes")
        self.assertEqual(asked, [("DeleteProject", {"project_id": "proj7"})])

    def test_delete_asks_first(self):
        for answer, asked in ((b"n\n", 0), (b"y\n", 1)):
            rc, output = self.on_terminal(
                "projects", "delete", "-p", "proj7", builder=None, env=self.variables(),
                actions=[("[y/N]", lambda _, master, answer=answer: os.write(master, answer))],
            )  # fmt: skip
            self.assertEqual((rc, len(self.api.asked("DeleteProject"))), (0, asked), output)

    def test_project_lines_that_cannot_work(self):
        for args, says in (
            (["create"], "needs the name"),
            (["create", "--cache-policy-keep-days=-1", "x"], "no whole number from 0"),
            (["create", "--cache-storage-policy=99999999999", "x"], "no whole number from 0"),
            (["get", "a", "-p", "b"], "named twice"),
            (["get", "-o", "yaml", "a"], "there is json"),
            (["get"], "no project is named"),
            (["update", "a"], "give --name"),
            (["delete", "-y"], "needs --project-id"),
            (["delete", "-p", "a"], "needs --yes"),
        ):
            with self.subTest(args=args):
                self.assertIn(says, self.run_command("projects", *args, check=125).stderr)
        self.assertEqual(self.api.asked(), [])

    def test_images_newest_first_over_all_pages(self):
        asked, said = self.both("image", "list", "--project=proj1", "--output=csv")
        self.assertEqual([method for method, _ in asked], ["ListImages"] * 2)
        rows = list(csv.reader(io.StringIO(said)))
        self.assertEqual([row[0] for row in rows], ["Tag", "newest", "new", "old"])

    def test_images_as_json(self):
        self.both("image", "ls", "--project=proj1", "--output=json")

    def test_images_are_removed(self):
        asked, _ = self.both("image", "rm", "--project=proj1", "one", "two")
        self.assertEqual(asked, [("DeleteImage", {"project_id": "proj1", "image_tags": ["one", "two"]})])
        self.assertIn("needs the tag", self.run_command("image", "rm", check=125).stderr)

    def test_a_list_without_an_end(self):
        self.api.always("ListImages", say("ListImages", images=[{"tag": "x"}], next_page_token="again"))
        self.assertIn("has no end", self.run_command("image", "list", "--project=p", check=1).stderr)

    def test_texts_of_the_api_are_harmless(self):
        project = {**fake_api.PROJECT, "name": f"bad{ESCAPE}"}
        self.api.always("GetProject", say("GetProject", project=project))
        self.assertNotIn("\x1b", self.run_command("projects", "get", "x").stdout)
        self.api.always("GetProject", say("GetProject"))
        self.assertIn("has no project", self.run_command("projects", "get", "x", check=1).stderr)


class WithThePool(PoolTest):
    """The same commands against a real depot-pool."""

    def test_lists_init_and_cache_reset(self):
        pool = self.start_pool()
        ada = pool.token(user="ada")
        env = pool.variables(ada)
        said = json.loads(self.run_plugin("list", "projects", "--output=json", env=env).stdout)
        self.assertEqual({project["id"] for project in said}, {"one", "two"})
        context = self.context({"Dockerfile": f"FROM {self.rig['BASE']}\nRUN : {self.tag()}\n"})
        self.build(context, env={**env, "DEPOT_PROJECT_ID": "one"})
        rows = self.run_plugin("list", "builds", "--project", "one", env=env).stdout.splitlines()
        self.assertEqual(len(rows), 2, rows)
        self.assertIn(",finished,", rows[1])
        self.run_plugin("init", "--project", "two", self.work, env=env)
        self.assertEqual(json.loads((self.work / "depot.json").read_text())["id"], "two")
        # Emptying would take the cache from the other tests; that it is refused can be shown.
        said = self.run_plugin("cache", "reset", env=env, check=1).stderr
        self.assertIn("project two has no builders of its own", said)
        # What a pool does not serve says what to do.
        said = self.run_plugin("projects", "get", "one", env=env, check=1).stderr
        self.assertIn("hint: of a pool of your own the projects are in its pool.yaml", said)
        said = self.run_plugin("image", "list", env=env, check=1).stderr
        self.assertIn("hint: a pool of your own saves into a registry", said)

    def test_a_saved_build_is_pulled(self):
        password = self.folder / "password"
        user, text = self.rig["PUSHER"].split(":")
        password.write_text(text)
        repository = self.image_name("saved", registry="basic").removesuffix(":latest")
        save = {"repository": repository, "username": user, "password_file": str(password)}
        pool = self.start_pool(projects=[{"id": "one", "name": "One", "save": save}], users=[])
        env = pool.variables(pool.token(project="one"), "one")
        word = self.tag()
        context = self.context({"Dockerfile": f"FROM {self.rig['BASE']}\nRUN echo {word} >/word\n"})
        said = self.build("--save", context, env=env).stderr
        build = self.run_plugin("list", "builds", env=env).stdout.splitlines()[1].split(",")[0]
        self.assertIn(f"To pull: docker-depot pull --project one {build}\n", said)
        name = self.image_name("pulled")
        self.run_plugin("pull", "-t", name, build, env=env, engine="containerd")
        engine = self.engine("containerd")
        self.addCleanup(engine.request, "DELETE", f"/images/{name}")
        self.assertEqual(engine.run(name, "cat", "/word"), (0, f"{word}\n"))
        self.assert_no_leak(text, written=[password])
        for words in (["pull-token", build], ["pull-token"]):
            self.assertEqual(self.run_plugin(*words, env=env).stdout, f"{text}\n")
        # The pool's saved image goes on to another registry.
        name = self.image_name("pushed", registry="open")
        self.run_plugin("push", "-t", name, build, env=env)
        self.assertIn("word", trees.tree_of_layers(self.repository(name).layers("latest")))
        self.assertNotEqual(self.run_plugin("pull-token", "nothing", env=env, check=None).rc, 0)

    def tag(self):
        return Path(self.image_name()).name.replace(":", "-") + f"-{self._token}"
