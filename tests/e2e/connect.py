"""The Depot API's messages and the Connect protocol, as a test needs them: no generated code.

Messages are dicts: only fields that are there, lists for repeated fields, dicts for maps. Unknown
fields are kept as "field NUMBER". Names and numbers are the wire format (depot/cli
proto/depot/cli/v1/build.proto, v1beta1/login.proto, v1beta1/projects.proto, build/v1/registry.proto;
buf.build/depot/api core/v1/project.proto); the framing is
connectrpc.com/docs/protocol.
"""

import http.client
import json
import ssl
import struct
import urllib.parse

# NAME: "NUMBER field TYPE, ...": no type is a string, * is repeated, {} a map of strings.
MESSAGES = {
    "CreateBuildRequest": "1 project_id, 2 options *BuildOptions, 3 required_engine Engine",
    "BuildOptions": "1 command int, 2 tags *, 3 outputs *BuildOutput, 4 push bool, 5 load bool,"
    " 6 target_name, 7 lint bool, 8 save bool, 9 save_tags *",
    "BuildOutput": "1 kind, 2 attributes {}",
    "Engine": "1 buildkit Empty, 2 dagger Dagger",
    "Dagger": "1 version",
    "CreateBuildResponse": "1 build_id, 2 build_token, 3 registry Registry, 4 profiler Profiler,"
    " 5 build_url, 6 project_id, 7 additional_credentials *Credential, 8 additional_tags *Tag",
    "Registry": "1 can_use_local_registry bool, 2 proxy_image, 3 load_using_registry bool",
    "Profiler": "1 token",
    "Credential": "1 host, 2 token",
    "Tag": "1 tag, 2 push bool",
    "GetBuildRequest": "1 build_id",
    "GetBuildResponse": "1 build_id, 2 project_id, 3 build_url",
    "FinishBuildRequest": "1 build_id, 2 success Empty, 3 error BuildError, 4 canceled Empty",
    "BuildError": "1 error",
    "GetBuildKitConnectionRequest": "1 build_id, 2 platform int",
    "GetBuildKitConnectionResponse": "1 pending Pending, 2 active Active",
    "Pending": "1 wait_ms int",
    "Active": "1 endpoint, 2 server_name, 3 cert Cert, 4 ca_cert Cert, 5 identity Empty,"
    " 6 gzip Empty",
    "Cert": "1 cert, 2 key",
    "ReportBuildHealthRequest": "1 build_id, 2 platform int",
    "ReportBuildHealthResponse": "1 cancels_at Timestamp",
    "Timestamp": "1 seconds int, 2 nanos int",
    "ReportStatusStreamRequest": "1 build_id, 2 statuses *Status, 3 stable_digests {}",
    "Status": "1 vertexes *Vertex",
    "Vertex": "1 digest, 2 inputs *, 3 name, 4 cached bool, 5 started Timestamp,"
    " 6 completed Timestamp, 7 error",
    "ListBuildsRequest": "1 project_id, 2 page_size int, 3 page_token",
    "ListBuildsResponse": "1 builds *ListedBuild, 2 next_page_token",
    "ListedBuild": "1 id, 2 status int, 4 created_at Timestamp, 5 finished_at Timestamp",
    "GetPullInfoRequest": "1 build_id",
    "GetPullInfoResponse": "1 reference, 2 username, 3 password, 4 options *BuildOptions,"
    " 5 save_for_load bool",
    "GetPullTokenRequest": "1 project_id, 2 build_id",
    "GetPullTokenResponse": "1 token",
    "StartLoginRequest": "",
    "StartLoginResponse": "1 id, 2 approve_url",
    "FinishLoginRequest": "1 id",
    "FinishLoginResponse": "1 token",
    "ListProjectsRequest": "",
    "ListProjectsResponse": "1 projects *Project",
    "Project": "1 id, 2 name, 3 org_id, 4 org_name",
    "ResetProjectCacheRequest": "1 project_id",
    "ResetProjectCacheResponse": "1 name, 2 org_name",
    "GetProjectRequest": "1 project_id",
    "GetProjectResponse": "1 project ProjectDetails",
    "ProjectDetails": "1 project_id, 2 organization_id, 3 name, 4 region_id,"
    " 5 created_at Timestamp, 6 cache_policy CachePolicy",
    "CachePolicy": "1 keep_bytes int, 2 keep_days int",
    "CreateProjectRequest": "1 name, 2 organization_id, 3 region_id, 4 cache_policy CachePolicy",
    "CreateProjectResponse": "1 project ProjectDetails",
    "UpdateProjectRequest": "1 project_id, 2 name, 3 region_id, 4 cache_policy CachePolicy",
    "UpdateProjectResponse": "1 project ProjectDetails",
    "DeleteProjectRequest": "1 project_id",
    "ListImagesRequest": "1 project_id, 2 page_size int, 3 page_token",
    "ListImagesResponse": "1 images *SavedImage, 2 next_page_token",
    "SavedImage": "1 tag, 2 digest, 3 pushed_at Timestamp, 4 size_bytes int",
    "DeleteImageRequest": "1 project_id, 2 image_tags *",
    "Empty": "",
}
_SERVICES = {
    "depot.cli.v1.BuildService": "CreateBuild GetBuild FinishBuild GetBuildKitConnection"
    " ReportBuildHealth ReportStatusStream ReportTimings ReportStatus ReportBuildContext ListBuilds"
    " GetPullInfo GetPullToken",
    "depot.cli.v1beta1.LoginService": "StartLogin FinishLogin",
    "depot.cli.v1beta1.ProjectsService": "ListProjects ResetProjectCache",
    "depot.core.v1.ProjectService": "GetProject CreateProject UpdateProject DeleteProject",
    "depot.build.v1.RegistryService": "ListImages DeleteImage",
}
PATHS = {
    method: f"/{service}/{method}" for service, names in _SERVICES.items() for method in names.split()
}
STREAMS = {"ReportStatusStream", "FinishLogin"}

