"""Existing script lines through the alias, through the link and through docker buildx: see script_lines."""

from script_lines import Lines, ScriptTest

_OURS_AND_BUILDX = ("link", "buildx")

_RUN = [
    Lines("docker build -t $IMAGE . && docker run --rm $IMAGE", "hello"),
    Lines("docker build . --tag $IMAGE:v1\ndocker run --rm $IMAGE:v1", "hello"),
    Lines("docker image build -t $IMAGE .\ndocker run --rm $IMAGE cat /version", "version dev"),
    Lines("docker builder build -t $IMAGE .\ndocker run --rm $IMAGE cat /version", "version dev"),
    Lines("docker build --pull --no-cache -t $IMAGE ./app && docker run --rm $IMAGE", "app"),
    Lines("docker build -t $IMAGE -f docker/Dockerfile.ci . && docker run --rm $IMAGE", "hello"),
    Lines("docker build --file=Dockerfile --tag=$IMAGE --build-arg=VERSION=7 .\ndocker run --rm $IMAGE cat /version", "version 7"),
    Lines("export VERSION=8\ndocker build --build-arg VERSION -t $IMAGE . && docker run --rm $IMAGE cat /version", "version 8"),
    Lines("docker build --target test -t $IMAGE . && docker run --rm $IMAGE", "tested"),
    Lines("cd app && docker build -t $IMAGE . > /dev/null 2>&1 && docker run --rm $IMAGE", "app"),
    Lines("DOCKER_BUILDKIT=1 docker build --progress=plain -t $IMAGE . 2>&1 | grep -c 'COPY hello'", r"[1-9]"),
    Lines('docker build -t "$IMAGE" - <<EOF\nFROM $BASE\nRUN echo piped >/p\nCMD cat /p\nEOF\ndocker run --rm "$IMAGE"', "piped"),
    Lines("docker build -t $IMAGE - < Broken.Dockerfile || echo broken", "broken"),
    Lines("tar -c Dockerfile hello | docker build -t $IMAGE - && docker run --rm $IMAGE", "hello"),
    Lines("cat docker/Dockerfile.ci | docker build -t $IMAGE -f- . && docker run --rm $IMAGE", "hello"),
]

_IDS = [
    Lines('ID=$(docker build -q .)\ndocker run --rm "$ID"', "hello"),
    Lines("docker run --rm $(docker build -q app)", "app"),
    Lines("docker run --rm `docker build --quiet --target test .`", "tested"),
    Lines("ID=$(docker build -q -t $IMAGE .)\ntest $ID = $(docker inspect --format '{{.Id}}' $IMAGE) && echo same", "same"),
    Lines("docker build --iidfile id -t $IMAGE . && docker run --rm $(cat id)", "hello"),
    Lines("docker build --iidfile=id . >/dev/null && docker tag $(cat id) $IMAGE:t && docker run --rm $IMAGE:t", "hello"),
    Lines("docker create --name ${IMAGE##*/} $(docker build -q .) >/dev/null\ndocker cp ${IMAGE##*/}:/hello out; docker rm ${IMAGE##*/} >/dev/null; cat out", "hello"),
    Lines("docker tag $(docker build -q .) $IMAGE:a && docker push -q $IMAGE:a", "IMAGE:a"),
    Lines("set -o pipefail; docker build -q . | grep -cE '^sha256:[0-9a-f]{64}$'", "1"),
    Lines("docker build -q -t $IMAGE . >/dev/null && docker images -q $IMAGE | grep -c .", "1"),
]

_PUSHES = [
    Lines("docker build -t $IMAGE:1 -t $IMAGE:latest . && docker push -q $IMAGE:1 && docker push -q $IMAGE:latest", "IMAGE:latest"),
    Lines("docker build -t $IMAGE . && docker tag $IMAGE $IMAGE:stable && docker push -q --all-tags $IMAGE", "IMAGE"),
    Lines("docker build -t $IMAGE .; docker push -q $IMAGE; docker rmi $IMAGE >/dev/null; docker run --rm -q $IMAGE cat /version 2>/dev/null || docker run --rm $IMAGE cat /version", "version dev"),
    Lines("docker pull $IMAGE:cache 2>/dev/null || true\ndocker build --cache-from $IMAGE:cache -t $IMAGE:cache . && docker push -q $IMAGE:cache", "IMAGE:cache"),
    Lines("docker build --push -t $IMAGE . && docker pull -q $IMAGE && docker run --rm $IMAGE", "hello"),
    Lines("docker build --cache-to type=inline --push -t $IMAGE . && docker build --cache-from type=registry,ref=$IMAGE -t $IMAGE:2 . && docker run --rm $IMAGE:2", "hello"),
    Lines("docker build -t $IMAGE . && docker save $IMAGE | gzip > image.tar.gz && docker rmi $IMAGE >/dev/null && gunzip -c image.tar.gz | docker load -q && docker run --rm $IMAGE", "hello"),
    Lines("docker build -t $IMAGE . && docker save -o image.tar $IMAGE && tar -tf image.tar | grep -c '^manifest.json$'", "1"),
    Lines("for part in app docker; do docker build -q -t $IMAGE:$part $([ $part = app ] && echo app || echo '-f docker/Dockerfile.ci .') >/dev/null; done; docker run --rm $IMAGE:app; docker run --rm $IMAGE:docker", "app\nhello"),
    Lines("docker build -t $IMAGE . && docker rmi $IMAGE >/dev/null && echo removed", "removed"),
]

