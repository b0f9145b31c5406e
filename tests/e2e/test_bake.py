"""Many images in one run, beside docker buildx bake on the same builder."""

import json
import os
import re
import subprocess
import threading

from git_server import GIT, GitServer, commit
from harness import EndToEnd, symlink
from invocations import Case, InvocationTest
from links import Link

# Targets that run at once have steps of their own: see InvocationTest._play().
_TWO = """
variable "IMAGE" {}
group "default" { targets = ["one", "two"] }
target "base" { args = { WORD = "base" } }
target "one" {
  inherits = ["base"]
  tags = ["${IMAGE}-one"]
  labels = { "org.example.word" = "a ${upper("label")}" }
}
target "two" {
  inherits = ["base"]
  args = { WORD = "two" }
  tags = ["${IMAGE}-two", "${IMAGE}-too"]
}
"""
_LINKED = """
target "base" {
  dockerfile-inline = "FROM BASE\\nENV WORD=linked\\nRUN : ${IMAGE}; echo made >/made"
}
variable "IMAGE" {}
target "middle" {
  contexts = { base = "target:base" }
  dockerfile-inline = "FROM base\\nRUN echo $WORD >/word"
}
target "default" {
  contexts = { middle = "target:middle", base = "target:base" }
  dockerfile-inline = "FROM scratch\\nCOPY --from=middle /word /made /\\nCOPY --from=base /made /again"
  output = ["type=local,dest=${OUT}/o"]
}
variable "OUT" {}
"""
_IMAGE = {"IMAGE": "{image}"}
_OUT = {"OUT": "{out}", **_IMAGE}
# Each says how many steps it has seen run at once: it waits for a second one, and then looks for a third.
_CROWD = """
target "t" {
  name = "t${n}"
  matrix = { n = [1, 2, 3, 4] }
  args = { N = n }
  output = ["out/${n}"]
  dockerfile-inline = <<EOF
FROM BASE AS run
ARG N
RUN --mount=type=cache,id=CROWD,target=/c <<END
  : CROWD
  touch /c/run.$N
  i=0; more=0; most=0
  while [ $i -lt 200 ] && [ $more -lt 10 ]; do
    now=$(ls /c | grep -c run)
    if [ $now -gt $most ]; then most=$now; fi
    if [ $most -gt 1 ] || [ $(ls /c | grep -c end) = 3 ]; then more=$((more + 1)); fi
    i=$((i + 1))
    sleep 0.1
  done
  mv /c/run.$N /c/end.$N
  echo $most >/most
END
FROM scratch
COPY --from=run /most /
EOF
}
"""


def hcl(text, **more):
    return {"docker-bake.hcl": text, **more}


def one(fields, **more):
    return hcl(f'variable "IMAGE" {{}}\ntarget "default" {{\n{fields}\n}}\n', **more)


_SECRET = "FROM BASE AS a\\nRUN --mount=type=secret,id=s cat /run/secrets/s >/s\\nFROM scratch\\nCOPY --from=a /s /"
_META = "--metadata-file {out}/m.json"
_POLICY = '{"rules": [{"action": "ALLOW", "selector": {"identifier": "*"}}]}'
_LOCAL = "--allow fs.write={out} --set *.output=type=local,dest={out}/o"

_DEFINITIONS = [
    Case(f"--push {_META}", files=hcl(_TWO), env=_IMAGE),
    Case(f"--push {_META} two", files=hcl(_TWO), env=_IMAGE),
    Case(f"--push {_META} 't*'", files=hcl(_TWO), env=_IMAGE),
    Case(
        _LOCAL,
        files={"docker-bake.json": '{"target": {"default": {"args": {"WORD": "${strlen(\\"json\\")}"}}}}'},
    ),
    Case(
        _LOCAL,
        files=hcl(
            'target "default" { args = { WORD = "first" } }',
            **{"docker-bake.override.hcl": 'target "default" { args = { WORD = "override" } }'},
        ),
    ),
    Case(
        f"-f a.hcl -f b.json {_LOCAL}",
        files={"a.hcl": 'target "default" { args = { WORD = "a" } }', "b.json": '{"target":{"default":{"target":"out"}}}'},
    ),
    Case(f"-f - {_LOCAL}", stdin=b'target "default" { args = { WORD = "input" } }'),
    Case(
        "--allow fs.write={out}",
        files=hcl(
            'variable "OUT" {}\ntarget "default" {\n  name = "t-${w}"\n  matrix = { w = ["a", "b", "c"] }\n'
            '  args = { WORD = w }\n  output = ["type=local,dest=${OUT}/${w}"]\n}'
        ),
        env=_OUT,
    ),
    Case(
        _LOCAL,
        files=hcl(
            'variable "WORD" { default = "own" }\nfunction "twice" {\n  params = [a]\n  result = "${a}${a}"\n}\n'
            'target "default" { args = { WORD = twice(WORD) } }'
        ),
        env={"WORD": "from outside"},
    ),
    Case("--allow fs.write={out}", files=hcl(_LINKED), env=_OUT),
    Case(f"{_META} --set default.output=type=cacheonly", files=hcl(_LINKED), env=_OUT),
    Case("--print default", files=hcl(_LINKED), env=_IMAGE),
]

