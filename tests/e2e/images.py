"""Images where a build put them: in a registry, in a local engine, in an OCI layout."""

import base64
import http.client
import json
import socket
import tarfile
import time
import urllib.error
import urllib.parse
import urllib.request

_MEDIA_TYPES = ", ".join(
    [
        "application/vnd.oci.image.index.v1+json",
        "application/vnd.oci.image.manifest.v1+json",
        "application/vnd.docker.distribution.manifest.list.v2+json",
        "application/vnd.docker.distribution.manifest.v2+json",
    ]
)


class ImageSource:
    """What a repository and an OCI layout have in common; `document` and `blob` are theirs."""

    def manifest(self, reference="latest", platform="linux/amd64"):
        """The image manifest, of `platform` when the reference names an index."""
        found = self.document(reference)
        if "manifests" not in found:
            return found
        system, _, architecture = platform.partition("/")
        for entry in found["manifests"]:
            said = entry.get("platform")
            if not said or (said["os"], said["architecture"]) == (system, architecture):
                return self.manifest(entry["digest"], platform)
        raise AssertionError(f"no {platform} in {json.dumps(found, indent=1)}")

    def config(self, reference="latest", platform="linux/amd64"):
        return json.loads(self.blob(self.manifest(reference, platform)["config"]["digest"]))

    def diff_ids(self, reference="latest", platform="linux/amd64"):
        return self.config(reference, platform)["rootfs"]["diff_ids"]

    def layers(self, reference="latest", platform="linux/amd64"):
        """The layers as they are stored (tar or tar.gz), lowest first."""
        return [
            self.blob(layer["digest"]) for layer in self.manifest(reference, platform)["layers"]
        ]


class Repository(ImageSource):
    """A repository in one of the rig's registries. `login` is "user:password" or None."""

    def __init__(self, host, name, login=None):
        self._base = f"http://{host}/v2/{name}/"
        self._name = name
        self._login = login
        self._authorization = {}

    def document(self, reference):
        """A manifest or index as JSON; urllib.error.HTTPError 404 when there is none."""
        return json.loads(self._get(f"manifests/{reference}")[1])

    def digest(self, reference):
        return self._get(f"manifests/{reference}")[0]["Docker-Content-Digest"]

    def media_type(self, reference):
        return self._get(f"manifests/{reference}")[0]["Content-Type"]

    def has(self, reference):
        try:
            self.document(reference)
            return True
        except urllib.error.HTTPError as error:
            if error.code == 404:
                return False
            raise

    def blob(self, digest):
        return self._get(f"blobs/{digest}")[1]

    def _get(self, place, again=True):
        headers = {"Accept": _MEDIA_TYPES, **self._authorization}
        try:
            with urllib.request.urlopen(
                urllib.request.Request(self._base + place, headers=headers)
            ) as reply:
                return reply.headers, reply.read()
        except urllib.error.HTTPError as error:
            if error.code != 401 or not again or not self._login:
                raise
            self._authorize(error.headers["WWW-Authenticate"])
            return self._get(place, again=False)

    def _authorize(self, challenge):
        basic = {"Authorization": "Basic " + base64.b64encode(self._login.encode()).decode()}
        scheme, _, rest = challenge.partition(" ")
        if scheme.lower() == "basic":
            self._authorization = basic
            return
        fields = urllib.request.parse_keqv_list(urllib.request.parse_http_list(rest))
        query = {"service": fields["service"], "scope": f"repository:{self._name}:pull"}
        url = f"{fields['realm']}?{urllib.parse.urlencode(query)}"
        with urllib.request.urlopen(urllib.request.Request(url, headers=basic)) as reply:
            self._authorization = {"Authorization": "Bearer " + json.load(reply)["token"]}


class OciLayout(ImageSource):
    """An OCI image layout in a tar (a path). The reference "latest" is what index.json lists."""

    def __init__(self, path):
        with tarfile.open(path) as tar:
            self.files = {
                m.name.removeprefix("./"): tar.extractfile(m).read() for m in tar if m.isfile()
            }

    def document(self, reference):
        if reference == "latest":
            return json.loads(self.files["index.json"])
        return json.loads(self.blob(reference))

    def blob(self, digest):
        return self.files["blobs/" + digest.replace(":", "/")]


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path, timeout=60):
        super().__init__("docker", timeout=timeout)
        self._path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


class Engine:
    """The API of one of the rig's engines."""

    def __init__(self, address):
        self.address = address
        self._path = address.removeprefix("unix://")

    def request(self, method, path, body=None):
        """(status, body) of one call."""
        connection = UnixConnection(self._path)
        try:
            connection.request(method, path, body)
            reply = connection.getresponse()
            return reply.status, reply.read()
        finally:
            connection.close()

    def inspect(self, image):
        """The image as the engine describes it, or None."""
        status, body = self.request("GET", f"/images/{urllib.parse.quote(image, safe='/:@')}/json")
        return json.loads(body) if status == 200 else None

    def images(self):
        return json.loads(self.request("GET", "/images/json")[1])

    def remove(self, image):
        self.request("DELETE", f"/images/{urllib.parse.quote(image, safe='/:@')}?force=1")

    def save(self, image):
        """The image as `docker save` writes it: a tar."""
        return self.request("GET", f"/images/get?names={urllib.parse.quote(image)}")[1]

    def run(self, image, *command, seconds=30):
        """Runs a command in a container without network; (exit code, output)."""
        body = {"Image": image, "Cmd": command, "Tty": True, "HostConfig": {"NetworkMode": "none"}}
        status, created = self._json("POST", "/containers/create", body)
        if status != 201:
            raise AssertionError(f"no container of {image}: {created}")
        place = f"/containers/{created['Id']}"
        try:
            status, started = self.request("POST", f"{place}/start")
            if status != 204:
                raise AssertionError(f"{image} does not start: {started.decode()}")
            end = time.monotonic() + seconds
            while self._json("GET", f"{place}/json")[1]["State"]["Running"]:
                if time.monotonic() > end:
                    raise AssertionError(f"{image} still runs after {seconds} s")
                time.sleep(0.05)
            output = self.request("GET", f"{place}/logs?stdout=1&stderr=1")[1].decode()
            return self._json("GET", f"{place}/json")[1]["State"]["ExitCode"], output.replace(
                "\r\n", "\n"
            )
        finally:
            self.request("DELETE", f"{place}?force=1")

    def _json(self, method, path, body=None):
        connection = UnixConnection(self._path)
        try:
            headers = {"Content-Type": "application/json"}
            connection.request(method, path, json.dumps(body) if body else None, headers)
            reply = connection.getresponse()
            return reply.status, json.loads(reply.read())
        finally:
            connection.close()
