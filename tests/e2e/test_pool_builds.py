"""Builds through the pool: by both clients, side by side, saved, killed, cancelled, survived."""

import signal
import time

import connect
import trees
from harness import FAILURES
from pool import CANCELED, FAILED, FINISHED, RUNNING, PoolTest, token_record

# A build whose health reports stop for 60 s is released; a slow machine needs longer to show it.
_FREE_SECONDS = 80


class BuildTest(PoolTest):
    def small(self):
        run = f"RUN echo {self.image_name()}"
        return self.context({"Dockerfile": f"FROM {self.rig['BASE']}\n{run}\n"})

    def lasting(self, command):
        return self.context({"Dockerfile": f"FROM {self.rig['BASE']}\nRUN {command}\n"})

    def start_endless(self, pool, token, project="one", **more):
        """A build whose step runs on the builder, and the step."""
        step = self.endless_step()
        env = pool.variables(token, project) | more
        running = self.start_plugin("build", self.lasting(step), env=env)
        self.wait_for_step(step)
        return running, step


class OfficialClient(BuildTest):
    """The Depot CLI of npm, unchanged."""

    def test_it_builds(self):
        pool = self.start_pool()
        token = pool.token(project="one")
        result = self.run_official("build", self.small(), env=pool.variables(token, "one"))
        self.assertIn(f"{pool.url}/builds/", result.stderr)
        self.assertEqual(list(pool.builds(token, "one").values()), [FINISHED])
        self.assert_no_leak(token)

    def test_it_pushes(self):
        pool = self.start_pool()
        self.login("basic")
        image = self.image_name(registry="basic")
        env = pool.variables(pool.token(project="one"), "one")
        self.run_official("build", "--push", "-t", image, self.small(), env=env)
        self.assertTrue(self.repository(image).has(self.tag_of(image)))

    def test_it_pushes_two_platforms(self):
        pool = self.start_pool(arm64=True)
        image = self.image_name(registry="open")
        env = pool.variables(pool.token(user="ada"), "two")
        platforms = ["--platform", "linux/amd64,linux/arm64"]
        self.run_official("build", *platforms, "--push", "-t", image, self.small(), env=env)
        index = self.repository(image).document(self.tag_of(image))
        found = {entry["platform"]["architecture"] for entry in index["manifests"]}
        self.assertLessEqual({"amd64", "arm64"}, found)

    def test_its_failed_build_is_known_as_failed(self):
        pool = self.start_pool()
        token = pool.token(project="one")
        env = pool.variables(token, "one")
        self.run_official("build", self.lasting("exit 7"), env=env, check=1)
        self.assertEqual(list(pool.builds(token, "one").values()), [FAILED])

    def test_it_is_told_that_a_project_is_not_open(self):
        pool = self.start_pool()
        env = pool.variables(pool.token(project="one"), "two")
        result = self.run_official("build", self.small(), env=env, check=1)
        self.assertIn("permission_denied", result.stderr)

    def test_it_lists_projects_and_builds(self):
        pool = self.start_pool()
        token = pool.token(user="ada")
        env = pool.variables(token, "one")
        self.run_official("build", self.small(), env=env)
        (build,) = pool.builds(token, "one")
        self.assertIn("two", self.run_official("list", "projects", env=env).stdout)
        listed = self.run_official("list", "builds", "--project", "one", env=env).stdout
        self.assertIn(build, listed)


