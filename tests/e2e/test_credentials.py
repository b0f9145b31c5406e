"""Several credentials for one registry: the next one when one is refused, and what GitLab gives its jobs."""

import json

from test_push import PushTest

_FIRST = {"config.json": "config,env", "DOCKER_AUTH_CONFIG": "env,config"}


class CredentialsTest(PushTest):
    """What the tests below share."""

    def places(self, refused, registry, bad, good):
        """Bad credentials in the place `refused`, good ones in the other, which is asked later."""
        auths = {"config.json": good, "DOCKER_AUTH_CONFIG": good, refused: bad}
        self.docker_settings(auths=auths["config.json"])
        return {
            "DOCKER_AUTH_CONFIG": json.dumps({"auths": auths["DOCKER_AUTH_CONFIG"]}),
            "DOCKER_AUTH_ORDER": _FIRST[refused],
        }

    def next_one(self, image, refused, used):
        """The line that says which credential is used instead."""
        host, _, rest = image.partition("/")
        repository = rest.partition(":")[0]
        return f"{refused}'s credential for {host} may not push to {repository}; using {used}'s"

    def job(self, registry, user="PUSHER", **env):
        """The variables of a GitLab job whose project has its registry there."""
        name, _, password = self.rig[user].partition(":")
        return {
            "GITLAB_CI": "true",
            "CI_REGISTRY": self.registry_host(registry),
            "CI_REGISTRY_USER": name,
            "CI_REGISTRY_PASSWORD": password,
            **env,
        }

    def assert_no_passwords(self):
        for user in ("PUSHER", "READER"):
            self.assert_no_leak(self.password(user))


class NextOne(CredentialsTest):
    def check(self, registry, bad, **options):
        sources = ("config.json", "DOCKER_AUTH_CONFIG")
        for refused, used in (sources, sources[::-1]):
            with self.subTest(refused=refused, **options):
                image = self.image_name(f"try{len(self.results)}", registry=registry)
                env = self.places(refused, registry, bad, self.auths(registry))
                built = self.push(image, env=env, **options)
                self.assert_pushed(image)
                line = self.next_one(image, refused, used)
                self.assertEqual(built.stderr.count(line), 1, built.stderr)
                host = self.registry_host(registry)
                self.assertIn(f"credentials for {host}: {used} (user pusher)", built.stderr)
        self.assert_no_passwords()

    def test_read_only_user_on_a_bearer_registry(self):
        self.check("bearer", self.auths("bearer", "READER"))

    def test_wrong_password_on_a_bearer_registry(self):
        self.check("bearer", self.wrong_auth("bearer"))

    def test_wrong_password_on_a_basic_registry(self):
        self.check("basic", self.wrong_auth("basic"))

    def test_engine_that_pushes_by_itself(self):
        self.check("basic", self.wrong_auth("basic"), engine="classic")
        self.check("bearer", self.auths("bearer", "READER"), engine="classic")

    def test_several_builders(self):
        registry, image = "bearer", self.image_name(registry="bearer")
        env = self.places(
            "DOCKER_AUTH_CONFIG", registry, self.auths(registry, "READER"), self.auths(registry)
        )
        platforms = ("--platform", "linux/amd64,linux/arm64")
        context = self.context({"Dockerfile": f"FROM scratch\nCOPY word /\n# {image}\n", "word": ""})
        self.build(*platforms, "-t", image, "--push", context, builder="both", env=env)
        self.assertTrue(self.repository(image).has("latest"))

    def test_bearer_without_a_preflight(self):
        image = self.image_name(registry="bearer")
        bad, good = self.auths("bearer", "READER"), self.auths("bearer")
        env = self.places("DOCKER_AUTH_CONFIG", "bearer", bad, good)
        built = self.build(
            *("-t", image, "--push", "--no-preflight", self.small()), builder="tls", env=env
        )
        self.assert_pushed(image)
        self.assertIn(self.next_one(image, "DOCKER_AUTH_CONFIG", "config.json"), built.stderr)

    def test_private_base_when_the_first_is_refused(self):
        self.docker_settings(auths=self.auths("bearer", "READER"))
        env = {"DOCKER_AUTH_CONFIG": json.dumps({"auths": self.wrong_auth("bearer")})}
        base = f"{self.registry_host('bearer')}/library/busybox"
        built = self.build("--pull", self.small(base=base), builder="tls", env=env)
        self.assertIn("may not pull from library/busybox; using config.json's", built.stderr)
        self.assert_no_passwords()

    def test_error_names_all_that_were_refused(self):
        for registry in ("basic", "bearer"):
            with self.subTest(registry=registry):
                bad = self.wrong_auth(registry)
                image = self.image_name(registry=registry)
                env = self.places("DOCKER_AUTH_CONFIG", registry, bad, bad)
                env |= self.job(registry, CI_REGISTRY_PASSWORD="also-wrong")
                refused = self.push(image, env=env, check=112)
                self.assertIn(
                    "credentials of DOCKER_AUTH_CONFIG and of CI_REGISTRY_PASSWORD", refused.stderr
                )
                self.assert_not_pushed(image)

    def test_helper_is_not_asked_when_the_first_works(self):
        env, log = self.helper("rig", "bearer")
        self.docker_settings(credsStore="rig")
        env["DOCKER_AUTH_CONFIG"] = self.auth_config("bearer")
        self.push(self.image_name(registry="bearer"), env=env)
        asked = log.read_text() if log.exists() else ""
        self.assertNotIn(self.registry_host("bearer"), asked)