AMD64, ARM64 = 1, 2
COMMAND_BUILD = 1
_END_OF_STREAM = 2


def _fields(message):
    rows = [field.split() for field in MESSAGES.get(message, "").split(",") if field.strip()]
    return {int(row[0]): (row[1], row[2] if len(row) > 2 else "string") for row in rows}


_SCHEMA = {message: _fields(message) for message in MESSAGES}


class Malformed(Exception):
    """Bytes that are no protobuf message or no envelope."""


def _varint(number):
    number &= (1 << 64) - 1
    out = bytearray()
    while True:
        low, number = number & 0x7F, number >> 7
        out.append(low | (0x80 if number else 0))
        if not number:
            return bytes(out)


def _read_varint(data, at):
    value = shift = 0
    while True:
        if at >= len(data) or shift > 63:
            raise Malformed("a varint breaks off")
        value |= (data[at] & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if not data[at - 1] & 0x80:
            return value, at


def encode(message, values):
    """The bytes of a message; a field that the message does not have is a KeyError."""
    numbers = {name: (number, kind) for number, (name, kind) in _SCHEMA[message].items()}
    out = b""
    for name, value in values.items():
        number, kind = numbers[name]
        if kind == "{}":
            entries = [_text(1, key) + _text(2, text) for key, text in value.items()]
            out += b"".join(_piece(number, entry) for entry in entries)
        elif kind.startswith("*"):
            out += b"".join(_field(number, kind[1:] or "string", one) for one in value)
        else:
            out += _field(number, kind, value)
    return out


def _field(number, kind, value):
    if kind in ("int", "bool"):
        return _varint(number << 3) + _varint(int(value))
    return _text(number, value) if kind == "string" else _piece(number, encode(kind, value))


def _text(number, text):
    return _piece(number, text.encode())


def _piece(number, data):
    return _varint(number << 3 | 2) + _varint(len(data)) + data


def decode(message, data):
    """The values in the bytes of a message; Malformed when they are none."""
    values = {}
    for number, value in _wire_fields(data):
        name, kind = _SCHEMA.get(message, {}).get(number, (f"field {number}", ""))
        if kind == "{}":
            entry = dict(_wire_fields(value))
            values.setdefault(name, {})[entry.get(1, b"").decode()] = entry.get(2, b"").decode()
        elif kind.startswith("*"):
            values.setdefault(name, []).append(_value(kind[1:] or "string", value))
        else:
            values[name] = _value(kind, value)
    return values


def _value(kind, value):
    if kind == "bool":
        return bool(value)
    if kind == "string":
        return value.decode()
    return decode(kind, value) if kind in _SCHEMA else value


def _wire_fields(data):
    at = 0
    while at < len(data):
        key, at = _read_varint(data, at)
        wire = key & 7
        if wire == 0:
            value, at = _read_varint(data, at)
        elif wire == 2:
            size, at = _read_varint(data, at)
            value, at = data[at : at + size], at + size
        elif wire in (1, 5):
            size = 8 if wire == 1 else 4
            value, at = data[at : at + size], at + size
        else:
            raise Malformed(f"wire type {wire}")
        if at > len(data):
            raise Malformed("a field breaks off")
        yield key >> 3, value


def envelope(data, flags=0):
    return struct.pack(">BI", flags, len(data)) + data


def end_of_stream(error=None):
    return envelope(json.dumps({"error": error} if error else {}).encode(), _END_OF_STREAM)


def envelopes(data):
    """(flags, payload) of each envelope of a stream's body."""
    at = 0
    while at < len(data):
        if len(data) - at < 5:
            raise Malformed("an envelope breaks off")
        flags, size = struct.unpack_from(">BI", data, at)
        if len(data) - at - 5 < size:
            raise Malformed("an envelope breaks off")
        yield flags, data[at + 5 : at + 5 + size]
        at += 5 + size


class Refused(Exception):
    """The API's answer is an error."""

    def __init__(self, status, code, message):
        super().__init__(f"{status} {code}: {message}")
        self.status, self.code, self.message = status, code, message


class Client:
    """Calls a Depot API; one connection, kept; for one thread. `answer_headers` are the last."""

    def __init__(self, url, ca_file, token="", timeout=30):
        at = urllib.parse.urlsplit(url)
        context = ssl.create_default_context(cafile=str(ca_file))
        self._connection = http.client.HTTPSConnection(
            at.hostname, at.port, timeout=timeout, context=context
        )
        self.token = token
        self.answer_headers = {}

    def call(self, method, values=None, token=None):
        """A unary call's answer; Refused with the API's code when it is an error."""
        headers = {
            "Content-Type": "application/proto",
            "Connect-Protocol-Version": "1",
            "Authorization": f"Bearer {self.token if token is None else token}",
        }
        body = encode(f"{method}Request", values or {})
        self._connection.request("POST", PATHS[method], body, headers)
        answer = self._connection.getresponse()
        data = answer.read()
        self.answer_headers = dict(answer.getheaders())
        if answer.status != 200:
            said = json.loads(data) if "json" in answer.getheader("Content-Type", "") else {}
            raise Refused(answer.status, said.get("code"), said.get("message", data[:300]))
        return decode(f"{method}Response", data)

    def close(self):
        self._connection.close()
