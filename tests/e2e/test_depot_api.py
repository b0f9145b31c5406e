"""A build through a Depot API that works, is slow, lies, or fails: what the client tells it and us."""

import base64
import contextlib
import json
import os
import signal
import time
from pathlib import Path

import fake_api
from fake_api import cut_body, drop, failure, hang, html, say
from harness import FAILURES, EndToEnd

TOKEN = "depot_project_8c1f2a9b7d6e5f4a3b2c1d0e"
BUILD_TOKEN = "token-of-build1"
# Generous: the client's own limit is 2.5 s, the machines are slow.
_ENDS_SECONDS = 5


class ApiTest(EndToEnd):
    """A test whose client must not show its tokens, nor the builder's key, anywhere."""

    def setUp(self):
        super().setUp()
        self.api = fake_api.FakeApi(self.rig)
        self.addCleanup(self.api.close)

    def tearDown(self):
        with contextlib.ExitStack() as stack:
            stack.callback(super().tearDown)
            key = Path(self.rig["KEY"]).read_text().splitlines()[1]
            for secret in (TOKEN, BUILD_TOKEN, key):
                self.assert_no_leak(secret)

    def variables(self, **more):
        values = {"DEPOT_API_URL": self.api.url, "SSL_CERT_FILE": self.api.ca_file}
        return {**values, "DEPOT_TOKEN": TOKEN, "DEPOT_PROJECT_ID": "proj1", **more}

    def small(self):
        run = f"RUN echo {self.image_name()}"
        return self.context({"Dockerfile": f"FROM {self.rig['BASE']}\n{run}\n"})

    def endless(self):
        """(context, step) of a build that ends in no test's time."""
        step = self.endless_step()
        return self.context({"Dockerfile": f"FROM {self.rig['BASE']}\nRUN {step}\n"}), step

    def start_endless(self, **more):
        """A build whose step runs on the builder, and the step."""
        context, step = self.endless()
        running = self.start_plugin("build", context, env=self.variables(**more))
        self.wait_for_step(step)
        return running, step

    def say(self, *words, result=None):
        """All words are in the output, whatever their case."""
        said = (result or self.results[-1]).stderr
        for word in words:
            self.assertIn(word.lower(), said.lower())

    def builds(self, *args, check=0, **options):
        return self.build(*args, self.small(), env=self.variables(), check=check, **options)


