"""Steps of the rig: each says what it does and how long it took, on stderr."""

import contextlib
import os
import subprocess
import sys
import threading
import time

from settings import RigError

_lock = threading.Lock()


def say(text):
    with _lock:
        print(f"engines: {text}", file=sys.stderr, flush=True)


@contextlib.contextmanager
def step(what):
    start = time.monotonic()
    yield
    say(f"{what} ({time.monotonic() - start:.1f} s)")


def run(argv, attempts=1, env=None, **options):
    """Runs a program to its end; returns its stdout. RigError with its stderr when it fails."""
    argv = [str(part) for part in argv]
    for attempt in range(1, attempts + 1):
        try:
            done = subprocess.run(
                argv,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env={**os.environ, "LC_ALL": "C", **(env or {})},
                **options,
            )
        except FileNotFoundError as missing:
            raise RigError(f"{argv[0]} is not installed") from missing
        if done.returncode == 0:
            return done.stdout
        if attempt < attempts:
            time.sleep(2 * attempt)
    tail = done.stderr.decode(errors="replace").strip()[-2000:]
    raise RigError(f"{' '.join(argv[:6])} ... failed with {done.returncode}: {tail}")


def wait_until(ready, seconds, what, still_alive=lambda: True):
    """Polls `ready`; RigError when it takes longer than `seconds` or `still_alive` says no."""
    end = time.monotonic() + seconds
    while not ready():
        if not still_alive():
            raise RigError(f"{what} ended while it started")
        if time.monotonic() > end:
            raise RigError(f"{what} is not ready after {seconds} s")
        time.sleep(0.05)