_FIELDS = [
    Case(_LOCAL, files=one('dockerfile-inline = "FROM scratch\\nCOPY word /inline"')),
    Case(_LOCAL, files=one('context = "sub"\ndockerfile = "../own"', own="FROM scratch\nCOPY a /\n", **{"sub/a": "a"})),
    Case(f"--push {_META}", files=one('target = "make"\ntags = ["${IMAGE}"]'), env=_IMAGE),
    Case(f"--no-cache {_LOCAL}", files=one('no-cache-filter = ["make"]')),
    Case(
        f"--push {_META}",
        files=one('annotations = ["one=two", "manifest:three=four"]\ntags = ["${IMAGE}"]\nlabels = { a = null }'),
        env=_IMAGE,
    ),
    Case(
        f"{_META} " + "--set default.output=type=oci,dest={out}/o.tar",
        files=one('platforms = ["linux/amd64", "linux/arm64"]\ndockerfile-inline = "FROM scratch\\nCOPY word /"'),
    ),
    Case(
        f"--push {_META}",
        files=one('platforms = ["linux/foo"]\ntags = ["${IMAGE}"]\ndockerfile-inline = "FROM scratch\\nCOPY word /"'),
        env=_IMAGE,
    ),
    Case(_LOCAL, files=one(f'secret = ["id=s,src=word"]\ndockerfile-inline = "{_SECRET}"')),
    Case(
        _LOCAL,
        files=one(f'secret = [{{ id = "s", env = "HIDDEN" }}]\ndockerfile-inline = "{_SECRET}"'),
        env={"HIDDEN": "hidden"},
    ),
    Case(
        _LOCAL,
        files=one(
            'contexts = { other = "sub" }\ndockerfile-inline = "FROM scratch\\nCOPY --from=other a /"', **{"sub/a": "named"}
        ),
    ),
    Case(
        _LOCAL,
        files=one(
            'network = "none"\nextra-hosts = { one = "10.0.0.1" }\nshm-size = "128m"\nulimits = ["nofile=1000:2000"]\n'
            'dockerfile-inline = "FROM BASE AS a\\nRUN (ls /sys/class/net; grep one /etc/hosts; ulimit -n) >/s\\n'
            'FROM scratch\\nCOPY --from=a /s /"'
        ),
    ),
    Case("--set default.output=type=tar,dest=- --pull=false", files=one('args = { WORD = "tar" }')),
    Case("--set default.args.WORD=set --set default.target=make --allow fs.write={out} --set *.output={out}/made", files=one("")),
    # This builder's BuildKit is older than the call.
    Case("--check", files=one('dockerfile-inline = "from scratch\\nCOPY word /"'), says=("frontend.lint|lint",)),
]

_MISTAKES = [
    Case(
        "",
        files=hcl(
            'group "default" { targets = ["good", "bad"] }\n'
            'target "good" { dockerfile-inline = "FROM BASE\\nRUN sleep 1000" }\n'
            'target "bad" { dockerfile-inline = "FROM BASE\\nRUN exit 3" }\n'
        ),
        says=("target bad: ", "exit code: 3"),
    ),
    Case("nowhere", files=hcl(_TWO), says=("failed to find target nowhere",)),
    Case("--tag x", files=one(""), says=("unknown flag: --tag",)),
    Case("", files={"docker-bake.hcl": 'target "default" {\n  args = { WORD = nobody }\n}\n'}, says=("docker-bake.hcl:2", "nobody")),
    Case("", files=one('context = "/"'), says=("additional privileges requested",), ours=("--allow fs.read=/",)),
    Case("", files=one('context = "away"', away=symlink("/etc")), says=("additional privileges requested",)),
    Case("", files=one('network = "host"'), says=("--allow[= ]network.host",)),
    Case("", files=one('output = ["type=local,dest=/var/none"]'), says=("privileges requested",), ours=("--allow fs.write=/var/none",)),
    Case("", files=one('context = "nowhere"'), says=("nowhere",)),
]

_SERVICES = """
services:
  web:
    image: ${IMAGE}-web
    build:
      context: .
      args: [WORD=web]
  worker:
    image: ${IMAGE}-worker
    build: {context: ., args: {WORD: "${KIND:-worker}"}, target: make}
  database:
    image: nobody/database
"""
_EXTENDS = """
x-build: &build
  context: .
  labels: {org.example.kind: common}
services:
  base:
    image: ${IMAGE}-base
    build: {<<: *build, args: {WORD: base}}
  web:
    extends: base
    image: ${IMAGE}-web
    build: {args: {WORD: web}}
"""