class DepotApi(ApiTest):
    def test_the_metadata_file_names_the_build(self):
        """As the Depot CLI's does; a platform that no machine runs natively is not emulated there."""
        self.builds("--metadata-file", self.work / "m.json")
        said = json.loads((self.work / "m.json").read_text())["depot.build"]
        self.assertEqual(said, {"buildID": "build1", "projectID": "proj1"})
        result = self.builds("--platform", "linux/s390x", check=110)
        self.assertIn("no builder runs linux/s390x natively: the Depot API's", result.stderr)
        result = self.builds("--platform", "linux/amd46", check=110)
        self.assertIn("no builder runs linux/amd46 natively: the Depot API's", result.stderr)
        self.assertIn("WARNING: --platform linux/amd46: unknown architecture", result.stderr)
        self.assertIn("did you mean linux/amd64?", result.stderr)

    def test_a_build_tells_its_life(self):
        self.builds()
        methods = [request.method for request in self.api.asked()]
        self.assertEqual(methods[0], "CreateBuild")
        self.assertEqual(methods[-1], "FinishBuild")
        self.assertIn("GetBuildKitConnection", methods)
        self.assertIn("ReportBuildHealth", methods)
        self.assertEqual(self.api.finish(), "success")
        self.assertEqual(self.api.asked("CreateBuild")[0].token, TOKEN)
        later = {request.token for request in self.api.asked() if request.method != "CreateBuild"}
        self.assertEqual(later, {BUILD_TOKEN})

    def test_the_page_of_the_build_is_shown(self):
        self.builds()
        self.say(f"{self.api.url}/builds/build1")
        env = self.variables(DEPOT_NO_SUMMARY_LINK="1")
        result = self.build(self.small(), env=env)
        self.assertNotIn("/builds/build1", result.stderr)

    def test_a_failed_step_is_told_as_an_error(self):
        context = self.context({"Dockerfile": f"FROM {self.rig['BASE']}\nRUN exit 7\n"})
        self.build(context, env=self.variables(), check=1)
        (finished,) = self.api.asked("FinishBuild")
        self.assertIn("exit code: 7", finished.message["error"]["error"])

    def test_health_is_reported_every_few_seconds(self):
        context = self.context(
            {"Dockerfile": f"FROM {self.rig['BASE']}\nRUN sleep 12 # {self.image_name()}\n"}
        )
        self.build(context, env=self.variables())
        times = [request.time for request in self.api.asked("ReportBuildHealth")]
        self.assertGreaterEqual(len(times), 2)
        self.assertLess(max(b - a for a, b in zip(times, times[1:])), 20)

    def test_without_a_project_the_token_decides(self):
        self.build(self.small(), env=self.variables(DEPOT_PROJECT_ID=None))
        self.assertFalse(self.api.asked("CreateBuild")[0].message.get("project_id"))

    def test_depot_json_names_the_project(self):
        dockerfile = f"FROM {self.rig['BASE']}\nRUN echo {self.image_name()}\n"
        context = self.context({"Dockerfile": dockerfile, "depot.json": '{"id": "proj7"}'})
        self.build(context, env=self.variables(DEPOT_PROJECT_ID=None))
        self.assertEqual(self.api.asked("CreateBuild")[0].message["project_id"], "proj7")

    def test_a_project_without_a_token_names_three_ways_to_give_one(self):
        env = self.variables(DEPOT_TOKEN=None)
        self.build(self.small(), engine="containerd", env=env, check=112)
        self.say("DEPOT_TOKEN", "login", "OIDC")
        self.assertEqual(self.api.asked(), [])

    def test_an_existing_build_is_taken_part_in(self):
        self.build(self.small(), env=self.variables(DEPOT_BUILD_ID="build9"))
        self.assertEqual(self.api.asked("CreateBuild"), [])
        self.assertEqual(self.api.asked("GetBuild")[0].message, {"build_id": "build9"})
        self.assertEqual({request.token for request in self.api.asked()}, {TOKEN})

    def test_waiting_for_a_machine_is_visible(self):
        wait = say("GetBuildKitConnection", pending={"wait_ms": 700})
        self.api.will("GetBuildKitConnection", wait, wait, wait)
        self.builds()
        self.assertEqual(len(self.api.asked("GetBuildKitConnection")), 4)
        self.say("launching amd64 machine")

    def test_additional_tags_and_credentials_save_the_build(self):
        image = self.image_name("saved", "basic", "build1")
        pair = base64.b64encode(self.rig["PUSHER"].encode()).decode()
        host = self.registry_host("basic")
        self.api.created = {
            "additional_credentials": [{"host": host, "token": pair}],
            "additional_tags": [{"tag": image, "push": True}],
        }
        self.builds("--save")
        self.assertTrue(self.repository(image).has("build1"))
        self.assert_no_leak(self.rig["PUSHER"].partition(":")[2])


