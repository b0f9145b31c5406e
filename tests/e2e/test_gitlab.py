"""The job templates of install/gitlab and the examples of docs/gitlab.md, run as GitLab jobs."""

import base64
import json
import os
import re
from pathlib import Path

from gitlab_ci import SOURCES, TEMPLATES, InFile, Issuer, JobTest, template
from harness import file
from pool import FINISHED

_COMPONENT = "templates/depot-build.yml"
_INCLUDED = "component: $CI_SERVER_FQDN/$CI_PROJECT_PATH/depot-build@$CI_COMMIT_SHA"
_SPELLINGS = ("docker depot build", "depot build")


def spelled(ci, spelling):
    """The same jobs, with the plugin called by this name."""
    return re.sub(r"\b(docker )?depot build", spelling, ci)


class Jobs(JobTest):
    def files(self, *more, **files):
        """A Dockerfile with a step of the test's own."""
        lines = [f"FROM {self.rig['BASE']}", f"RUN echo {self.image_name()} >/own", *more]
        return {"Dockerfile": "\n".join(lines) + "\n", **files}

    def both_spellings(self, name, files, *variables, **more):
        """Runs a template, then the same with the other spelling; yields (project, result)."""
        for spelling in _SPELLINGS:
            project = self.project(
                spelled(template(name), spelling), {**files, "spelling": spelling}
            )
            yield project, self.pipeline(project, *variables, **more)

    def image_of(self, registry, project):
        """What most templates call the image."""
        return f"{registry['CI_REGISTRY_IMAGE']}:{self.commit_of(project)}"

    def check_pushed(self, repository, tag, *platforms):
        """The image is what files() describes, as the registry has it."""
        found = self.repository(f"{repository}:{tag}")
        for platform in platforms or ("linux/amd64",):
            history = [entry["created_by"] for entry in found.config(tag, platform)["history"]]
            self.assertRegex("\n".join(history), f"echo {self.image_name()} >/own")
        return found

    def auth_config(self, registry, password=None):
        """DOCKER_AUTH_CONFIG of one who may push, or has this password."""
        auths = self.auths(registry)
        if password:
            auths[self.registry_host(registry)] = {
                "auth": base64.b64encode(f"pusher:{password}".encode()).decode()
            }
        return {"DOCKER_AUTH_CONFIG": json.dumps({"auths": auths})}

    def engine_of_the_service(self):
        """What the service docker:dind would give a job, from an engine of the rig."""
        values = {"DOCKER_HOST": self.rig["CLASSIC_TLS"]}
        return {**values, "DOCKER_CERT_PATH": self.rig["CLASSIC_CERTS"]}


