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
        build = _timed(life, client, "CreateBuild", {"project_id": "one"})
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


def simulate(pool, token, count, hold=0.1, longest_wait=1.0, apart=0.0, seconds=150):
    """The lives of `count` clients, started `apart` seconds one after the other."""
    lives = [Life() for _ in range(count)]
    deadline = time.monotonic() + seconds
    threads = []
    for life in lives:
        arguments = (pool, token, life, hold, longest_wait, deadline)
        threads.append(threading.Thread(target=live, args=arguments))
        threads[-1].start()
        time.sleep(apart)
    for thread in threads:
        thread.join()
    return lives
