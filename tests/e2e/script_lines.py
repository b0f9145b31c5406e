"""Lines of existing CI scripts, run unchanged in three places: docker with the alias `builder: depot`, docker with us as
docker-buildx, and docker with docker buildx itself; each with the same remote builder and an Engine to load into.

    _LINES = [
        Lines("docker build -t $IMAGE . && docker run --rm $IMAGE", says="hello"),
    ]

    class First(ScriptTest):
        def test_first(self):
            self.play(_LINES)

All must end with the same exit code, print the same, and print `says`. A shell runs them in a folder of a project; IMAGE
is a name of their own in the open registry, BASE the base image.
"""

import dataclasses
import os
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from harness import EndToEnd, Running, write_tree

DOCKERFILE = """FROM BASE AS base
ARG VERSION=dev
ENV VERSION=$VERSION
RUN echo "version $VERSION" >/version
FROM base AS test
RUN echo tested >/tested
CMD ["cat", "/tested"]
FROM base AS app
COPY hello /hello
LABEL org.example.kind=app
CMD ["cat", "/hello"]
"""
_FILES = {
    "Dockerfile": DOCKERFILE,
    "hello": "hello\n",
    "app/Dockerfile": "FROM BASE\nCOPY word /\nCMD cat /word\n",
    "app/word": "app\n",
    "docker/Dockerfile.ci": "FROM BASE\nCOPY hello /\nCMD cat /hello\n",
    "Broken.Dockerfile": "FROM BASE\nRUN echo seen; exit 3\n",
    "secret.txt": "s3cret\n",
    ".dockerignore": "secret.txt\n",
}
_AT_ONCE = 3
WAYS = ("alias", "link", "buildx")


@dataclasses.dataclass(frozen=True)
class Lines:
    """A script, what its output must match, how it ends (None = it fails), and in which of WAYS it makes sense. That a
    command line is wrong is exit code 125 for us, where docker buildx sometimes has 1.
    """

    script: str
    says: str = ""
    rc: int | None = 0
    ways: tuple = WAYS


class ScriptTest(EndToEnd):
    """Derive from it; see the module. `engine` is the Engine that everything is loaded into."""

    engine_name = "classic"

    def setUp(self):
        super().setUp()
        self._buildx_instance("plain", {"BUILDX_CONFIG": str(self.folder / "buildx")})
        self._bin = self.folder / "bin"
        self._bin.mkdir()
        (self._bin / "docker").symlink_to(self.rig["DOCKER"])
        self._places = {way: self._place(way) for way in WAYS}

    def _place(self, way):
        """The DOCKER_CONFIG of a way."""
        config = self.folder / f"config-{way}"
        plugins = config / "cli-plugins"
        plugins.mkdir(parents=True)
        buildx = Path(self.rig["BUILDX"]) if way != "link" else self._plugin()
        (plugins / "docker-buildx").symlink_to(buildx)
        (plugins / "docker-depot").symlink_to(self._plugin())
        alias = {"alias": "depot", "buildx": "buildx"}.get(way)
        (config / "config.json").write_text(f'{{"aliases": {{"builder": "{alias}"}}}}' if alias else "{}")
        return config

    def _variables(self, way, number):
        variables = self.environment(engine=self.engine_name, builder=None if way == "buildx" else "plain")
        variables |= {
            "PATH": f"{self._bin}:{os.environ['PATH']}",
            "DOCKER_CONFIG": str(self._places[way]),
            "IMAGE": self.image_name(name=f"{way}-{number}", registry="open").removesuffix(":latest"),
            "BASE": self.rig["BASE"],
        }
        if way == "buildx":
            variables["BUILDX_CONFIG"] = str(self.folder / "buildx-default-load")
        return variables

    def play(self, lines):
        self._make_reference()
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            plays = [pool.submit(self._play_one, number, one) for number, one in enumerate(lines)]
        wrong = [text for play in plays for text in play.result()]
        if wrong:
            self.fail(f"{len(wrong)} differ:\n" + "\n\n".join(wrong))

    def _make_reference(self):
        """A remote builder of docker buildx that loads by default, and is the current one."""
        create = ["create", "--name", "remote", "--driver", "remote", "--driver-opt", "default-load=true", "--use"]
        env = {"BUILDX_CONFIG": str(self.folder / "buildx-default-load")}
        # Which builder is the current one depends on the Engine.
        self.run_buildx(*create, self.rig["BUILDER_PLAIN"], env=env, engine=self.engine_name)

    def _play_one(self, number, lines):
        seen = {way: self._run_one(way, number, lines) for way in lines.ways}
        expected = seen[lines.ways[-1]][1]
        wrong = []
        for way, (rc, stdout, stderr) in seen.items():
            ended = rc != 0 if lines.rc is None else rc == lines.rc
            if ended and stdout == expected and re.search(lines.says, stdout):
                continue
            wrong.append(f"{lines.script}\n  {way}: exit code {rc}\n  stdout: {stdout!r}\n  stderr: {stderr[-600:]}")
        return wrong

    def _run_one(self, way, number, lines):
        folder = self.work / f"{way}-{number}"
        write_tree(folder, {name: text.replace("BASE", self.rig["BASE"]) for name, text in _FILES.items()})
        variables = self._variables(way, number)
        script = "set -e\n" + lines.script + "\n"
        done = self._run_script(script, folder, variables)
        image = variables["IMAGE"]
        stdout = done.stdout.replace(image, "IMAGE").replace(image.split("/", 1)[1], "IMAGE")
        return done.rc, stdout, done.stderr

    def _run_script(self, script, folder, variables):
        place = folder.with_suffix(".run")
        place.mkdir()
        running = Running(["bash", "-c", script], place, env=variables, cwd=folder)
        self._started.append(running)
        return running.wait(240)