class Templates(Jobs):
    def test_a_token_and_the_projects_own_registry(self):
        pool = self.start_pool()
        token = pool.token(project="one")
        registry = self.registry("bearer")
        variables = {**registry, "DEPOT_TOKEN": token, "DEPOT_API_URL": pool.url}
        variables["SSL_CERT_FILE"] = InFile(Path(pool.ca_file).read_text())
        ran = self.both_spellings("build-and-push.yml", self.files(), variables)
        for project, result in ran:
            self.check_pushed(registry["CI_REGISTRY_IMAGE"], self.commit_of(project))
            self.check_pushed(registry["CI_REGISTRY_IMAGE"], "main")
            self.assertRegex(result.stderr, r"credentials for .*: CI_REGISTRY_PASSWORD")
        self.assertEqual(list(pool.builds(token, "one").values()), [FINISHED] * 2)
        self.assert_no_leak(token, written=[self.variables_file])
        self.assert_no_leak(registry["CI_REGISTRY_PASSWORD"], written=[self.variables_file])

    def test_docker_auth_config_and_a_builder_behind_mutual_tls(self):
        registry = self.registry("basic")
        image = registry.pop("CI_REGISTRY_IMAGE")
        variables = {"IMAGE": image, **self.auth_config("basic")}
        ran = self.both_spellings("build-and-push.yml", self.files(), self.builder(), variables)
        for project, result in ran:
            self.check_pushed(image, self.commit_of(project))
            self.assertRegex(result.stderr, r"credentials for .*: DOCKER_AUTH_CONFIG")
            self.assertRegex(result.stderr, r"building on tcp://\S+ with TLS \(DEPOT_BUILDER\)")
        self.assert_no_leak(registry["CI_REGISTRY_PASSWORD"], written=[self.variables_file])

    def test_docker_in_docker_with_a_login(self):
        registry = self.registry("basic")
        variables = (registry, self.engine_of_the_service())
        for project, result in self.both_spellings(
            "docker-in-docker.yml", self.files(), *variables
        ):
            self.assertIn("Login Succeeded", result.stdout)
            self.check_pushed(registry["CI_REGISTRY_IMAGE"], self.commit_of(project))
            self.engine("classic").remove(self.image_of(registry, project))

    def test_docker_in_docker_with_a_login_and_a_remote_builder(self):
        registry = self.registry("bearer")
        project = self.project(template("docker-in-docker.yml"), self.files())
        variables = (registry, self.engine_of_the_service(), self.builder())
        result = self.pipeline(project, *variables)
        image = self.image_of(registry, project)
        self.check_pushed(registry["CI_REGISTRY_IMAGE"], self.commit_of(project))
        self.assertRegex(result.stderr, r"credentials for .*: config.json")
        self.assertIsNone(self.engine("classic").inspect(image))

    def test_a_cache_travels_as_an_artifact_to_an_empty_builder(self):
        ci = """
stages: [one, two]
warm:
  stage: one
  artifacts: {paths: [cache/]}
  script:
    - wget -O- "${DEPOT_PLUGIN_URL:?}/install.sh" | sh
    - docker depot build --cache-to type=local,dest=cache,mode=max .
again:
  stage: two
  script:
    - env -u DEPOT_BUILDER DOCKER_TLS_VERIFY=1 docker depot build --progress plain --cache-from type=local,src=cache .
"""
        project = self.project(ci, self.files(**{".dockerignore": "cache\n"}))
        result = self.pipeline(project, self.builder(), self.engine_of_the_service())
        again = "\n".join(re.findall(r"^.*\bagain\b.*$", result.stdout + result.stderr, re.M))
        self.assertIn("importing cache manifest", again)
        number = re.search(rf"#(\d+) \[.*RUN echo {self.image_name()}", again)[1]
        self.assertRegex(again, rf"#{number} CACHED")

    def test_the_log_says_what_a_fresh_clone_had_to_send(self):
        """Each job has a clone of its own, as with runners that keep nothing."""
        ci = """
build:
  script:
    - wget -O- "${DEPOT_PLUGIN_URL:?}/install.sh" | sh
    - docker depot build --progress plain .
"""
        files = self.files("COPY . /w/", **{".dockerignore": ".git\n.gitlab-ci-local\n", "large": os.urandom(6_000_000)})
        origin = self.project(ci, files)
        said = []
        for _ in range(2):
            result = self.pipeline(self.fresh_clone(origin), self.builder(), CI="true")
            said += re.findall(r"context: [\d.]+(\w+) of 6\.\d+MB sent", result.stdout + result.stderr)
        self.assertEqual(said[0], "MB", result)
        self.assertIn(said[1], ("B", "kB"), result)

    def test_images_of_a_bake_file(self):
        registry = self.registry("bearer")
        bake = 'variable "IMAGE" {}\nvariable "TAG" {}\n'
        bake += 'target "default" {\n  tags = ["${IMAGE}/web:${TAG}"]\n}\n'
        project = self.project(template("bake.yml"), self.files(**{"docker-bake.hcl": bake}))
        self.pipeline(project, registry, self.builder())
        self.check_pushed(f"{registry['CI_REGISTRY_IMAGE']}/web", self.commit_of(project))

    def test_two_platforms(self):
        registry = self.registry("bearer")
        variables = (registry, self.builder("both"))
        both = ("linux/amd64", "linux/arm64")
        for project, _ in self.both_spellings("two-platforms.yml", self.files(), *variables):
            self.check_pushed(registry["CI_REGISTRY_IMAGE"], self.commit_of(project), *both)

    def tested(self):
        test = file("#!/bin/sh\necho the image says $1\ntest -s /own\n", mode=0o755)
        return self.files("COPY test.sh /", **{"test.sh": test})

    def test_an_image_is_loaded_and_tried_before_it_is_pushed(self):
        registry = self.registry("basic")
        variables = (registry, self.engine_of_the_service(), self.builder())
        test = {"TEST_COMMAND": "./test.sh hello"}
        ran = self.both_spellings("load-and-test.yml", self.tested(), *variables, test)
        for project, result in ran:
            image = self.image_of(registry, project)
            self.assertIn("the image says hello", result.stdout)
            pushed = self.check_pushed(registry["CI_REGISTRY_IMAGE"], self.commit_of(project))
            loaded = self.engine("classic").inspect(image)
            self.assertEqual(loaded["RootFS"]["Layers"], pushed.diff_ids(self.commit_of(project)))
            self.engine("classic").remove(image)

    def test_an_image_that_fails_its_test_is_not_pushed(self):
        registry = self.registry("basic")
        variables = (registry, self.engine_of_the_service(), self.builder())
        project = self.project(template("load-and-test.yml"), self.tested())
        image = self.image_of(registry, project)
        self.pipeline(project, *variables, TEST_COMMAND="test -e /nothing", check=1)
        self.assertTrue(self.engine("classic").inspect(image))
        self.engine("classic").remove(image)
        self.assertFalse(self.repository(image).has(self.commit_of(project)))

    def test_an_sbom_is_the_jobs_artifact(self):
        registry = self.registry("bearer")
        status = "Package: alpha\nVersion: 1.2-3\n\n"
        files = self.files("COPY status /var/lib/dpkg/status", status=status)
        variables = (registry, self.builder())
        scanner = {"SBOM": f"generator={self.rig['SBOM_GENERATOR']}"}
        for project, _ in self.both_spellings("sbom.yml", files, *variables, scanner):
            document = json.loads((project / "sbom" / "sbom.spdx.json").read_text())
            self.assertEqual([one["name"] for one in document["packages"]], ["alpha"])
            pushed = self.check_pushed(registry["CI_REGISTRY_IMAGE"], self.commit_of(project))
            index = pushed.document(self.commit_of(project))
            self.assertIn("attestation-manifest", json.dumps(index["manifests"]))

    def test_the_jobs_own_identity(self):
        issuer = Issuer(self.folder)
        claims = {"project_path": "group/app", "ref_protected": "true"}
        pool = self.start_pool(oidc=[issuer.settings("one", claims)])
        registry = self.registry("bearer")
        common = {**registry, "DEPOT_API_URL": pool.url, "DEPOT_PROJECT_ID": "one"}
        common["SSL_CERT_FILE"] = InFile(Path(pool.ca_file).read_text())
        identity = issuer.token()
        ran = self.both_spellings("oidc.yml", self.files(), common, DEPOT_OIDC_TOKEN=identity)
        for project, _ in ran:
            self.check_pushed(registry["CI_REGISTRY_IMAGE"], self.commit_of(project))
        self.assert_no_leak(identity, written=[self.variables_file])
        project = self.project(template("oidc.yml"), self.files(other=""))
        stranger = issuer.token(project_path="group/other")
        result = self.pipeline(project, common, DEPOT_OIDC_TOKEN=stranger, check=1)
        self.assertRegex(result.stderr, "(?i)oidc")
        image = registry["CI_REGISTRY_IMAGE"]
        self.assertFalse(self.repository(image).has(self.commit_of(project)))
        built = pool.builds(pool.token(user="ada"), "one")
        self.assertEqual(list(built.values()), [FINISHED] * 2)


