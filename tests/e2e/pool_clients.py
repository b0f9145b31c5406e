"""Many simulated clients of a pool at once: they speak the API and never build."""

import dataclasses
import threading
import time

import connect


@dataclasses.dataclass
class Life:
    """What one client met. Times are time.monotonic()."""

    error: Exception = None
    asked: float = 0.0  # its first answer to GetBuildKitConnection
    granted: float = 0.0
    ended: float = 0.0  # before it says so: the next one may have its machine before the answer is here
    asks: int = 0
    project: str = "one"
    positions: list = dataclasses.field(default_factory=list)
    latencies: list = dataclasses.field(default_factory=list)


def _timed(life, client, method, values):
    begin = time.monotonic()
    answer = client.call(method, values)
    life.latencies.append(time.monotonic() - begin)
    return answer


def live(pool, token, life, hold, longest_wait, deadline):
    """One client: creates a build, waits for its machine, holds it, ends the build."""
    client = pool.client(token, timeout=60)
    try:
        build = _timed(life, client, "CreateBuild", {"project_id": life.project})
        client.token = build["build_token"]
        wanted = {"build_id": build["build_id"], "platform": connect.AMD64}
        while True:
            answer = _timed(life, client, "GetBuildKitConnection", wanted)
            life.asks += 1
            life.asked = life.asked or time.monotonic()
            if "active" in answer:
                break
            queue = client.answer_headers.get("Depot-Pool-Queue", "")
            life.positions.append(int(queue.partition("position=")[2] or 0))
            if time.monotonic() > deadline:
                raise TimeoutError(f"still waiting, at {queue}")
            _timed(life, client, "ReportBuildHealth", wanted)
            time.sleep(min(answer["pending"].get("wait_ms", 0) / 1000, longest_wait))
        life.granted = time.monotonic()
        time.sleep(hold)
        finish = {"build_id": build["build_id"], "success": {}}
        life.ended = time.monotonic()
        _timed(life, client, "FinishBuild", finish)
    except Exception as error:  # The test looks at it: a thread has nobody to raise it to.
        life.error = error
    finally:
        client.close()


def simulate(pool, token, count, hold=0.1, longest_wait=1.0, apart=0.0, seconds=150, projects=None, then=None):
    """The lives of `count` clients, started `apart` seconds one after the other. `projects` are
    theirs, in turn. `then` is called when all have been started.
    """
    projects = projects or ["one"]
    lives = [Life(project=projects[number % len(projects)]) for number in range(count)]
    deadline = time.monotonic() + seconds
    threads = []
    for life in lives:
        arguments = (pool, token, life, hold, longest_wait, deadline)
        threads.append(threading.Thread(target=live, args=arguments))
        threads[-1].start()
        time.sleep(apart)
    try:
        if then:
            then()
    finally:
        for thread in threads:
            thread.join()
    return lives


class Honest:
    """Builds that have their machines, and say that they are alive until end()."""

    def __init__(self, pool, token, project, count):
        self._pool, self._token, self._project = pool, token, project
        self._over = threading.Event()
        self.lives = [Life(project=project) for _ in range(count)]
        ready = threading.Barrier(count + 1)
        self._threads = [
            threading.Thread(target=self._live, args=(life, ready)) for life in self.lives
        ]
        for thread in self._threads:
            thread.start()
        ready.wait(60)

    def _live(self, life, ready):
        client = self._pool.client(self._token, timeout=5)
        try:
            build = client.call("CreateBuild", {"project_id": self._project})
            client.token = build["build_token"]
            wanted = {"build_id": build["build_id"], "platform": connect.AMD64}
            if "active" not in client.call("GetBuildKitConnection", wanted):
                raise AssertionError("an honest build has no machine")
            ready.wait(60)
            while not self._over.wait(0.2):
                answer = _timed(life, client, "ReportBuildHealth", wanted)
                life.asks += 1
                if "cancels_at" in answer or "active" not in _timed(
                    life, client, "GetBuildKitConnection", wanted
                ):
                    raise AssertionError("an honest build has lost its machine")
            _timed(life, client, "FinishBuild", {"build_id": build["build_id"], "success": {}})
        except Exception as error:  # The test looks at it.
            life.error = error
            ready.abort()
        finally:
            client.close()

    def wait_for_asks(self, seconds=60):
        """Until each was answered once more than before, or has failed."""
        before = [life.asks for life in self.lives]
        deadline = time.monotonic() + seconds
        while any(
            life.asks == asks and life.error is None
            for life, asks in zip(self.lives, before, strict=True)
        ):
            if time.monotonic() > deadline:
                raise TimeoutError("an honest build gets no answer")
            time.sleep(0.05)

    def end(self):
        self._over.set()
        for thread in self._threads:
            thread.join()


def most_at_once(lives):
    """How many of them had a machine at the moment when most had one."""
    moments = [(life.granted, 1) for life in lives] + [(life.ended, -1) for life in lives]
    taken = highest = 0
    for _, change in sorted(moments):
        taken += change
        highest = max(highest, taken)
    return highest