class Paths(CredentialsTest):
    """Keys of config.json that name a path below the host, as GitLab groups and Quay organisations."""

    def keys(self, registry, image):
        """The registry, and the user who may push under the image's own path."""
        host, _, path = image.rpartition(":")[0].partition("/")
        (good,) = self.auths(registry).values()
        return host, {f"{host}/{path}": good}

    def check(self, registry, **options):
        image = self.image_name(registry=registry)
        (reader,) = self.auths(registry, "READER").values()
        (wrong,) = self.wrong_auth(registry).values()
        host, auths = self.keys(registry, image)
        auths = {f"{host}/a": wrong, f"{host}/library": reader, f"https://{host}/v1/": wrong, **auths}
        self.docker_settings(auths=auths)
        base = f"{host}/library/busybox"
        built = self.push(image, context=self.small(base=base), **options)
        self.assert_pushed(image)
        key = image.rpartition(":")[0]
        self.assertIn(f'credentials for {host}: config.json "{key}" (user pusher)', built.stderr)
        self.assertNotIn("may not", built.stderr, "the first was the right one")
        return built

    def test_paths_on_a_bearer_registry(self):
        built = self.check("bearer")
        host = self.registry_host("bearer")
        self.assertIn(f'credentials for {host}: config.json "{host}/library" (user reader)', built.stderr)
        self.assert_no_passwords()

    def test_paths_on_a_basic_registry(self):
        self.check("basic")
        self.assert_no_passwords()

    def test_paths_without_a_preflight(self):
        for registry in ("basic", "bearer"):
            with self.subTest(registry=registry):
                image = self.image_name(registry=registry)
                (wrong,) = self.wrong_auth(registry).values()
                host, auths = self.keys(registry, image)
                self.docker_settings(auths={f"{host}/a": wrong, host: wrong, **auths})
                self.build("-t", image, "--push", "--no-preflight", self.small(), builder="tls")
                self.assert_pushed(image)

    def test_paths_and_an_engine_that_pushes_by_itself(self):
        self.check("basic", engine="classic")

    def test_paths_of_the_variable_and_of_helpers(self):
        for registry in ("basic", "bearer"):
            with self.subTest(registry=registry):
                image = self.image_name(registry=registry)
                (wrong,) = self.wrong_auth(registry).values()
                host, auths = self.keys(registry, image)
                variable = json.dumps({"auths": {f"{host}/a": wrong, **auths}})
                built = self.push(image, env={"DOCKER_AUTH_CONFIG": variable})
                self.assert_pushed(image)
                self.assertIn(f'DOCKER_AUTH_CONFIG "{host}/', built.stderr)
                # The helper knows the host's name alone.
                env, log = self.helper("rig", registry)
                image = self.image_name("again", registry=registry)
                helpers = {f"{host}/a": "missing", host: "rig"}
                self.docker_settings(credHelpers=helpers, auths={f"{host}/b": wrong})
                self.push(image, env=env)
                self.assert_pushed(image)
                self.assertIn(f"get {host}", log.read_text())

    def test_other_keys_of_the_host_are_tried_in_the_end(self):
        for registry in ("basic", "bearer"):
            with self.subTest(registry=registry):
                image = self.image_name(registry=registry)
                host, good = self.registry_host(registry), self.auths(registry).popitem()[1]
                (wrong,) = self.wrong_auth(registry).values()
                self.docker_settings(auths={host: wrong, f"{host}/elsewhere": good})
                built = self.push(image)
                self.assert_pushed(image)
                self.assertIn(
                    self.next_one(image, "config.json", f'config.json "{host}/elsewhere"'),
                    built.stderr,
                )