_FLAGS = [
    Lines("docker build --rm=true --force-rm -t $IMAGE . && docker run --rm $IMAGE", "hello"),
    Lines("docker build -m 512m --memory-swap 1g -t $IMAGE . && docker run --rm $IMAGE", "hello"),
    Lines("docker build -c 512 --cpu-period 100000 --cpu-quota 50000 --cpuset-cpus 0 -t $IMAGE . && docker run --rm $IMAGE", "hello"),
    Lines("docker build --compress --squash --isolation default --security-opt label=disable -t $IMAGE . && docker run --rm $IMAGE", "hello"),
    Lines("docker build --network host --add-host a.test:127.0.0.9 --shm-size 64m --ulimit nofile=1024 -t $IMAGE . && docker run --rm $IMAGE", "hello"),
    Lines("docker build --label a=b --label org.example.commit=123 -t $IMAGE . && docker inspect -f '{{.Config.Labels.a}} {{index .Config.Labels \"org.example.kind\"}}' $IMAGE", "b app"),
    Lines("docker build --platform linux/amd64 -t $IMAGE . && docker inspect -f '{{.Os}}/{{.Architecture}}' $IMAGE", "linux/amd64"),
    Lines("export DOCKER_DEFAULT_PLATFORM=linux/amd64\ndocker build -t $IMAGE . && docker run --rm $IMAGE", "hello"),
    Lines("docker build --provenance=false --sbom=false -t $IMAGE . && docker run --rm $IMAGE", "hello"),
    Lines("printf 'FROM %s\\nRUN --mount=type=secret,id=s wc -c </run/secrets/s >/n\\nCMD cat /n\\n' $BASE >S && docker build --secret id=s,src=secret.txt -f S -t $IMAGE . && docker run --rm $IMAGE", "7"),
    Lines("docker build --no-cache-filter app -t $IMAGE . && docker run --rm $IMAGE", "hello"),
    Lines("docker --log-level error build -t $IMAGE . && docker run --rm $IMAGE", "hello"),
    Lines("docker build --ulimit nofile=2048:4096 --build-arg BUILDKIT_INLINE_CACHE=1 -t $IMAGE . && docker history -q $IMAGE | wc -l", r"[1-9]"),
]

_ENDINGS = [
    Lines("docker build -f Broken.Dockerfile -t $IMAGE . || echo failed with $?", "failed with 1"),
    Lines("docker build -f Broken.Dockerfile .", rc=1),
    Lines("docker build -f Broken.Dockerfile . 2>&1 | grep -q seen && echo shown", "shown"),
    Lines("docker build -t $IMAGE --no-such-flag . ", rc=125),
    Lines("docker build -t UPPER . && echo wrong", rc=None),
    Lines("docker build nowhere", rc=1),
    Lines("if docker build --target nothing . 2>/dev/null; then echo wrong; else echo right; fi", "right"),
    Lines("docker build --output type=local,dest=out --target app . && cat out/hello", "hello"),
    Lines("docker build -o out . && cat out/version", "version dev"),
    Lines("docker build -o - . | tar -xO hello", "hello"),
    Lines("docker build -o type=tar,dest=out.tar . && tar -xOf out.tar version", "version dev"),
    Lines("docker build --quiet --output=out app >/dev/null && ls out | grep -c word", "1"),
]

# What asks the Engine for the image by its id, as Testcontainers does.
_CLIENT = r"""
import http.client, json, os, socket, subprocess
image = subprocess.run(["docker", "build", "-q", "."], check=True, capture_output=True, text=True).stdout.strip()

class Engine(http.client.HTTPConnection):
    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(os.environ["DOCKER_HOST"].removeprefix("unix://"))

def ask(method, path, body=None):
    engine = Engine("localhost")
    engine.request(method, path, json.dumps(body) if body else None, {"Content-Type": "application/json"})
    answer = engine.getresponse()
    data = answer.read()
    assert answer.status < 300, (path, answer.status, data)
    return data

assert json.loads(ask("GET", f"/images/{image}/json"))["Config"]["Labels"]["org.example.kind"] == "app"
made = json.loads(ask("POST", "/containers/create", {"Image": image, "Tty": True, "HostConfig": {"NetworkMode": "none"}}))["Id"]
try:
    ask("POST", f"/containers/{made}/start")
    print("ended with", json.loads(ask("POST", f"/containers/{made}/wait"))["StatusCode"])
    print(ask("GET", f"/containers/{made}/logs?stdout=1").decode().strip())
finally:
    ask("DELETE", f"/containers/{made}?force=1")
"""