class Builds(BuildTest):
    def test_push(self):
        pool = self.start_pool()
        self.login("basic")
        image = self.image_name(registry="basic")
        env = pool.variables(pool.token(project="one"), "one")
        self.build("--push", "-t", image, self.small(), env=env)
        self.assertTrue(self.repository(image).has(self.tag_of(image)))

    def test_load(self):
        pool = self.start_pool()
        image = self.image_name()
        env = pool.variables(pool.token(project="one"), "one")
        self.build("--load", "-t", image, self.small(), engine="classic", env=env)
        self.addCleanup(self.engine("classic").remove, image)
        self.assertTrue(self.engine("classic").inspect(image))

    def test_the_builder_of_the_platform_builds(self):
        pool = self.start_pool(arm64=True)
        token = pool.token(project="one")
        out = self.work / "out"
        context = self.lasting(f"uname -m >/machine # {self.image_name()}")
        args = ["--platform", "linux/arm64", "-o", out, context]
        self.build(*args, env=pool.variables(token, "one"))
        self.assertEqual(trees.text(out, "machine").strip(), "aarch64")
        builders = {entry.get("builder") for entry in pool.audit() if entry.get("builder")}
        self.assertEqual(builders, {"arm"})

    def test_a_platform_without_a_builder_is_an_error(self):
        pool = self.start_pool()
        env = pool.variables(pool.token(project="one"), "one")
        result = self.build("--platform", "linux/arm64", self.small(), env=env, check=110)
        self.assertIn("arm64", result.stderr)

    def test_a_saved_build_can_be_pulled(self):
        password = self.folder / "password"
        user, _, text = self.rig["PUSHER"].partition(":")
        password.write_text(text)
        password.chmod(0o600)
        repository = self.image_name(registry="basic").rpartition(":")[0]
        save = {"repository": repository, "username": user, "password_file": str(password)}
        pool = self.start_pool(projects=[{"id": "one", "save": save}, {"id": "two"}])
        token = pool.token(project="one")
        env = pool.variables(token, "one")
        self.build("--save", self.small(), env=env)
        (build,) = pool.builds(token, "one")
        self.assertTrue(self.repository(f"{repository}:{build}").has(build))
        name = self.image_name("pulled")
        self.run_plugin("pull", "--project", "one", "-t", name, build, engine="containerd", env=env)
        self.addCleanup(self.engine("containerd").remove, name)
        self.assertTrue(self.engine("containerd").inspect(name))
        self.assert_no_leak(text, written=[password])

    def test_save_without_a_place_to_save_to_is_an_error(self):
        pool = self.start_pool()
        env = pool.variables(pool.token(project="one"), "one")
        result = self.build("--save", self.small(), env=env, check=110)
        self.assertRegex(result.stderr, "failed_precondition|save")

    def test_two_builds_at_once_and_a_third_waits_visibly(self):
        pool = self.start_pool(slots=2)
        token = pool.token(project="one")
        first, first_step = self.start_endless(pool, token)
        second, _ = self.start_endless(pool, token)
        third_step = self.endless_step()
        env = pool.variables(token, "one")
        third = self.start_plugin("build", self.lasting(third_step), env=env)
        third.wait_for_output("(?i)wait|position|queue", 30)
        self.assertFalse(self.step_runs(third_step))
        first.send(signal.SIGTERM)
        first.wait(20, check=130)
        self.wait_for_step(third_step)
        self.assert_step_ends(first_step)
        for running in (second, third):
            running.send(signal.SIGTERM)
            running.wait(20)
        self.wait_for_status(pool, token, "one", CANCELED)

    def test_a_new_project_is_served_without_a_restart(self):
        pool = self.start_pool()
        token = self.new_token_text()
        pool.settings["projects"].append({"id": "three"})
        pool.settings["tokens"] = [token_record("fresh", token, project="three")]
        pool.write()
        time.sleep(2)
        self.build(self.small(), env=pool.variables(token, "three"))

    def test_a_broken_settings_file_changes_nothing(self):
        pool = self.start_pool()
        token = pool.token(project="one")
        pool.file.write_text(pool.file.read_text() + "projets: 5\n")
        time.sleep(2)
        self.build(self.small(), env=pool.variables(token, "one"))
        self.assertRegex(pool.log(), "projets")