class ExistingLines(Jobs):
    """The lines of a job as they are, after two lines of set-up."""

    def play(self, configure, lines, *variables, registry="basic"):
        registry = self.registry(registry)
        ci = template("existing-lines.yml").replace("docker depot configure-docker", configure)
        ci = ci.replace('docker build --tag "$IMAGE" .', lines)
        project = self.project(ci, self.files('CMD ["true"]'))
        result = self.pipeline(project, registry, self.builder(), self.engine_of_the_service(), *variables)
        self.check_pushed(registry["CI_REGISTRY_IMAGE"], self.commit_of(project))
        self.engine("classic").remove(self.image_of(registry, project))
        self.assertIn("(DEPOT_BUILDER)", result.stderr)

    def test_docker_in_docker_with_the_alias(self):
        self.play("docker depot configure-docker", 'docker build --tag "$IMAGE" .')

    def test_docker_in_docker_with_the_link(self):
        lines = 'docker buildx build --load --tag "$IMAGE" .'
        self.play("docker depot configure-docker --as buildx", lines)

    def alone(self, configure, line):
        """In docker:cli, without an Engine."""
        ci = f"""
build:
  script:
    - wget -O- "${{DEPOT_PLUGIN_URL:?}}/install.sh" | sh
    - {configure}
    - {line}
"""
        registry = self.registry("bearer")
        variables = {"IMAGE": registry["CI_REGISTRY_IMAGE"], "DOCKER_HOST": f"unix://{self.folder}/none"}
        project = self.project(ci, self.files())
        return self.pipeline(project, registry, self.builder(), variables), registry["CI_REGISTRY_IMAGE"]

    def test_docker_cli_with_the_alias(self):
        _, image = self.alone("docker depot configure-docker", "docker build --push -t $IMAGE:1 .")
        self.check_pushed(image, "1")
        said, _ = self.alone("docker depot configure-docker", "docker build -t $IMAGE:2 .")
        self.assertEqual((said.stdout + said.stderr).count("nothing is loaded"), 1)

    def test_docker_cli_with_the_link(self):
        _, image = self.alone(
            "docker depot configure-docker --as buildx", "docker buildx build --push -t $IMAGE:1 ."
        )
        self.check_pushed(image, "1")

    def test_an_address_that_is_missing_or_wrong_ends_the_job(self):
        ci = next(line for line in template("build-and-push.yml").splitlines() if "install.sh" in line)
        project = self.project(f"job:\n  script:\n{ci}\n    - echo went on\n", {})
        for url, says in (("", "DEPOT_PLUGIN_URL"), (f"{self.release()}/no", "404")):
            with self.subTest(url=url):
                said = self.pipeline(project, DEPOT_PLUGIN_URL=url, check=1)
                self.assertIn(says, said.stdout + said.stderr)
                self.assertNotIn("went on", (said.stdout + said.stderr).replace("$ echo went on", ""))