_USERS = [
    Lines("printf 'ID = $(shell docker build -q .)\\nall:\\n\\t@docker run --rm $(ID)\\n' >Makefile && make", "hello"),
    Lines("printf '.PHONY: run\\nrun: id\\n\\t@docker run --rm $$(cat id)\\nid: Dockerfile\\n\\t@docker build -q . >$@\\n' >Makefile && make -s run && make -s run", "hello\nhello"),
    Lines("cat >run.sh <<'EOF'\n#!/bin/sh -eu\nimage=`docker build -q ${1:-.}` || exit 9\n[ -n \"$image\" ]\nexec docker run --rm \"$image\"\nEOF\nsh run.sh app; sh run.sh", "app\nhello"),
    Lines("sh -c 'ID=$(docker build -q -f Broken.Dockerfile . 2>/dev/null) || { echo \"no image, $?: [$ID]\"; exit 7; }'", r"no image, 1: \[\]", rc=7),
    Lines(f"python3 - <<'EOF'{_CLIENT}EOF", "ended with 0\nhello"),
]

_BUILDX = [
    Lines("docker buildx build --load -t $IMAGE . && docker run --rm $IMAGE", "hello", ways=_OURS_AND_BUILDX),
    Lines("docker buildx build --push -t $IMAGE . && docker run --rm $IMAGE", "hello", ways=_OURS_AND_BUILDX),
    Lines("docker buildx build --platform linux/amd64 -t $IMAGE --output type=docker . && docker run --rm $IMAGE", "hello", ways=_OURS_AND_BUILDX),
    Lines("docker buildx build -t $IMAGE -o type=docker,dest=- . | docker load -q && docker run --rm $IMAGE", "hello", ways=_OURS_AND_BUILDX),
    Lines("docker buildx build -t $IMAGE -o type=oci,dest=image.tar . && tar -tf image.tar | grep -c '^index.json$'", "1", ways=_OURS_AND_BUILDX),
    Lines("docker buildx b --load -t $IMAGE app && docker run --rm $IMAGE", "app", ways=_OURS_AND_BUILDX),
    Lines("docker buildx build --push -t $IMAGE --metadata-file meta.json . && grep -c '\"containerimage.digest\": \"sha256:' meta.json", "1", ways=_OURS_AND_BUILDX),
    Lines("docker buildx build --push -t $IMAGE --cache-to type=registry,ref=$IMAGE:c,mode=max . && docker buildx build --load --cache-from type=registry,ref=$IMAGE:c -t $IMAGE:2 . && docker run --rm $IMAGE:2", "hello", ways=_OURS_AND_BUILDX),
    Lines("docker run --rm $(docker buildx build -q --load .)", "hello", ways=_OURS_AND_BUILDX),
    Lines("docker buildx build --no-cache --target test -o type=cacheonly . && echo tested", "tested", ways=_OURS_AND_BUILDX),
    Lines("docker buildx version | grep -oE 'v?0\\.29\\.1' | head -1 | tr -d v", "0.29.1", ways=_OURS_AND_BUILDX),
    Lines("docker buildx build -f Broken.Dockerfile .", rc=1, ways=_OURS_AND_BUILDX),
]


class ScriptLines(ScriptTest):
    def test_build_and_run(self):
        self.play(_RUN[::2])

    def test_build_and_run_more(self):
        self.play(_RUN[1::2])

    def test_image_ids(self):
        self.play(_IDS[::2])

    def test_image_ids_more(self):
        self.play(_IDS[1::2])

    def test_users_of_an_image_id(self):
        self.play(_USERS)

    def test_push_save_and_tag(self):
        self.play(_PUSHES[::2])

    def test_push_save_and_tag_more(self):
        self.play(_PUSHES[1::2])

    def test_flags(self):
        self.play(_FLAGS[::2])

    def test_flags_more(self):
        self.play(_FLAGS[1::2])

    def test_endings(self):
        self.play(_ENDINGS[::2])

    def test_endings_more(self):
        self.play(_ENDINGS[1::2])

    def test_buildx(self):
        self.play(_BUILDX[::2])

    def test_buildx_more(self):
        self.play(_BUILDX[1::2])

    def test_there_are_sixty(self):
        self.assertGreaterEqual(sum(map(len, (_RUN, _IDS, _PUSHES, _FLAGS, _ENDINGS, _BUILDX))), 60)


class ContainerdStore(ScriptTest):
    """The same where an image is known by the digest of its manifest."""

    engine_name = "containerd"

    def test_image_ids_are_digests(self):
        self.play(_IDS[::2])