class Bakes(ApiTest):
    """Several targets: one build of the API for each project."""

    def bake(self, targets, *args, check=0, image="", **more):
        text = f"FROM {self.rig['BASE']}\nRUN echo {self.image_name()} >/made\n"
        definition = "".join(f'target "{name}" {{\n{fields}\n}}\n' for name, fields in targets.items())
        self.place = self.context({"Dockerfile": text, "docker-bake.hcl": definition}, name=f"ctx{len(self.results)}")
        args = ["--progress=plain", *args, *targets]
        return self.run_plugin("bake", *args, cwd=self.place, env=self.variables(**more), check=check)

    def created(self):
        """By project the targets that the API was told of."""
        return {
            one.message["project_id"]: {option["target_name"]: option for option in one.message["options"]}
            for one in self.api.asked("CreateBuild")
        }

    def test_a_project_for_each_target(self):
        meta = self.work / "m.json"
        targets = {
            "own": 'project_id = "proj2"',
            "default": "",
            "linked": 'project_id = "proj2"\ncontexts = { base = "target:own" }',
        }
        self.bake(targets, "--metadata-file", meta)
        self.assertEqual({name: sorted(made) for name, made in self.created().items()},
                         {"proj1": ["default"], "proj2": ["linked", "own"]})  # fmt: skip
        finished = {one.message["build_id"]: "success" in one.message for one in self.api.asked("FinishBuild")}
        self.assertEqual(finished, {"build1": True, "build2": True})
        said = json.loads(meta.read_text())
        self.assertEqual(said["own"]["depot.build"]["projectID"], "proj2")
        self.assertNotIn("depot.build", said)
        machines = {(one.token, one.message["build_id"]) for one in self.api.asked("GetBuildKitConnection")}
        self.assertEqual(machines, {("token-of-build1", "build1"), ("token-of-build2", "build2")})

    def test_one_project_of_the_definition_is_that_of_all(self):
        self.bake({"a": 'project_id = "proj3"', "b": ""}, "--metadata-file", self.work / "m.json", DEPOT_PROJECT_ID=None)
        self.assertEqual(sorted(self.created()), ["proj3"])
        top = json.loads((self.work / "m.json").read_text())["depot.build"]
        self.assertEqual(top, {"buildID": "build1", "projectID": "proj3", "targets": ["a", "b"]})

    def test_what_is_wrong_with_projects(self):
        two = {"a": 'project_id = "p2"', "b": 'project_id = "p3"'}
        result = self.bake({**two, "c": ""}, check=1, DEPOT_PROJECT_ID=None)
        self.say("target c names no Depot project", "DEPOT_PROJECT_ID", result=result)
        two["b"] += '\ncontexts = { x = "target:a" }'
        result = self.bake(two, check=1)
        self.say("target b of project p3 has a context from target a of project p2", result=result)
        result = self.bake({"a": 'project_id = "p2"', "b": ""}, check=1, DEPOT_BUILD_ID="build9")
        self.say("DEPOT_BUILD_ID names one build", result=result)
        self.assertEqual(self.api.asked(), [])

    def test_a_failure_in_one_project_ends_the_others(self):
        bad = 'project_id = "proj2"\ndockerfile-inline = "FROM scratch\\nCOPY nowhere /"'
        long = f'dockerfile-inline = "FROM {self.rig["BASE"]}\\nRUN {self.endless_step()}"'
        self.bake({"bad": bad, "long": long}, check=1)
        self.say("target bad", "nowhere")
        ends = {one.message["build_id"] for one in self.api.asked("FinishBuild") if "error" in one.message}
        self.assertEqual(ends, {"build1", "build2"})

    def test_another_builder_has_no_projects(self):
        result = self.bake({"a": 'project_id = "p2"', "b": 'project_id = "p3"'}, "--builder", self.rig["BUILDER_PLAIN"])
        self.say("project_id has no effect", result=result)
        self.assertEqual(self.api.asked(), [])

    def test_targets_are_saved_under_names_of_their_own(self):
        """Those that others use alone are not; names that the user did not want to push are not pushed."""
        image = self.image_name("saved", "basic", "build1")
        host = self.registry_host("basic")
        self.api.created = {
            "additional_credentials": [
                {"host": host, "token": base64.b64encode(self.rig["PUSHER"].encode()).decode()}
            ],
            "additional_tags": [{"tag": image, "push": True}],
        }
        own = self.image_name("own", "basic", "1")
        definition = {"a": f'tags = ["{own}"]\ncontexts = {{ x = "target:b" }}'}
        text = f"FROM {self.rig['BASE']}\nRUN echo {self.image_name()} >/made\n"
        hcl = "".join(f'target "{name}" {{\n{fields}\n}}\n' for name, fields in {**definition, "b": ""}.items())
        place = self.context({"Dockerfile": text, "docker-bake.hcl": hcl})
        args = ["--progress=plain", "--save", "--save-tag=nightly", "a"]
        result = self.run_plugin("bake", *args, cwd=place, env=self.variables())
        self.say("To pull:", "pull --target a --project proj1 build1", result=result)
        options = self.created()["proj1"]
        self.assertEqual((options["a"]["save"], options["a"]["save_tags"]), (True, ["nightly"]))
        self.assertTrue(self.repository(image).has("build1-a"))
        self.assertFalse(self.repository(image).has("build1-b"))
        self.assertFalse(self.repository(own).has("1"))
        self.assert_no_leak(self.rig["PUSHER"].partition(":")[2])