class Publishing(Jobs):
    """publish-release.yml, with a server in GitLab's place."""

    def test_a_tag_is_published_and_installed_from(self):
        gitlab = self.package_registry()
        files = {path.name for path in self.release_folder.iterdir()}
        make = f"#!/bin/sh\nmkdir dist\ncp -L {self.release_folder}/* dist/\n"
        project = self.project(template("publish-release.yml"), {"install/release": file(make, 0o755)})
        api = {"CI_API_V4_URL": f"http://127.0.0.1:{gitlab.server_port}/api/v4"}
        said = self.pipeline(project, api, CI_COMMIT_TAG="v1", CI_JOB_TOKEN="t0ken-of-the-job")
        self.assertIn("/-/releases/v1/downloads", said.stdout)
        self.assertNotIn("t0ken", said.stdout + said.stderr)
        release = json.loads(gitlab.posted)
        self.assertEqual(release["tag_name"], "v1")
        links = {link["direct_asset_path"]: link["url"] for link in release["assets"]["links"]}
        self.assertEqual(set(links), {f"/{name}" for name in files})
        folder = links["/install.sh"].rpartition("/")[0]
        self.pipeline(
            self.project('job: {script: [\'wget -O- "${DEPOT_PLUGIN_URL:?}/install.sh" | sh\', depot version]}\n', {}),
            DEPOT_PLUGIN_URL=folder,
        )


