"""One command line through docker buildx and through us, on the same builder, and everything that can be seen of it.

    _TAGS = [
        Case("-t {image} --push ctx"),
        Case("-t UPPER --push ctx", says=("UPPER", "lowercase")),
    ]

    class Tags(InvocationTest):
        def test_tags(self):
            self.play(_TAGS)

Both programs run in a folder that holds the context `ctx`. They must succeed both or fail both, and leave the same:
images (by digest), files below {out} (trees, the digests of an OCI layout, what a metadata file has), and standard
output. SOURCE_DATE_EPOCH and no attestations make that reproducible: what one has built, the other finds cached.
"""

import dataclasses
import io
import json
import re
import shlex
import tarfile
import threading
import urllib.error
from concurrent.futures import ThreadPoolExecutor

import trees
from harness import FAILURES, EndToEnd, write_tree

# The last stage is small, so that what is exported is quick to compare.
DOCKERFILE = """FROM BASE AS make
ARG WORD=none
RUN : CASE; echo "$WORD" >/made
FROM scratch AS out
COPY --from=make /made /
COPY word /
"""
# Both programs wait most of the time.
_AT_ONCE = 4
# 100 and 102: what buildx says of errors inside of the builder.
_EXIT_CODES = {0, 125, *FAILURES}


@dataclasses.dataclass(frozen=True)
class Case:
    """A command line, what stands around it, and what both must say when it fails.

    words    what follows the command; {out} is a folder of each program's own, {image} a name of its own in the open
             registry, {name} one without a registry; also {registry}, {base}, {folder}, and what play() is given
    says     of a failure: patterns that the stderr of both matches, whatever the case. Never empty there
    ours     patterns of ours alone: where it says more, or refuses
    refused  why we refuse what they accept, or the other way round: results are not compared then
    extra    words that only ours gets
    files    what the context has besides DOCKERFILE and `word`; None takes a file away, BASE is the base image
    env      variables of both
    stdin    bytes
    ignore   what differs for a reason: "stdout", "digest" (of images), "inline cache" (which lists the keys that the
             builder knows of a step, more when other builds run beside), or the name of a file below {out}
    """

    words: str
    says: tuple = ()
    ours: tuple = ()
    refused: str = ""
    extra: str = ""
    files: dict = dataclasses.field(default_factory=dict)
    env: dict = dataclasses.field(default_factory=dict)
    stdin: bytes = None
    ignore: tuple = ()


@dataclasses.dataclass
class Metadata:
    """A metadata file: its keys, and what is the build's and not the run's. Ours may have more keys."""

    keys: set
    values: str


@dataclasses.dataclass
class Sight:
    """What was seen of one program: how it ended, what is in its folder, the digests of the images it was to make."""

    result: object
    left: dict
    images: list

    def stdout(self):
        data = self.result.stdout_bytes
        # Without an image buildx -q prints an empty line.
        return tar_content(data) if _is_tar(data) else data.decode(errors="replace").strip()