class ApiFailures(ApiTest):
    def test_503_is_tried_again_with_the_reason_shown(self):
        self.api.will("CreateBuild", failure(503), failure(503, "unavailable", "back soon"))
        self.builds()
        self.assertEqual(len(self.api.asked("CreateBuild")), 3)
        self.say("503", "back soon", "again")

    def test_503_for_ever_ends_in_a_clear_failure(self):
        self.api.always("CreateBuild", failure(503, "unavailable", "the cellar is flooded"))
        self.builds(check=110, timeout=60)
        self.assertLessEqual(len(self.api.asked("CreateBuild")), 4)
        self.say("the cellar is flooded", "CreateBuild")

    def test_429_is_obeyed(self):
        slow = failure(429, "resource_exhausted", "slow down", {"Retry-After": "3"})
        self.api.will("GetBuildKitConnection", slow)
        self.builds()
        first, second = [one.time for one in self.api.asked("GetBuildKitConnection")][:2]
        self.assertGreaterEqual(second - first, 2.9)
        self.say("slow down")

    def test_500_ends_in_a_clear_failure(self):
        self.api.always("GetBuildKitConnection", failure(500, "internal", "broken cog"))
        self.builds(check=110, timeout=60)
        self.assertLessEqual(len(self.api.asked("GetBuildKitConnection")), 4)
        self.assertEqual(self.api.finish(), "error")
        self.say("broken cog", "GetBuildKitConnection")

    def test_an_answer_that_breaks_off_is_asked_for_again(self):
        self.api.will("GetBuildKitConnection", cut_body(), drop())
        self.builds()
        self.assertEqual(len(self.api.asked("GetBuildKitConnection")), 3)
        self.say("again")

    def test_answers_that_always_break_off_are_a_failure(self):
        self.api.always("GetBuildKitConnection", cut_body())
        self.builds(check=110, timeout=60)
        self.assertLessEqual(len(self.api.asked("GetBuildKitConnection")), 4)
        self.assertEqual(self.api.finish(), "error")

    def test_connections_that_break_in_the_handshake_are_made_again(self):
        self.api.reset_connections = 2
        self.builds()
        self.assertEqual(len(self.api.asked("CreateBuild")), 1)
        self.say("again")

    def test_a_build_is_not_created_twice(self):
        self.api.will("CreateBuild", cut_body())
        self.builds(check=110)
        self.assertEqual(len(self.api.asked("CreateBuild")), 1)

    def test_an_api_that_hangs_is_a_clear_failure(self):
        self.api.always("CreateBuild", hang())
        result = self.builds(check=110, timeout=120)
        self.assertEqual(len(self.api.asked("CreateBuild")), 1)
        self.assertLess(result.seconds, 60)
        self.say("CreateBuild", "30 s")

    def test_a_web_page_is_no_depot_api(self):
        self.api.always("CreateBuild", html())
        self.builds(check=110)
        self.say("not a Depot API", "DEPOT_API_URL")

    def test_a_refused_token_names_its_source(self):
        self.api.always("CreateBuild", failure(401, "unauthenticated", "token is not valid"))
        self.builds(check=112)
        self.say("token is not valid", "DEPOT_TOKEN")
        self.assertEqual(len(self.api.asked("CreateBuild")), 1)

    def test_a_refused_project_is_said_in_the_apis_words(self):
        denied = failure(403, "permission_denied", "this token does not open proj1")
        self.api.always("CreateBuild", denied)
        self.builds(check=112)
        self.say("this token does not open proj1", "permission_denied", "DEPOT_TOKEN")

    def test_an_unknown_project_is_said_in_the_apis_words(self):
        self.api.always("CreateBuild", failure(404, "not_found", "no project proj1"))
        self.builds(check=110)
        self.say("no project proj1", "not_found")

    def test_an_api_that_is_not_there_is_named(self):
        env = self.variables(DEPOT_API_URL=f"https://{self.closed_port()}")
        result = self.build(self.small(), env=env, check=110, timeout=60)
        self.say(env["DEPOT_API_URL"], "refused", result=result)

    def test_an_api_that_speaks_no_tls(self):
        env = self.variables(DEPOT_API_URL=f"https://{self.registry_host('open')}")
        result = self.build(self.small(), env=env, check=110, timeout=60)
        self.say("speaks no TLS", "DEPOT_API_URL may begin with http://", result=result)
        self.assertNotIn("DEPOT_API_CACERT", result.stderr)

    def test_an_api_with_a_certificate_of_another_authority_is_refused(self):
        env = self.variables(SSL_CERT_FILE=self.rig["STRANGER_CACERT"])
        self.build(self.small(), env=env, check=110, timeout=60)
        self.assertEqual(self.api.asked(), [])
        self.say("certificate", "DEPOT_API_CACERT one for this server alone")

    def test_the_api_alone_has_an_authority_of_its_own(self):
        pem = Path(self.api.ca_file).read_text()
        forms = (self.api.ca_file, pem, base64.b64encode(pem.encode()).decode())
        for value in forms:
            env = self.variables(SSL_CERT_FILE=None, DEPOT_API_CACERT=value)
            self.build(self.small(), env=env)
        env = self.variables(DEPOT_API_CACERT=self.rig["STRANGER_CACERT"])
        self.say("certificate", result=self.build(self.small(), env=env, check=110, timeout=60))
        env = self.variables(DEPOT_API_CACERT=self.work / "none.pem")
        result = self.build(self.small(), env=env, check=125, timeout=60)
        self.say("DEPOT_API_CACERT", "none.pem", result=result)

    def test_a_token_does_not_travel_in_clear(self):
        env = self.variables(DEPOT_API_URL="http://depot-api.invalid")
        self.build(self.small(), env=env, check=125)
        self.say("https://")

    def test_failing_health_and_status_reports_do_not_fail_the_build(self):
        for method in ("ReportBuildHealth", "ReportStatusStream"):
            self.api.always(method, failure(500, "internal", "broken cog"))
        self.builds()
        self.assertEqual(self.api.finish(), "success")

    def test_a_failing_finish_is_said_and_does_not_fail_the_build(self):
        self.api.always("FinishBuild", failure(403, "permission_denied", "too late"))
        self.builds()
        self.say("too late")