class Component(Jobs):
    """templates/depot-build.yml, included as the pipeline of its own project does."""

    def include(self, *inputs, how=_INCLUDED):
        """A project that includes it once for each of `inputs`."""
        lines = ["include:"]
        for some in inputs:
            lines += [f"  - {how}", f"    inputs: {json.dumps(some)}"]
        files = self.files(**{_COMPONENT: template(_COMPONENT)})
        files["other/Containerfile"] = files["Dockerfile"] + "ARG WORD\nRUN echo $WORD >/word\n"
        return self.project("\n".join(lines) + "\n", files)

    def test_it_builds_what_its_inputs_say(self):
        registry = self.registry("bearer")
        image = registry["CI_REGISTRY_IMAGE"]
        second = {"job_name": "build-other", "tag": f"{image}/other:1", "context": "other"}
        second |= {
            "dockerfile": "other/Containerfile",
            "flags": "--build-arg WORD=hello --label a=b",
        }
        second |= {"platforms": "linux/amd64,linux/arm64"}
        dry = {"job_name": "try", "push": False, "tag": f"{image}:never"}
        project = self.include({}, second, dry)
        self.pipeline(project, registry, self.builder("both"))
        self.check_pushed(image, self.commit_of(project))
        other = self.check_pushed(f"{image}/other", "1", "linux/amd64", "linux/arm64")
        self.assertEqual(other.config("1")["config"]["Labels"], {"a": "b"})
        self.assertFalse(self.repository(image).has("never"))

    def test_wrong_inputs_are_refused(self):
        local = f"local: {_COMPONENT}"
        for inputs, complaint in (
            ({"progress": "loud"}, "progress"),
            ({"push": "yes"}, "push"),
            ({"tag": ["a", "b"]}, "tag"),
        ):
            with self.subTest(complaint):
                result = self.jobs(self.include(inputs, how=local), check=1)
                self.assertRegex(result.stderr, f"(?s)invalid.*{complaint}")

    def test_only_platforms_are_platforms(self):
        pattern = re.search(r"regex: /(.*)/", template(_COMPONENT))[1].replace(r"\/", "/")
        for good in ("linux/amd64", "linux/arm64", "linux/amd64,linux/arm64"):
            self.assertRegex(good, pattern)
        for bad in ("", "linux/amd64 --push", "linux/amd64,", "$(id)", "linux/amd64;id"):
            self.assertNotRegex(bad, pattern)