def compose(text, **more):
    return {"compose.yaml": text, **more}


def service(build):
    return compose(f"services:\n  web:\n    image: ${{IMAGE}}\n    build:\n      context: .\n{build}\n")


_COMPOSE = [
    Case(f"--push {_META}", files=compose(_SERVICES), env=_IMAGE),
    Case(f"--push {_META} worker", files=compose(_SERVICES, **{".env": "KIND=from-env-file\n"}), env=_IMAGE),
    Case(f"--push {_META}", files=compose(_EXTENDS), env=_IMAGE),
    Case(
        f"--push {_META}",
        files=compose(
            "include: [sub/compose.yaml]\nservices: {}\n",
            **{
                "sub/compose.yaml": "services: {web: {image: '${IMAGE}', build: .}}\n",
                "sub/Dockerfile": "FROM scratch\nCOPY a /\n",
                "sub/a": "included",
            },
        ),
        env=_IMAGE,
    ),
    Case(
        f"--push {_META} web",
        files=hcl('target "web" { args = { WORD = "bake" } }', **compose(_SERVICES)),
        env=_IMAGE,
    ),
    Case(
        _LOCAL,
        files=service(f'      secrets: [s]\n      dockerfile_inline: "{_SECRET}"\nsecrets: {{s: {{file: word}}}}'),
        env=_IMAGE,
    ),
    Case(
        f"--push {_META}",
        files=service("      x-bake: {tags: ['${IMAGE}-extra'], platforms: linux/amd64}\n      args: {WORD: 1.50}"),
        env=_IMAGE,
    ),
    Case(
        f"--push {_META} web",
        files=compose(
            "services:\n  base: {build: {dockerfile_inline: \"FROM scratch\\nCOPY word /\"}}\n  web:\n    image: ${IMAGE}\n"
            "    build:\n      additional_contexts: {base: service:base}\n      dockerfile_inline: \"FROM base\\nCOPY word /2\"\n"
        ),
        env=_IMAGE,
    ),
    Case(
        _LOCAL,
        files=service(
            "      network: none\n      extra_hosts: [\"one=10.0.0.1\"]\n      shm_size: 64m\n"
            "      dockerfile_inline: \"FROM BASE AS a\\nRUN (ls /sys/class/net; grep one /etc/hosts) >/s\\n"
            "FROM scratch\\nCOPY --from=a /s /\""
        ),
        env=_IMAGE,
    ),
    Case(
        f"--push {_META}",
        files=compose(
            "x-args: &args {WORD: shared}\nservices:\n  api: &api\n    image: ${IMAGE}-api\n    profiles: [all]\n"
            "    build: &build {context: ., args: *args, labels: [a=b], platforms: [linux/amd64]}\n"
            "  worker:\n    <<: *api\n    image: ${IMAGE}-worker\n    profiles: []\n    build: {<<: *build, target: make}\n"
            "    depends_on: [cache]\n  cache: {image: nobody/cache}\n"
        ),
        env=_IMAGE,
    ),
    Case(
        f"-f compose.yaml -f compose.release.yaml --push {_META} web",
        files=compose(
            _SERVICES,
            **{
                "compose.release.yaml": "services:\n  web:\n    build:\n      args: {WORD: '${WORD:?say which}'}\n"
                "      tags: ['${IMAGE}-release']\n      no_cache: false\n"
            },
        ),
        env={**_IMAGE, "WORD": "release"},
    ),
    Case("", files=compose("services:\n  web: {build: [a, b]}\n"), says=("web", "build"), ours=("line 2",)),
]


# In the shape of what large public repositories have: one file for releases and checks, variants by a matrix, tags that
# a CI hands over in a file of its own, stages of one Dockerfile as targets.
_STAGES = """FROM BASE AS base
ARG VERSION
RUN : {image} CASE; echo "$VERSION" >/version
FROM base AS build
RUN echo built >/program
FROM scratch AS binaries
COPY --from=build /program /
FROM base AS test
RUN grep . /version
FROM base AS image
COPY --from=build /program /usr/bin/
"""
_RELEASE = """
variable "VERSION" { default = "0.0.0-dev" }
variable "IMAGE" {}
variable "LATEST" { default = false }
function "tags" {
  params = [name]
  result = concat(["${name}-v${VERSION}"], LATEST ? ["${name}-latest"] : [])
}
target "_common" {
  args = { VERSION = VERSION, BUILDKIT_CONTEXT_KEEP_GIT_DIR = 1 }
}
group "default" { targets = ["binaries", "image"] }
group "validate" { targets = ["test"] }
target "binaries" {
  inherits = ["_common"]
  target = "binaries"
}
target "test" {
  inherits = ["_common"]
  target = "test"
  output = ["type=cacheonly"]
}
target "image" {
  inherits = ["_common"]
  target = "image"
  tags = tags(IMAGE)
  labels = { "org.opencontainers.image.version" = VERSION }
}
"""
_VARIANTS = """
variable "IMAGE" {}
target "service" {
  name = "${svc}-${replace(flavour.name, ".", "-")}"
  matrix = {
    svc = ["api", "web"]
    flavour = [{ name = "1.0", word = "old" }, { name = "2.0", word = "new" }]
  }
  args = { WORD = "${svc} ${flavour.word}" }
  tags = ["${IMAGE}-${svc}-${flavour.name}"]
}
group "default" { targets = ["api-1-0", "api-2-0", "web-1-0", "web-2-0"] }
"""
_CI_TAGS = """
target "docker-metadata-action" {}
target "app" { inherits = ["docker-metadata-action"] }
"""
_CI_FILE = """{"target": {"docker-metadata-action": {"tags": ["${IMAGE}-sha", "${IMAGE}-main"],
  "labels": {"org.opencontainers.image.revision": "abc"}, "args": {"WORD": "main"}}},
  "variable": {"IMAGE": {}}}"""