class InvocationTest(EndToEnd):
    """Derive from it; see the module. Bake files stand in the context, which is then where both programs run."""

    command = "build"

    def setUp(self):
        super().setUp()
        self._lock = threading.Lock()

    def play(self, cases, builder="plain", engine=None, **places):
        """Plays every case with both programs; fails with all that differ. `builder` and `engine` are those of
        run_plugin(), `places` are more {words}.
        """
        if builder:
            self._buildx_instance(builder, {"BUILDX_CONFIG": str(self.folder / "buildx")})
        places = {"registry": self.registry_host("open"), "base": self.rig["BASE"], **places}
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            plays = [
                pool.submit(self._play, number, case, {"builder": builder, "engine": engine}, places)
                for number, case in enumerate(cases)
            ]
        found = [(case, play.result()) for case, play in zip(cases, plays)]
        wrong = ["\n  ".join([f"{self.command} {case.words}", *lines]) for case, lines in found if lines]
        if wrong:
            self.fail(f"{len(wrong)} of {len(cases)} differ:\n" + "\n\n".join(wrong))

    def _play(self, number, case, where, places):
        folder = self.work / f"case{number}"
        # BuildKit 0.13 ends in a panic (solver.walkProvenance) when it merges equal steps of builds that run at once:
        # each case has steps of its own. A `word` of its own length, since files of several contexts that are written
        # within one tick of the clock have the same time, and the builder takes them for the same.
        files = {
            "Dockerfile": DOCKERFILE.replace("CASE", f"{number} {self._token}"),
            "word": f"word{' again' * number}\n",
            **case.files,
        }
        write_tree(folder / "ctx", {name: self._content(text) for name, text in files.items() if text is not None})
        theirs = self._run(self.run_buildx, "theirs", number, case, folder, where, places)
        ours = self._run(self.run_plugin, "ours", number, case, folder, where, places)
        lines = self._endings(case, ours.result, theirs.result)
        if not case.refused:
            lines += self._results(case, ours, theirs)
        if lines:
            lines += [f"ours: {_tail(ours.result.stderr)}", f"theirs: {_tail(theirs.result.stderr)}"]
        return lines

    def _content(self, text):
        return text.replace("BASE", self.rig["BASE"]) if isinstance(text, str) else text

    def _start(self, *args):
        with self._lock:
            return super()._start(*args)

    def _run(self, run, program, number, case, folder, where, places):
        out = folder / program
        out.mkdir()
        # Of the same length for both, since texts are cut and broken by length.
        name = f"e2e-{self._token}/case{number}:{program[:4]}"
        places = {**places, "out": out, "name": name, "image": f"{places['registry']}/{name}", "folder": folder}

        def filled(text):
            return text and re.sub(r"\{(\w+)\}", lambda match: str(places[match[1]]), text)

        env = {"SOURCE_DATE_EPOCH": "1000000000", "BUILDX_CONFIG": str(self.folder / "buildx"), **case.env}
        env = {name: filled(value) for name, value in env.items()}
        words = [filled(word) for word in shlex.split(f"{case.words} {case.extra if program == 'ours' else ''}")]
        cwd = folder / "ctx" if self.command == "bake" else folder
        result = run(self.command, *words, check=None, env=env, stdin=case.stdin, cwd=cwd, **where)
        left = {path.name: content_of(path) for path in sorted(out.iterdir())}
        names = re.findall(rf"(?:[\w.:]+/)?e2e-{self._token}/case\d+:\w+(?:-\w+)?", " ".join(words))
        seen = self._without_cache if "inline cache" in case.ignore else self._digest
        images = [seen(name, where["engine"]) for name in sorted(set(names))]
        return Sight(result, left, images)

    def _digest(self, image, engine):
        """The digest in the registry, else the ID in the engine, else None."""
        if image.startswith(self.registry_host("open")):
            try:
                return self.repository(image).digest(self.tag_of(image))
            except urllib.error.HTTPError:
                return None
        found = self.engine(engine).inspect(image) if engine else None
        if found:
            self.engine(engine).remove(image)
        return found and found["Id"]

    def _without_cache(self, image, engine):
        """The configuration of an image in the registry; the cache inside must be there, whatever it says."""
        repository = self.repository(image)
        manifest = repository.document(self.tag_of(image))
        config = json.loads(repository.blob(manifest["config"]["digest"]))
        self.assertTrue(config.pop("moby.buildkit.cache.v0"))
        return json.dumps([config, manifest["layers"]])

    def _endings(self, case, ours, theirs):
        lines = []
        for name, result, patterns in (("ours", ours, case.says + case.ours), ("theirs", theirs, case.says)):
            if result.rc not in _EXIT_CODES:
                lines.append(f"{name}: exit code {result.rc}")
            for pattern in patterns:
                if not re.search(pattern, result.stderr, re.IGNORECASE):
                    lines.append(f"{name} does not say {pattern!r}")
        if ((ours.rc == 0) == (theirs.rc == 0)) == bool(case.refused):
            lines.append(f"exit code: ours {ours.rc}, theirs {theirs.rc}")
        if ours.rc and not case.says + case.ours:
            lines.append("fails, and the case does not say with which words")
        return lines

    def _results(self, case, ours, theirs):
        lines = []
        if "stdout" not in case.ignore:
            lines += self._difference("stdout", ours.stdout(), theirs.stdout())
        if "digest" not in case.ignore:
            lines += self._difference("images", repr(ours.images), repr(theirs.images))
        lines += self._difference("files", repr(sorted(ours.left)), repr(sorted(theirs.left)))
        for name in sorted((ours.left.keys() & theirs.left.keys()) - set(case.ignore)):
            lines += self._difference(name, ours.left[name], theirs.left[name])
        return lines

    def _difference(self, name, ours, theirs):
        if isinstance(ours, dict) and isinstance(theirs, dict):
            return [f"{name}: {line}" for line in trees.differences(theirs, ours)]
        if isinstance(ours, Metadata) and isinstance(theirs, Metadata):
            if theirs.keys - ours.keys:
                return [f"{name} lacks {sorted(theirs.keys - ours.keys)}"]
            ours, theirs = ours.values, theirs.values
        pair = [self._plain(seen) for seen in (ours, theirs)]
        return [] if pair[0] == pair[1] else [f"{name}: ours {_short(pair[0])}", f"{name}: theirs {_short(pair[1])}"]

    def _plain(self, seen):
        """What was seen without what each program has of its own: its image, its folder."""
        text = seen if isinstance(seen, str) else repr(seen)
        text = re.sub(rf"(e2e-{self._token}/case\d+:)(ours|thei)", r"\1it", text)
        return re.sub(r"/(ours|theirs)\b", "/it", text)


def content_of(path):
    """What a program left, in a form that can be compared: a tree, a Metadata, or text."""
    if path.is_dir():
        index = path / "index.json"
        return _digests(json.loads(index.read_text())) if index.exists() else trees.tree_of(path)
    data = path.read_bytes()
    if _is_tar(data):
        return tar_content(data)
    text = data.decode(errors="replace")
    return _metadata(json.loads(text)) if text.startswith("{") else text


def tar_content(data):
    """The tree of a tar; of an OCI layout what its index lists."""
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        found = {m.name.removeprefix("./"): archive.extractfile(m).read() for m in archive if m.isfile()}
    if "index.json" not in found:
        return trees.tree_of_tar(data)
    kept = sorted(name for name in found if not name.startswith("blobs/"))
    tags = [sorted(entry["RepoTags"] or []) for entry in json.loads(found.get("manifest.json", "[]"))]
    return repr((kept, tags, _digests(json.loads(found["index.json"]))))


def _is_tar(data):
    return b"ustar" in data[:512]


def _digests(index):
    """What an index.json lists; its annotations name the image, which is each program's own."""
    return repr([(one["mediaType"], one["digest"], sorted(one.get("annotations", {}))) for one in index["manifests"]])


def _metadata(document):
    """Of bake the same, target by target: names of keys have a dot, those of targets have none."""
    flat = {}
    for name, value in document.items():
        flat.update({name: value} if "." in name else {f"{name} {key}": value[key] for key in value})
    kept = ("containerimage.digest", "image.name")
    values = {name: value for name, value in flat.items() if name.endswith(kept)}
    return Metadata(set(flat), json.dumps(values, sort_keys=True))


def _tail(stderr):
    return "\n    ".join([line for line in stderr.splitlines() if line.strip()][-6:])


def _short(text):
    return text if len(text) < 1200 else f"{text[:600]} ... {text[-600:]}"