class Guide(Jobs):
    """docs/gitlab.md."""

    def setUp(self):
        super().setUp()
        self.guide = (SOURCES / "docs" / "gitlab.md").read_text()
        self.examples = re.findall(r"^```yaml\n(.*?)^```", self.guide, re.M | re.S)

    def test_gitlab_takes_every_template(self):
        """By GitLab's own schema, included as a file."""
        for path in sorted(TEMPLATES.glob("*.yml")):
            with self.subTest(path.name):
                self.assertIn(f"install/gitlab/{path.name}", self.guide)
                included = self.project(f"include: {path.name}\n", {path.name: path.read_text()})
                self.assertEqual(len(self.jobs(included)), 1)
        wrong = self.jobs(self.project("job: {script: date, skript: date}\n", {}), check=1)
        self.assertIn("'skript' property is not expected", wrong.stderr)

    def test_gitlab_takes_every_example(self):
        files = {path.name: path.read_text() for path in TEMPLATES.glob("*.yml")}
        files[_COMPONENT] = template(_COMPONENT)
        self.assertEqual(len(self.examples), 6)
        for ci in self.examples:
            with self.subTest(ci):
                self.assertTrue(self.jobs(self.project(ci, files)))

    def test_the_shortest_job_builds_and_pushes(self):
        registry = self.registry("bearer")
        for spelling in _SPELLINGS:
            files = self.files(spelling=spelling)
            project = self.project(spelled(self.examples[0], spelling), files)
            self.pipeline(project, registry, self.builder())
            self.check_pushed(registry["CI_REGISTRY_IMAGE"], self.commit_of(project))

    def layers_pushed(self, result):
        """Of the first image of an index."""
        image, digest = re.search(r"pushed +(\S+)@(sha256:\w+)", result.stderr).groups()
        repository = self.repository(image)
        index = repository.document(digest)
        return repository.document(index["manifests"][0]["digest"])["layers"]

    def test_a_cache_in_the_projects_registry(self):
        registry = self.registry("bearer")
        ci = next(ci for ci in self.examples if "--cache-to" in ci)
        project = self.project(ci, self.files())
        first = self.pipeline(project, registry, self.builder())
        self.assertRegex(first.stderr, r"the cache in \S+/cache:main is not there \(yet\)")
        self.assertTrue(self.repository(f"{registry['CI_REGISTRY_IMAGE']}/cache:main").has("main"))
        # Another builder, that has never seen the steps.
        builder = {**self.builder(), "DEPOT_BUILDER": self.rig["BUILDER_ARM64"]}
        second = self.pipeline(project, registry, builder, BUILDKIT_PROGRESS="plain")
        self.assertIn("importing cache manifest from", second.stderr)
        # A step that ran again would have made a file of another time. (The builder does not always say CACHED of one whose
        # layers it has to fetch.)
        self.assertEqual(self.layers_pushed(first), self.layers_pushed(second))

    def test_the_authority_of_a_pool_is_one_variable(self):
        pool = self.start_pool()
        registry = self.registry("bearer")
        ci = next(ci for ci in self.examples if "POOL_CA" in ci)
        project = self.project(ci.replace("/tmp/", f"{self.folder}/"), self.files())
        authority = InFile(Path(pool.ca_file).read_text())
        token = {"DEPOT_TOKEN": pool.token(project="one"), "DEPOT_API_URL": pool.url}
        self.pipeline(project, registry, token, POOL_CA=authority)
        self.check_pushed(registry["CI_REGISTRY_IMAGE"], self.commit_of(project))

    def test_the_messages_that_it_explains_are_real(self):
        said = "\n".join(self.troubles())
        rows = re.findall(r"^\| `([^|]*)` \|", self.guide.partition("# Troubleshooting")[2], re.M)
        self.assertGreater(len(rows), 10)
        for row in rows:
            with self.subTest(row):
                self.assertRegex(said, re.escape(row).replace(re.escape("..."), ".*"))

    def troubles(self):
        """What is said in the situations of the table."""
        place = self.context(self.files())
        image = self.image_name(registry="basic")
        issuer = Issuer(self.folder)
        pool = self.start_pool(oidc=[issuer.settings("one", {"project_path": "group/app"})])
        key_pair = {"DEPOT_BUILDER_CERT": None, "DEPOT_BUILDER_KEY": None}
        trusting = pool.variables()
        for flags, builder, env in (
            ([], None, {}),
            ([], None, {"DEPOT_PROJECT_ID": "one"}),
            (["--push", "-t", image], "tls", {"DOCKER_AUTH_CONFIG": "/a/path"}),
            ([], self.rig["BUILDER"], {}),
            ([], "tls", key_pair),
            ([], "tls", {"DEPOT_BUILDER_CERT": "/no/such/file"}),
            ([], None, {**trusting, "SSL_CERT_FILE": None, "DEPOT_TOKEN": "wrong"}),
            (["--platform", "linux/arm64", "--native-only"], "tls", {}),
            (["--ssh", "default"], "tls", {}),
            (["--ssh", "default=env=DEPLOY_KEY"], "tls", {}),
            (["--load", "-t", "app"], "tls", {}),
            ([], None, {**trusting, "DEPOT_TOKEN": "wrong"}),
            ([], None, {**trusting, "DEPOT_OIDC_TOKEN": issuer.token(project_path="group/other")}),
            ([], None, {**trusting, "DEPOT_OIDC_TOKEN": issuer.token(aud="https://other.example")}),
            (["--push", "-t", image], "tls", self.auth_config("basic", password="wrong")),
        ):
            env = {"GITLAB_CI": "true", **env}
            yield self.build(*flags, place, builder=builder, env=env, check=None).stderr
        argv = [self.rig["DOCKER"], "depot", "build", "."]
        yield self._finish(self._start(argv, None, None, None, None, None), None, 30).stderr