_PUBLIC = [
    Case(f"--push {_META} image", files=hcl(_RELEASE, Dockerfile=_STAGES), env={**_IMAGE, "VERSION": "1.2.3", "LATEST": "1"}),
    Case("binaries --allow fs.write={out} --set *.output=type=local,dest={out}/o", files=hcl(_RELEASE, Dockerfile=_STAGES), env=_IMAGE),
    Case("validate", files=hcl(_RELEASE, Dockerfile=_STAGES), env=_IMAGE),
    Case(f"--push {_META}", files=hcl(_VARIANTS), env=_IMAGE),
    Case(f"-f docker-bake.hcl -f ci.json --push {_META} app", files=hcl(_CI_TAGS, **{"ci.json": _CI_FILE}), env=_IMAGE),
]


class Bake(InvocationTest):
    command = "bake"

    def test_projects_as_public_ones_are(self):
        self.play(_PUBLIC)

    def test_definitions(self):
        self.play(_DEFINITIONS)

    def test_fields(self):
        self.play(_FIELDS)

    def test_mistakes(self):
        self.play(_MISTAKES)

    def test_compose_files(self):
        self.play(_COMPOSE)


class BakeAlone(EndToEnd):
    def folder_of(self, definition, name="docker-bake.hcl", **more):
        dockerfile = f"FROM {self.rig['BASE']}\nCOPY word /word\nARG WORD\nRUN echo $WORD >/made\n"
        text = definition.replace("BASE", self.rig["BASE"])
        return self.context({name: text, "Dockerfile": dockerfile, "word": "content\n", **more})

    def bake(self, *args, cwd, **options):
        return self.run_plugin("bake", "--progress=plain", *args, cwd=cwd, **{"builder": "tls", **options})

    def test_lists_are_those_of_buildx(self):
        more = 'target "eight-is" { description = "of eight" }\ntarget "longer-than-two-tabs" {}\nvariable "SEVENTEEN_LETTERS" {}\n'
        folder = self.folder_of(_TWO + more)
        for args in (["--list", "targets"], ["--list", "variables"], ["--list", "type=variables,format=json"]):
            ours, theirs = (run("bake", *args, cwd=folder).stdout for run in (self.run_plugin, self.run_buildx))
            self.assertEqual(ours, theirs)

    def test_what_is_missing_says_where_it_may_be(self):
        folder = self.folder_of('target "app" {}\n', name="release.hcl")
        for args, said in (
            (["-f", "relaese.hcl"], "did you mean -f release.hcl?"),
            (["-f", "docker-bake.hcl"], "-f is relative to the working directory"),
            (["-f", "."], "-f names a file"),
            (["release.hcl"], "release.hcl is a file: give it by -f"),
            (["-f", "release.hcl"], 'name one, or write group "default"'),
            (["-f", "release.hcl", "x*"], "`bake --list targets` shows them"),
            (["-f", "release.hcl", "--set=a.tags=b"], "`bake --list targets` shows them"),
            (["-f", "word"], "is neither a compose file"),
        ):
            with self.subTest(args):
                self.assertIn(said, self.run_plugin("bake", "--print", *args, cwd=folder, check=1).stderr)
        named = self.run_plugin("bake", "--print", cwd=folder, env={"BUILDX_BAKE_FILE": "no.hcl"}, check=1).stderr
        self.assertIn("BUILDX_BAKE_FILE: ", named)
        subprocess.run([*GIT, "init", "-q", folder], check=True)
        (folder / "release.hcl").rename(folder / "docker-bake.hcl")
        (folder / "sub").mkdir()
        below = self.run_plugin("bake", "--print", cwd=folder / "sub", check=1).stderr
        self.assertIn(f"there is {folder}/docker-bake.hcl: run it in its folder", below)

    def test_a_variable_that_nobody_has(self):
        said = self.run_plugin("bake", "--print", "--var", "IMAGE=a:1", "--var", "IMGAE=b:1", cwd=self.folder_of(_TWO)).stderr
        self.assertIn("--var IMGAE has no effect", said)
        self.assertNotIn("IMAGE has", said)

    def test_what_has_no_effect_is_said(self):
        """docker buildx says nothing of it."""
        folder = self.folder_of('target "default" {\n  tag = ["a"]\n  args {\n    A = 1\n  }\n}\n')
        ours, theirs = (run("bake", "--print", cwd=folder) for run in (self.run_plugin, self.run_buildx))
        self.assertEqual(ours.stdout, theirs.stdout)
        self.assertEqual(
            ours.stderr,
            "note: target default: tag has no effect, did you mean tags?\n"
            "note: target default: the block args has no effect, write args = {\n",
        )

    def test_steps_say_their_target_and_the_group_is_loaded(self):
        image = self.image_name(tag="it")
        ran = self.bake("--load", cwd=self.folder_of(_TWO), engine="containerd", env={"IMAGE": image}, builder=None)
        self.assertRegex(ran.stderr, r"\[one .*RUN echo")
        self.assertRegex(ran.stderr, r"\[two .*RUN echo")
        for word, target in (("base", "one"), ("two", "two"), ("two", "too")):
            said = self.engine("containerd").run(f"{image}-{target}", "cat", "/made")
            self.assertIn(word, str(said))
            self.engine("containerd").remove(f"{image}-{target}")

    def test_folders_of_one_name_are_kept_apart(self):
        """Under the name of a context the builder keeps one copy: the targets would fill it in turns."""
        size = 500_000
        targets = "".join(f'target "t{i}" {{ contexts = {{ x = "./x{i}" }} }}\n' for i in range(3))
        folder = self.folder_of(targets, **{f"x{i}/large": os.urandom(size) for i in range(3)})
        (folder / "Dockerfile").write_text("FROM scratch\nCOPY --from=x large /\n")
        self.start_newest_engine()
        link = Link(self.rig["ENGINE_NEWEST"].removeprefix("unix://"), port=self.work / "engine.sock")
        self.addCleanup(link.close)
        outputs = [f"--set=t{i}.output=type=local,dest={folder}/out{i}" for i in range(3)]
        for most in (4 * size, size / 2):
            link.sent = 0
            self.bake(*outputs, "t0", "t1", "t2", cwd=folder, env={"DOCKER_HOST": link.url}, builder=None)
            self.assertLess(link.sent, most)
        for i in range(3):
            self.assertEqual((folder / f"out{i}/large").read_bytes(), (folder / f"x{i}/large").read_bytes())

    def test_a_shared_context_is_sent_once(self):
        """By whichever target needs it first, and also for those that are linked; each gets the files."""
        size = 3_000_000
        targets = "".join(f'target "t{i}" {{ args = {{ WORD = "{i}" }} }}\n' for i in range(3))
        targets += 'target "last" { contexts = { other = "target:t0" } }\n'
        folder = self.folder_of(targets, large=os.urandom(size))
        text = "COPY large /\nARG WORD\nRUN echo $WORD >/made; sleep 1\n"
        (folder / "Dockerfile").write_text(f"FROM {self.rig['BASE']}\n{text}")
        self.start_newest_engine()
        link = Link(self.rig["ENGINE_NEWEST"].removeprefix("unix://"), port=self.work / "engine.sock")
        self.addCleanup(link.close)
        args = ["--set=*.output=type=cacheonly", "t0", "t1", "t2", "last"]
        self.bake(*args, cwd=folder, env={"DOCKER_HOST": link.url}, builder=None)
        self.assertGreater(link.sent, size)
        self.assertLess(link.sent, 2 * size)

    def test_targets_that_take_different_files_get_their_context_once(self):
        """What all take is not sent with what each takes alone, nor sent again; the cache is that of single builds. A target
        with an ignore file of its own asks by itself, and one that is linked when the others have."""
        size = 500_000
        names = [f"t{i}" for i in range(3)]
        targets = "".join(f'target "{name}" {{ args = {{ PART = "{name}" }} }}\n' for name in names)
        targets += 'target "linked" {\n  args = { PART = "linked" }\n  contexts = { other = "target:t0" }\n}\n'
        targets += 'target "own" { dockerfile = "own.Dockerfile" }\n'
        files = {name: os.urandom(size) for name in ["shared", "linked", *names]}
        folder = self.folder_of(targets, **files)
        base = f"FROM {self.rig['BASE']}\n"
        (folder / "Dockerfile").write_text(f"{base}COPY shared /\nARG PART\nCOPY $PART /part\nRUN cmp /part /part && sleep 1\n")
        (folder / "own.Dockerfile").write_text(f"{base}COPY . /all\nRUN test -e /all/small -a ! -e /all/shared; sleep 1\n")
        (folder / "own.Dockerfile.dockerignore").write_text("\n".join([*files, ""]))
        (folder / "small").write_text("small\n")
        self.start_newest_engine()
        link = Link(self.rig["ENGINE_NEWEST"].removeprefix("unix://"), port=self.work / "engine.sock")
        self.addCleanup(link.close)
        here = {"cwd": folder, "env": {"DOCKER_HOST": link.url}, "builder": None}
        outputs = [f"--set={name}.output=type=oci,dest={self.work}/{name}" for name in [*names, "linked"]]
        bake = ["--provenance=false", *outputs, "--set=own.output=type=cacheonly", f"--metadata-file={self.work}/all.json"]
        bake += [f"--allow=fs.write={self.work}", *names, "linked", "own"]
        self.bake(*bake, **here)
        self.assertGreater(link.sent, 5 * size)
        self.assertLess(link.sent, 6.5 * size, "the linked one takes `shared` again, the others once")
        link.sent = 0
        self.bake(*bake, **here)
        self.assertLess(link.sent, size / 2)
        made = json.loads((self.work / "all.json").read_text())
        for name in ("t1", "linked"):
            one = ["--provenance=false", f"--build-arg=PART={name}", f"--metadata-file={self.work}/one.json"]
            built = self.build(*one, f"--output=type=oci,dest={self.work}/one", "--progress=plain", folder, **here)
            self.assertEqual(len(re.findall(r"\] (?:COPY|RUN) .*\n#\d+ CACHED", built.stderr)), 3, built.stderr)
            digest = json.loads((self.work / "one.json").read_text())["containerimage.digest"]
            self.assertEqual(digest, made[name]["containerimage.digest"])

    def test_no_more_run_at_once_than_are_wanted(self):
        folder = self.folder_of(_CROWD.replace("CROWD", self.image_name().split("/")[0]))
        self.bake("--max-parallel=2", "t", cwd=folder)
        seen = [int((folder / f"out/{n}/most").read_text()) for n in (1, 2, 3, 4)]
        self.assertEqual(max(seen), 2, seen)

    def test_what_stays_in_the_cache_is_said_once(self):
        said = self.bake(cwd=self.folder_of(_TWO), env={"IMAGE": "example/app:1"}).stderr
        self.assertEqual(len(re.findall("stays in the builder's cache", said)), 1)
        self.assertIn("one, two", said)

    def test_a_linked_image_without_files(self):
        folder = self.folder_of(
            'target "base" { dockerfile-inline = "FROM scratch\\nENV WORD=empty" }\n'
            'target "default" {\n  contexts = { base = "target:base" }\n'
            '  dockerfile-inline = "FROM base\\nCOPY word /$WORD"\n  output = ["out"]\n}\n'
        )
        self.bake(cwd=folder)
        self.assertEqual((folder / "out/empty").read_text(), "content\n")

    def test_what_was_allowed_is_read(self):
        outside = self.context({"file": "outside\n"})
        folder = self.folder_of(
            f'target "default" {{\n  contexts = {{ far = "{outside}" }}\n'
            '  dockerfile-inline = "FROM scratch\\nCOPY --from=far file /"\n  output = ["out"]\n}\n'
        )
        self.bake("--allow", f"fs.read={outside}", cwd=folder)
        self.assertEqual((folder / "out/file").read_text(), "outside\n")

    def test_nothing_else_is_read_however_it_is_worded(self):
        """Words that look like a place elsewhere, and are read on this machine."""
        outer = self.context({"secret/file": "secret\n", "secret/Dockerfile": "FROM scratch\nCOPY file /\n"})
        secret, url = outer / "secret", "http://127.0.0.1:9/a.git"
        folder = outer / "project"
        inline = 'dockerfile-inline = "FROM scratch\\nCOPY --from=far file /"'
        for place in ("https:", "a:", "x:y", "deep/er"):
            (folder / place).mkdir(parents=True)
        (folder / "link").symlink_to(folder / "deep/er")
        for field in (
            'context = "https://../../secret"',
            'context = "link/../../secret"',
            f'context = "{url}"\n  dockerfile = "{secret}/Dockerfile"',
            f'context = "{url}"\n  dockerfile = "cwd://{secret}/Dockerfile"',
            f'contexts = {{ far = "a://../../secret" }}\n  {inline}',
            f'contexts = {{ far = "cwd://a://../../secret" }}\n  {inline}',
            f'contexts = {{ far = "oci-layout://x:y/../../secret" }}\n  {inline}',
            f'contexts = {{ far = "oci-layout://x:y/../../secret:tag" }}\n  {inline}',
        ):
            with self.subTest(field):
                (folder / "docker-bake.hcl").write_text(f'target "default" {{\n  {field}\n  output = ["out"]\n}}\n')
                refused = self.bake(cwd=folder, check=1)
                self.assertIn("additional privileges requested", refused.stderr)
                self.assertIn(f"--allow fs.read={secret}", refused.stderr)
                self.assertFalse((folder / "out").exists())

    def test_links_of_a_definition_lead_nowhere_else(self):
        """What came with the sources must not show this machine's files, in no error and in no argument."""
        self.context({"mine": "WORD = t0ken-of-mine\n", "more.yaml": "services: {a: {build: .}}\n"}, name="elsewhere")
        sources = self.context({"ok": "", "sub/ok": ""}, name="sources")
        compose, service = sources / "compose.yaml", "    build: {context: ., args: [WORD]}\n"
        environment = {"JOB_TOKEN": "t0ken-of-job"}

        def refused(says, *args):
            result = self.run_plugin("bake", "--print", *args, cwd=sources, env=environment, check=1)
            self.assertIn(says, result.stderr)
            return result

        for target in ("/proc/self/environ", "../../elsewhere/mine", "/dev/zero"):
            for name, args in (("docker-bake.hcl", ()), ("sub/x.hcl", ("-f", "sub/x.hcl"))):
                with self.subTest(target=target, name=name):
                    link = sources / name
                    link.symlink_to(target)
                    refused(f"{link} is a symbolic link to {target}, which is outside of", *args)
                    link.unlink()
        (sources / "docker-bake.override.hcl").symlink_to("nowhere")
        refused("nowhere")  # it was meant to count
        (sources / "docker-bake.override.hcl").unlink()
        for text, path in (
            (f"services:\n  a:\n    env_file: ../elsewhere/mine\n{service}", "mine"),
            (f"services:\n  a:\n    env_file: {self.work}/elsewhere/mine\n{service}", "mine"),
            ("services: {a: {extends: {file: ../elsewhere/more.yaml, service: a}}}\n", "more.yaml"),
            ("include: [../elsewhere/more.yaml]\nservices: {}\n", "more.yaml"),
            (f"services:\n  a:\n{service}", ".env"),
        ):
            with self.subTest(text):
                compose.write_text(text)
                if path == ".env":
                    (sources / path).symlink_to("../elsewhere/mine")
                real = f"{self.work}/elsewhere/{path.replace('.env', 'mine')}"
                self.assertIn(f"--allow fs.read={real}\n", refused(f"is {real}, which is outside of").stderr)
                self.run_plugin("bake", "--print", f"--allow=fs.read={real}", cwd=sources)
        # Another directory of the same checkout is the sources' own.
        subprocess.run([*GIT, "init", "-q", self.work], check=True)
        self.run_plugin("bake", "--print", cwd=sources)
        # Nor is anything waited for, or read without an end.
        compose.unlink()
        os.mkfifo(compose)
        refused("compose.yaml is not a regular file")
        for result in self.results:
            self.assertEqual("t0ken-of-mine" in result.stdout, result.rc == 0 and '"WORD"' in result.stdout)
            self.assertNotIn("t0ken", result.stderr)

    def test_device_nodes_are_not_the_definitions_to_ask_for(self):
        output = 'output = ["type=local,dest=out,devices=true"]\n  dockerfile-inline = "FROM scratch\\nCOPY word /"'
        folder = self.folder_of(f'target "default" {{\n  {output}\n}}\n')
        refused = self.bake(cwd=folder, check=1)
        self.assertIn("give the line these flags: --allow depot.local.devices\n", refused.stderr)
        self.bake("--allow=depot.local.devices", cwd=folder)
        self.assertTrue((folder / "out/word").exists())

    def test_what_a_pipe_gives_is_for_one_use(self):
        """It is an error to want it twice: the second would find nothing."""
        folder = self.folder_of("")
        field = '{\n  dockerfile = "/dev/stdin"\n  output = ["type=cacheonly"]\n}\n'
        (folder / "two.hcl").write_text(f'target "a" {field}target "b" {field}')
        policy = {"EXPERIMENTAL_BUILDKIT_SOURCE_POLICY": "/dev/stdin"}
        for args, text, more, says in (
            (["-f", "-", "-f", "-"], 'target "a" {}', {}, "-f - has been read already"),
            (["-f", "/dev/stdin", "-f", "-"], 'target "a" {}', {}, "-f - has been read already"),
            (["-f", "two.hcl", "a", "b"], "FROM scratch\n", {}, "the pipe /dev/stdin is wanted twice"),
            (["-f", "two.hcl", "a"], _POLICY, policy, "the pipe /dev/stdin is wanted twice"),
        ):
            with self.subTest(args=args):
                read, write = os.pipe()
                os.write(write, text.encode())
                os.close(write)
                with open(read, "rb") as pipe:
                    result = self.bake(*args, "--allow=fs.read=*", cwd=folder, stdin=pipe, env=more, check=1)
                self.assertIn(says, result.stderr)

    def test_a_key_from_a_pipe(self):
        """It can be read once, and nothing of a definition that asks for more is read."""
        folder = self.folder_of(
            'target "default" {\n  ssh = ["default=key"]\n  output = ["out"]\n'
            '  dockerfile-inline = "FROM BASE\\nRUN --mount=type=ssh test -S $SSH_AUTH_SOCK && touch /made"\n}\n'
        )
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", self.work / "key"], check=True)
        os.mkfifo(folder / "key")
        text = (self.work / "key").read_text()
        threading.Thread(target=(folder / "key").write_text, args=(text,), daemon=True).start()
        self.bake(cwd=folder)
        self.assertTrue((folder / "out/made").exists())

    def test_a_definition_of_a_repository(self):
        definition = """target "default" { output = ["type=local,dest=out"] }
            target "sub" {
              inherits = ["default"]
              context = "sub"
            }
            target "here" {
              inherits = ["default"]
              context = "cwd://mine"
            }"""
        root = self.work / "served"
        dockerfile = "FROM scratch\nCOPY word /\n"
        files = {"docker-bake.hcl": definition, "plain.json": '{"target": {"default": {"args": {"A": "b"}}}}'}
        files |= {f"{folder}{name}": f"{folder}{text}" for folder in ("", "sub/") for name, text in (("word", "word"),)}
        files |= {"Dockerfile": dockerfile, "sub/Dockerfile": dockerfile}
        commit(root / "app", files)
        subprocess.run([*GIT, "clone", "-q", "--bare", root / "app", root / "app.git"], check=True, capture_output=True)
        server = GitServer(root)
        self.addCleanup(server.close)
        url = server.url("app.git")
        cwd = self.context({"mine/Dockerfile": dockerfile, "mine/word": "mine"})
        for target, word in (("default", "word"), ("sub", "sub/word"), ("here", "mine")):
            self.bake(url, target, cwd=cwd)
            self.assertEqual((cwd / "out/word").read_text(), word)
        for args in ([url, "sub"], [url, "-f", "plain.json"], [server.url("app/plain.json")]):
            ours = self.run_plugin("bake", "--print", *args, cwd=cwd, builder="tls").stdout
            theirs = self.run_buildx("bake", "--print", *args, cwd=cwd, builder="tls").stdout
            self.assertEqual(json.loads(ours), json.loads(theirs))
        self.assertIn("no/such.hcl", self.bake(url, "-f", "no/such.hcl", cwd=cwd, check=1).stderr)

    def test_hostile_definitions_end_soon(self):
        laugh = "x-0: &a0 [l, l, l, l, l, l, l, l, l, l]\n" + "".join(
            f"x-{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]\n" for i in range(1, 12)
        )
        matrix = 'target "default" {\n  name = "t-${a}-${b}"\n  matrix = { a = range(0, 1000), b = range(0, 1000) }\n}\n'
        doubles = 'v0 = "0123456789"\n' + "".join(f'v{i} = "${{v{i - 1}}}${{v{i - 1}}}"\n' for i in range(1, 60))
        targets = "".join(f'target "t{i}" {{}}\n' for i in range(10_001))
        parents = "".join(f'target "t{i}" {{ inherits = ["t{i + 1}"] }}\n' for i in range(5000))
        for name, text, said in (
            ("compose.yaml", laugh + "services: {a: {build: .}}\n", "too large"),
            ("docker-bake.hcl", matrix, "1000000 combinations"),
            ("docker-bake.hcl", "a = " + "[" * 100_000, "docker-bake.hcl"),
            ("docker-bake.json", '{"a": ' + "[" * 100_000, "docker-bake.json"),
            ("docker-bake.hcl", doubles, "docker-bake.hcl:"),
            ("docker-bake.hcl", targets, "at most 10000 targets"),
            ("docker-bake.hcl", parents + 'target "t5000" {}\n', "levels"),
            ("docker-bake.hcl", 'function "f" {\n  params = [a]\n  result = f(a)\n}\n', "needs itself"),
        ):
            with self.subTest(text[:40]):
                folder = self.folder_of(text, name=name)
                args = ["t0"] if said == "levels" else []
                self.assertIn(said, self.run_plugin("bake", "--print", *args, cwd=folder, check=1).stderr)

    def test_a_big_definition_is_all_there(self):
        """10,000 targets, and 2,000 lines of expressions."""
        folder = self.folder_of("".join(f'target "t{i}" {{ args = {{ N = {i} + 1 }} }}\n' for i in range(10_000)))
        printed = json.loads(self.run_plugin("bake", "--print", "t*", cwd=folder).stdout)
        self.assertEqual(len(printed["target"]), 10_000)
        self.assertEqual(printed["target"]["t9999"]["args"], {"N": "10000"})
