"""Streams of what a builder says of a build of hundreds of steps, as the scripts of HostileBuilder.

    with HostileBuilder(self.folder, {"status": streams.one_by_one(300)}) as builder:
        self.build(context, builder=builder.url)

Every kind of event is in them, with the times, the words and the order that BuildKit gives them.
"""

_BEGIN = 1_700_000_000 * 10**9
_LINES = "FROM busybox\nMAINTAINER somebody\n"


def digest(number):
    return f"sha256:{number:064x}"


def name(number, steps):
    return f"[stage-{number // 50} {number + 1}/{steps}] RUN make part-{number}"


def _time(nanoseconds):
    return list(divmod(_BEGIN + nanoseconds, 10**9))


def _vertex(number, steps, begin, end=None, **more):
    vertex = {"digest": digest(number), "name": name(number, steps), "started": _time(begin), "done": end is not None}
    if number:
        vertex["inputs"] = [digest(number - 1)]
    if end is not None:
        vertex["completed"] = _time(end)
    return {**vertex, **more}


def _log(number, at, text, stream=1):
    return {"logs": [{"vertex": digest(number), "text": text, "stream": stream, "timestamp": _time(at)}]}


def _logs(number, begin):
    """Lines of both streams, one of them in pieces, wide characters and a tab."""
    yield _log(number, begin + 123_456_789, f"compiling part {number}\n\tin 你好\n")
    yield _log(number, begin + 200_000_000, "link")
    yield _log(number, begin + 210_000_000, "ing\nstripping\n")
    yield _log(number, begin + 15_000_000_000, "a warning: <&>\n", stream=2)


def _statuses(number, begin):
    one = {"vertex": digest(number), "started": _time(begin), "name": "transferring"}
    done = {"completed": _time(begin + 250_000_000), "timestamp": _time(begin + 250_000_000)}
    yield {"statuses": [{**one, **done, "id": "transferring context:", "current": 21_345 + number}]}
    layer = {**one, **done, "id": f"sha256:{number:064x}", "name": "downloading"}
    yield {"statuses": [{**layer, "current": 4_270_000, "total": 4_270_000}]}


def _warnings(number, _begin):
    text = f"MaintainerDeprecated: part {number} has a maintainer (line 2)"
    source = {"filename": "Dockerfile", "source": _LINES, "language": "Dockerfile", "range": [2, 0, 2, 19]}
    url = "https://docs.docker.com/go/dockerfile/rule/maintainer-deprecated/"
    yield {"warnings": [{"vertex": digest(number), "text": text, "level": 1, "url": url, **source}]}


def _nothing(_number, _begin):
    return ()


_KINDS = (_logs, _statuses, _nothing, _logs, _warnings)


def _step(number, steps, begin, took):
    """What is said of a step, in pieces: others may be said between them."""
    if number % 7 == 3:
        # docker buildx sorts steps by their ends: no two are the same.
        at = begin + 1_000_000 + number
        yield {"vertexes": [_vertex(number, steps, at, at, cached=True)]}
        return
    yield {"vertexes": [_vertex(number, steps, begin)]}
    yield from _KINDS[number % len(_KINDS)](number, begin)
    yield {"vertexes": [_vertex(number, steps, begin, begin + took)]}


def one_by_one(steps):
    """A build whose steps run one after the other."""
    messages, now = [], 0
    for number in range(steps):
        took = 340_000_000 + number * 10_000_000
        messages += _step(number, steps, now, took)
        now += took
    return messages


def side_by_side(steps, at_once=4):
    """A build of which so many steps run at any time; the first of a round ends last."""
    messages, now = [], 0
    for first in range(0, steps, at_once):
        running = [
            list(_step(number, steps, now + number % at_once, 900_000_000 - number % at_once * 200_000_000))
            for number in range(first, min(first + at_once, steps))
        ]
        messages += [one[0] for one in running]
        messages += [message for one in running for message in one[1:-1]]
        messages += [one[-1] for one in reversed(running) if len(one) > 1]
        now += 1_000_000_000
    return messages


def nameless(steps, at_once=1000):
    """Very many steps without words: all begin before the first one ends."""
    return [
        {"steps": {"from": first, "count": at_once, "done": done}}
        for done in (False, True)
        for first in range(0, steps, at_once)
    ]


def talkative(mebibytes):
    """One step that says so much."""
    text = ("word " * 19 + "end.\n") * (1 << 20)
    text = text[: (1 << 20) // 100 * 100]
    vertex = {"digest": digest(1), "name": "RUN yes"}
    return [
        {"vertexes": [{**vertex, "done": False}]},
        {"logs": [{"vertex": digest(1), "text": text}], "repeat": mebibytes},
        {"vertexes": [vertex]},
    ]
