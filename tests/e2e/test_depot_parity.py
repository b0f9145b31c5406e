"""Request by request: our client tells the Depot API what the official one tells it.

Both run the same builds against the recording API; the decoded messages are compared. What differs
on purpose is in _DIFFERENCES, each with its reason, and nowhere else.
"""

from fake_api import FakeApi
from harness import EndToEnd

_OFFICIAL = {
    "DEPOT_ERROR_TELEMETRY": "0",
    "DEPOT_DISABLE_OTEL": "1",
    "DEPOT_NO_UPDATE_NOTIFIER": "1",
    "DEPOT_SUPPRESS_NO_OUTPUT_WARNING": "1",
}

# What is taken out of the official client's messages before they are compared, and why.
_DIFFERENCES = {
    "depot.export.image.version": (
        "an option of the hosted service's own exporter: the official client puts it into each image"
        " output before it describes the outputs; BuildKit itself does not know it"
    ),
}
# Headers that every call of both must have, with the same value.
_SAME_HEADERS = ("content-type", "connect-protocol-version", "authorization")


class ParityTest(EndToEnd):
    command = "build"

    def setUp(self):
        super().setUp()
        if not self.rig.get("DEPOT"):
            self.skipTest("npm does not fetch the official Depot CLI here")
        dockerfile = (
            f"FROM {self.rig['BASE']} AS first\nRUN echo {self.image_name()}\n"
            "FROM first AS second\nRUN echo 2\n"
        )
        self.place = self.context({"Dockerfile": dockerfile})

    def ask(self, program, args, check, env):
        """What the API was asked by one program: a list of fake_api.Request."""
        api = FakeApi(self.rig)
        try:
            values = {
                "DEPOT_API_URL": api.url,
                "SSL_CERT_FILE": api.ca_file,
                "DEPOT_TOKEN": "depot_user_token",
                **_OFFICIAL,
                **env,
            }
            argv = [program, self.command, "--progress", "plain", *args]
            argv += [self.place] if self.command == "build" else []
            running = self._start(argv, "containerd", None, values, self.place, None)
            self._finish(running, check, 120)
            return api.asked()
        finally:
            api.close()

    def compare(self, *args, check=0, project="proj1", **env):
        if project:
            env["DEPOT_PROJECT_ID"] = project
        official = self.ask(self.rig["DEPOT"], args, check, env)
        ours = self.ask(self._plugin(), args, check, env)
        self.assertEqual(_created(ours), _without_differences(_created(official)))
        self.assertEqual(_machines(ours), _machines(official))
        self.assertEqual(_outcome(ours), _outcome(official))
        self.assertEqual(_steps(ours), _steps(official))
        self.assertEqual(_headers(ours), _headers(official))
        self.assertEqual({one.method for one in ours}, {one.method for one in official})


class Parity(ParityTest):
    def test_plain(self):
        self.compare()

    def test_without_a_project(self):
        self.compare(project=None)

    def test_tags_without_output(self):
        self.compare("--tag", "some:1", "-t", "other/name:2")

    def test_push_with_tags(self):
        names = [self.image_name(name, "open") for name in ("first", "second")]
        self.compare("--push", "-t", names[0], "-t", names[1])

    def test_image_output(self):
        name = self.image_name("image", "open")
        self.compare("--output", f"type=image,name={name},push=true,compression=gzip")

    def test_load(self):
        self.addCleanup(self.engine("containerd").remove, self.image_name())
        self.compare("--load", "-t", self.image_name())

    def test_save(self):
        self.compare("--save", "--save-tag", "nightly", "-t", "some:1")

    def test_target(self):
        self.compare("--target", "first")

    def test_local_output(self):
        self.compare("--output", f"type=local,dest={self.work}/out")

    def test_short_local_output(self):
        self.compare("-o", f"{self.work}/out")

    def test_tar_output(self):
        self.compare("--output", f"type=tar,dest={self.work}/out.tar")

    def test_docker_output(self):
        self.compare("--output", f"type=docker,dest={self.work}/out.tar", "-t", "some:1")

    def test_oci_output(self):
        self.compare("--output", f"type=oci,dest={self.work}/out.tar")

    def test_another_platform(self):
        self.compare("--platform", "linux/arm64")

    def test_two_platforms(self):
        self.compare("--platform", "linux/amd64,linux/arm64")

    def test_one_machine_for_all_platforms(self):
        self.compare("--build-platform", "linux/amd64", "--platform", "linux/arm64")

    def test_a_failing_build(self):
        self.compare("--target", "nowhere", check=1)


class BakeParity(ParityTest):
    command = "bake"

    def setUp(self):
        super().setUp()
        targets = 'group "default" { targets = ["one", "two"] }\n'
        targets += 'target "one" { target = "first" }\ntarget "two" { tags = ["some:2"] }\n'
        (self.place / "docker-bake.hcl").write_text(targets)

    def test_bake_of_a_group(self):
        self.compare()

    def test_bake_with_save(self):
        self.compare("--save", "--save-tag", "nightly", "two")


def _created(requests):
    (created,) = [one.message for one in requests if one.method == "CreateBuild"]
    # An optional project that is empty, and one that is not there, are both "the token decides".
    return {key: value for key, value in created.items() if (key, value) != ("project_id", "")}


def _without_differences(created):
    options = []
    for option in sorted(created["options"], key=lambda one: one.get("target_name", "")):
        outputs = [dict(output) for output in option.get("outputs", [])]
        for output in outputs:
            kept = {
                key: value
                for key, value in output.pop("attributes", {}).items()
                if key not in _DIFFERENCES
            }
            output.update({"attributes": kept} if kept else {})
        options.append({**option, **({"outputs": outputs} if outputs else {})})
    return {**created, "options": options}


def _machines(requests):
    """Which machines were asked for and reported alive."""
    asked = [one for one in requests if one.method in ("GetBuildKitConnection", "ReportBuildHealth")]
    return {(one.method, one.message["build_id"], one.message["platform"]) for one in asked}


def _outcome(requests):
    (finished,) = [one.message for one in requests if one.method == "FinishBuild"]
    # The texts of errors are each program's own.
    return {key: key == "error" or value for key, value in finished.items()}


def _steps(requests):
    """The names of the steps that were reported as completed."""
    messages = [
        message for one in requests if one.method == "ReportStatusStream" for message in one.message
    ]
    vertexes = [
        vertex
        for message in messages
        for status in message.get("statuses", [])
        for vertex in status.get("vertexes", [])
    ]
    return {vertex["name"] for vertex in vertexes if "completed" in vertex}


def _headers(requests):
    return {
        (one.method, name, one.headers.get(name)) for one in requests for name in _SAME_HEADERS
    }