class Endings(BuildTest):
    def test_a_killed_client_frees_its_slot(self):
        pool = self.start_pool(slots=1)
        token = pool.token(project="one")
        running, _ = self.start_endless(pool, token)
        running.send(signal.SIGKILL)
        begin = time.monotonic()
        env = pool.variables(token, "one")
        self.build(self.small(), env=env, timeout=_FREE_SECONDS + 30)
        self.assertLess(time.monotonic() - begin, _FREE_SECONDS)
        ended = sorted(pool.builds(token, "one").values())
        self.assertEqual(ended[0], FINISHED)
        self.assertIn(ended[1], (FAILED, CANCELED))

    def test_a_terminated_client_frees_its_slot_at_once(self):
        pool = self.start_pool(slots=1)
        token = pool.token(project="one")
        running, step = self.start_endless(pool, token)
        running.send(signal.SIGTERM)
        running.wait(20, check=130)
        self.wait_for_status(pool, token, "one", CANCELED, 10)
        self.assert_step_ends(step)
        begin = time.monotonic()
        self.build(self.small(), env=pool.variables(token, "one"))
        self.assertLess(time.monotonic() - begin, 30)

    def test_a_pool_that_was_frozen_takes_nobody_for_lost(self):
        pool = self.start_pool(slots=1)
        client, build, _ = self.machine(pool, pool.token(project="one"))
        pool.process.send(signal.SIGSTOP)
        # Longer than a build may be silent.
        time.sleep(65)
        pool.process.send(signal.SIGCONT)
        self.wait_until(lambda: "was stopped for a while" in pool.log(), 30, "it did not notice")
        asked = {"build_id": build["build_id"], "platform": connect.AMD64}
        self.assertNotIn("cancels_at", client.call("ReportBuildHealth", asked))
        self.assertIn("active", client.call("GetBuildKitConnection", asked))

    def test_a_build_survives_the_death_of_the_pool(self):
        pool = self.start_pool(slots=1)
        token = pool.token(project="one")
        name = self.image_name()
        env = pool.variables(token, "one")
        running = self.start_plugin("build", self.lasting(f"sleep 10 # {name}"), env=env)
        running.wait_for_output(r"RUN sleep 10")
        pool.kill()
        time.sleep(2)
        pool.start()
        self.assertEqual(list(pool.builds(token, "one").values()), [RUNNING])
        self.assertEqual(pool.metrics()['depot_pool_slots_in_use{platform="linux/amd64"}'], 1)
        result = running.wait(60)
        self.results.append(result)
        self.assertEqual(result.rc, 0)
        self.assertEqual(list(pool.builds(token, "one").values()), [FINISHED])

    def test_a_build_that_waits_survives_the_death_of_the_pool(self):
        pool = self.start_pool(slots=1)
        token = pool.token(project="one")
        first, _ = self.start_endless(pool, token)
        env = pool.variables(token, "one")
        second = self.start_plugin("build", self.small(), env=env)
        second.wait_for_output("(?i)wait|position|queue", 30)
        pool.kill()
        time.sleep(2)
        pool.start()
        first.send(signal.SIGTERM)
        first.wait(20, check=130)
        result = second.wait(60)
        self.results.append(result)
        self.assertEqual(result.rc, 0)
        self.assertEqual(sorted(pool.builds(token, "one").values()), [FINISHED, CANCELED])

    def test_the_pool_dies_at_the_end_of_a_build_and_learns_its_outcome_still(self):
        pool = self.start_pool()
        token = pool.token(project="one")
        env = pool.variables(token, "one")
        name = self.image_name()
        running = self.start_plugin("build", self.lasting(f"sleep 8 # {name}"), env=env)
        running.wait_for_output(r"RUN sleep 8")
        time.sleep(5)
        pool.kill()
        time.sleep(5)
        pool.start()
        result = running.wait(60)
        self.results.append(result)
        self.assertEqual(result.rc, 0)
        self.wait_for_status(pool, token, "one", FINISHED)

    def test_a_pool_that_is_stopped_keeps_its_builds(self):
        pool = self.start_pool()
        token = pool.token(project="one")
        self.build(self.small(), env=pool.variables(token, "one"))
        before = pool.builds(token, "one")
        self.assertEqual(pool.stop().rc, 0)
        pool.start()
        self.assertEqual(pool.builds(token, "one"), before)

    def test_a_builder_that_dies_is_told_as_a_failure(self):
        pool = self.start_pool()
        token = pool.token(project="one")
        running, _ = self.start_endless(pool, token, DEPOT_RETRIES="0")
        pool.bridge.kill()
        result = running.wait(60)
        self.results.append(result)
        self.assertIn(result.rc, FAILURES)
        self.assertEqual(list(pool.builds(token, "one").values()), [FAILED])

    def test_a_build_can_be_cancelled_in_the_queue(self):
        """It ends as one that runs does: nobody lacks a builder."""
        pool = self.start_pool(slots=1)
        token = pool.token(project="one")
        first, _ = self.start_endless(pool, token)
        known = set(pool.builds(token, "one"))
        waiting = self.start_plugin("build", self.small(), env=pool.variables(token, "one"))
        waiting.wait_for_output("every builder is busy", 30)
        (build,) = set(pool.builds(token, "one")) - known
        self.assertIn("state    waiting\n", pool.get(f"/builds/{build}")[1])
        pool.command("builds", "cancel", build)
        result = waiting.wait(30)
        self.results.append(result)
        self.assertEqual(result.rc, 1)
        self.assertIn("an administrator of the pool cancelled it", result.stderr)
        self.wait_until(lambda: pool.builds(token, "one")[build] == CANCELED, 10, "the pool does not know")
        (running,) = known
        pool.command("builds", "cancel", running)
        result = first.wait(30)
        self.results.append(result)
        self.assertEqual(result.rc, 1)
        self.assertIn("an administrator of the pool cancelled it", result.stderr)

    def test_while_the_only_builder_is_down_a_build_says_which_and_why(self):
        pool = self.start_pool()
        token = pool.token(project="one")
        pool.bridge.kill()
        self.wait_until(lambda: "builder first is down" in pool.log(), 60, "the pool does not see it")
        waiting = self.start_plugin("build", self.small(), env=pool.variables(token, "one"))
        waiting.wait_for_output(r"builder first is down since 20\S+Z: .*refused", 30)
        (build,) = pool.builds(token, "one")
        page = pool.get(f"/builds/{build}")[1]
        self.assertIn("state    waiting\n", page)
        self.assertRegex(page, r"linux/amd64  waits, position 1: builder first is down since 20\S+Z: .*refused\n")
        waiting.send(signal.SIGTERM)
        waiting.wait(20, check=130)

    def test_a_build_can_be_cancelled_from_the_pool(self):
        pool = self.start_pool()
        token = pool.token(project="one")
        running, step = self.start_endless(pool, token)
        (build,) = pool.builds(token, "one")
        self.assertIn(build, pool.command("builds", "list").stdout)
        pool.command("builds", "cancel", build)
        result = running.wait(30)
        self.results.append(result)
        self.assertIn(result.rc, FAILURES)
        self.assertRegex(result.stderr, "(?i)cancel")
        self.assert_step_ends(step)