class Endings(ApiTest):
    def test_an_api_that_cancels_the_build_ends_it(self):
        running, step = self.start_endless()
        self.api.always("ReportBuildHealth", say("ReportBuildHealth", cancels_at={"seconds": 1}))
        result = running.wait(30)
        self.results.append(result)
        self.assertIn(result.rc, FAILURES)
        self.say("cancel", "Depot API", result=result)
        self.assert_step_ends(step)

    def test_terminated_while_it_builds_it_says_canceled(self):
        running, step = self.start_endless()
        result = self.terminate(running)
        self.assertEqual(result.rc, 130)
        self.wait_until(lambda: self.api.finish() == "canceled", 5, "nobody said canceled")
        self.assert_step_ends(step)

    def test_terminated_it_ends_although_the_api_hangs(self):
        running, _ = self.start_endless()
        for method in ("FinishBuild", "ReportBuildHealth", "ReportStatusStream"):
            self.api.always(method, hang())
        result = self.terminate(running)
        self.assertEqual(result.rc, 130)
        self.wait_until(lambda: self.api.finish() == "canceled", 5, "nobody said canceled")

    def test_terminated_while_it_waits_for_a_machine_it_says_canceled(self):
        wait = say("GetBuildKitConnection", pending={"wait_ms": 500})
        self.api.always("GetBuildKitConnection", wait)
        running = self.start_plugin("build", self.small(), env=self.variables())
        self.wait_until(
            lambda: len(self.api.asked("GetBuildKitConnection")) > 1, 20, "asked but once"
        )
        self.assertEqual(self.terminate(running).rc, 130)
        self.wait_until(lambda: self.api.finish() == "canceled", 5, "nobody said canceled")

    def test_terminated_while_create_build_hangs_it_ends(self):
        self.api.always("CreateBuild", hang())
        running = self.start_plugin("build", self.small(), env=self.variables())
        self.wait_until(lambda: self.api.asked("CreateBuild"), 20, "never asked")
        self.assertEqual(self.terminate(running).rc, 130)

    def test_a_builder_that_dies_is_told_as_an_error(self):
        bridge = self.bridge()
        self.api.machine["endpoint"] = bridge.url
        running, _ = self.start_endless(DEPOT_RETRIES="0")
        bridge.kill()
        result = running.wait(60)
        self.results.append(result)
        self.assertEqual(result.rc, 111)
        self.assertEqual(self.api.finish(), "error")

    def test_a_machine_that_is_lost_for_a_moment_is_the_same_build(self):
        link = self.link(self.rig["BUILDER"].removeprefix("tcp://"))
        self.api.machine["endpoint"] = link.url
        step = f"RUN : {self.image_name()}; sleep 2"
        context = self.context({"Dockerfile": f"FROM {self.rig['BASE']}\n{step}\n"})
        running = self.start_plugin("build", "--progress=plain", context, env=self.variables())
        running.wait_for_output("RUN : ")
        link.cut("reset")
        result = self._finish(running, 0, 60)
        self.say("connecting again", "building once more", result=result)
        self.assertEqual(len(self.api.asked("CreateBuild")), 1)
        self.assertEqual(len(self.api.asked("GetBuildKitConnection")), 1)
        self.assertEqual(self.api.finish(), "success")

    def test_a_builder_of_another_authority_is_refused_at_once(self):
        self.api.machine["endpoint"] = self.bridge(certificate="STRANGER").url
        result = self.builds(check=110, timeout=60)
        self.assertLess(result.seconds, 30)
        self.say("certificate")
        self.assertEqual(self.api.finish(), "error")

    def test_a_machine_that_is_no_address_is_refused(self):
        self.api.machine["endpoint"] = "unix:///var/run/docker.sock"
        self.builds(check=110, timeout=60)
        self.assertEqual(self.api.finish(), "error")

    def test_broken_key_material_is_refused(self):
        self.api.machine["cert"]["key"] = "-----BEGIN NONSENSE-----"
        self.builds(check=110, timeout=60)
        self.assertEqual(self.api.finish(), "error")

    def test_bulk_data_does_not_starve_health_reports(self):
        dockerfile = f"FROM {self.rig['BASE']}\nRUN --mount=type=bind,target=/context true\n"
        large = self.context({"Dockerfile": dockerfile})
        with open(large / "large.bin", "wb") as file:
            for _ in range(8):
                file.write(os.urandom(1 << 20) * 32)
        begin = time.time()
        self.build("--no-cache", large, env=self.variables())
        times = [begin, *(request.time for request in self.api.asked("ReportBuildHealth"))]
        times.append(self.api.asked("FinishBuild")[0].time)
        self.assertLess(max(b - a for a, b in zip(times, times[1:])), 20)

    def terminate(self, running):
        begin = time.monotonic()
        running.send(signal.SIGTERM)
        result = running.wait(30)
        self.results.append(result)
        self.assertLess(time.monotonic() - begin, _ENDS_SECONDS)
        return result