class GitLabJob(CredentialsTest):
    def test_the_projects_registry_needs_no_login(self):
        for registry in ("basic", "bearer"):
            with self.subTest(registry=registry):
                image = self.image_name(registry=registry)
                base = f"{self.registry_host(registry)}/library/busybox"
                built = self.push(image, context=self.small(base=base), env=self.job(registry))
                self.assert_pushed(image)
                host = self.registry_host(registry)
                self.assertIn(
                    f"credentials for {host}: CI_REGISTRY_PASSWORD (user pusher)", built.stderr
                )
        self.assert_no_passwords()

    def test_elsewhere_the_variables_mean_nothing(self):
        image = self.image_name(registry="basic")
        built = self.push(image, env=self.job("basic", GITLAB_CI=None), check=112)
        self.assertNotIn("CI_REGISTRY", built.stderr)
        self.assert_not_pushed(image)

    def test_a_login_comes_before_the_variables(self):
        self.login("bearer")
        image = self.image_name(registry="bearer")
        built = self.push(image, env=self.job("bearer", user="READER"))
        self.assertIn(": config.json (user pusher)", built.stderr)
        self.assertNotIn("CI_REGISTRY_PASSWORD", built.stderr)

    def test_the_variables_serve_where_the_login_may_not_push(self):
        self.login("bearer", user="READER")
        image = self.image_name(registry="bearer")
        built = self.push(image, env=self.job("bearer"))
        self.assert_pushed(image)
        self.assertIn(self.next_one(image, "config.json", "CI_REGISTRY_PASSWORD"), built.stderr)

    def test_dependency_proxy(self):
        name, _, password = self.rig["READER"].partition(":")
        for registry in ("basic", "bearer"):
            with self.subTest(registry=registry):
                env = {
                    "GITLAB_CI": "true",
                    "CI_DEPENDENCY_PROXY_SERVER": self.registry_host(registry),
                    "CI_DEPENDENCY_PROXY_USER": name,
                    "CI_DEPENDENCY_PROXY_PASSWORD": password,
                }
                base = f"{self.registry_host(registry)}/library/busybox"
                built = self.build("--pull", self.small(base=base), builder="tls", env=env)
                self.assertIn("CI_DEPENDENCY_PROXY_PASSWORD (user reader)", built.stderr)
        self.assert_no_passwords()


class Expiry(CredentialsTest):
    def test_build_that_outlives_its_tokens_pushes(self):
        self.login("bearer", user="SHORT")
        image = self.image_name(registry="bearer")
        base = f"{self.registry_host('bearer')}/library/busybox"
        dockerfile = f"FROM {base}\nLABEL test.word=pushed\n"
        dockerfile += f"RUN sleep 8; echo {image} >/word\n"
        self.push(image, context=self.context({"Dockerfile": dockerfile}))
        self.assert_pushed(image)


if __name__ == "__main__":
    import unittest

    unittest.main()
