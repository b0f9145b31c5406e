"""Runs the cases that ctest asks for, each in a child of one process that has imported what all of them import: starting
python and importing is most of what a small case costs.

    python3 case_server.py start SOCKET    comes back when it listens, and goes on until
    python3 case_server.py stop SOCKET

run_case.cc is the client: a connection gives standard input, output and error, and then, each ended by a NUL, the folder
to run in, the case (module.Class.test_case) and the environment. The answer is one byte, the exit code. When a client is
gone, as after a timeout of ctest, its case and all that the case started are killed. A server whose socket was removed, as
with its build folder, ends.
"""

import contextlib
import gc
import importlib
import os
import select
import signal
import socket
import struct
import sys
import unittest
from pathlib import Path

_STOP_SECONDS = 10
_LOOK_SECONDS = 5


def main(command, path):
    with contextlib.suppress(OSError):
        _stop(path)
    if command == "start":
        _start(path)


def _start(path):
    """In a process of its own, of which nobody waits for the end; this one ends when that one listens."""
    for module in sorted(Path(__file__).parent.glob("*.py")):
        if not module.name.startswith("test_") and module != Path(__file__):
            importlib.import_module(module.stem)
    Path(path).unlink(missing_ok=True)
    listening, told = os.pipe()
    if os.fork():
        os.close(told)
        sys.exit(0 if os.read(listening, 1) else "the case server did not start")
    os.setsid()
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen(64)
    os.write(told, b"1")
    nothing = os.open(os.devnull, os.O_RDWR)
    for fd in (0, 1, 2):
        os.dup2(nothing, fd)
    for fd in (nothing, listening, told):
        os.close(fd)
    # What is collected in a child would be copied for it first.
    gc.collect()
    gc.freeze()
    _serve(listener, Path(path))


def _stop(path):
    with socket.socket(socket.AF_UNIX) as probe:
        probe.connect(path)
        pid, _, _ = struct.unpack("3i", probe.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
        ended = os.pidfd_open(pid)
    os.kill(pid, signal.SIGTERM)
    poller = select.poll()
    poller.register(ended, select.POLLIN)
    if not poller.poll(_STOP_SECONDS * 1000):
        sys.exit(f"the case server (process {pid}) does not end")
    Path(path).unlink(missing_ok=True)


def _serve(listener, path):
    poller = select.poll()
    poller.register(listener, select.POLLIN)
    clients = {}  # the connection of each case that runs, and its process
    ends = {}  # what tells the end of a case's process, and its connection
    while clients or path.exists():
        for fd, _ in poller.poll(_LOOK_SECONDS * 1000):
            if fd == listener.fileno():
                connection = listener.accept()[0].detach()
                pid = os.fork()
                if pid == 0:
                    for other in (*clients, *ends):
                        os.close(other)
                    _run(connection, listener)
                end = os.pidfd_open(pid)
                clients[connection] = pid
                ends[end] = connection
                poller.register(end, select.POLLIN)
                poller.register(connection, 0)  # that it is hung up is always told
            elif fd in clients:
                poller.unregister(fd)
                _kill_with_children(clients[fd])
            elif fd in ends:
                connection = ends.pop(fd)
                code = os.waitstatus_to_exitcode(os.waitpid(clients.pop(connection), 0)[1])
                with contextlib.suppress(OSError):
                    os.write(connection, bytes([code if code >= 0 else 128 - code]))
                for done in (fd, connection):
                    with contextlib.suppress(KeyError):
                        poller.unregister(done)
                    os.close(done)


def _run(connection, listener):
    """Becomes the case; does not come back."""
    code = 1
    try:
        listener.close()
        os.setsid()
        folder, case, environment = _asked(connection)
        os.environ.clear()
        os.environ.update(environment)
        os.chdir(folder)
        code = 0 if unittest.main(module=None, argv=["python3 -m unittest", case], exit=False).result.wasSuccessful() else 1
    except BaseException as error:  # pylint: disable=broad-exception-caught
        print(f"the case did not run: {error!r}", file=sys.stderr)
    finally:
        with contextlib.suppress(OSError):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


def _asked(connection):
    with socket.socket(fileno=connection) as client:
        data, fds, _, _ = socket.recv_fds(client, 1 << 16, 3)
        while part := client.recv(1 << 16):
            data += part
    for number, fd in enumerate(fds):
        os.dup2(fd, number)
        os.close(fd)
    folder, case, *variables = os.fsdecode(data).split("\0")[:-1]
    return folder, case, dict(variable.split("=", 1) for variable in variables)


def _kill_with_children(pid):
    """Stops each before its children are looked for, so that none is started meanwhile."""
    processes = [pid]
    for one in processes:  # which grows
        with contextlib.suppress(OSError):
            os.kill(one, signal.SIGSTOP)
        processes += _children_of(one)
    for one in processes:
        with contextlib.suppress(OSError):
            os.kill(one, signal.SIGKILL)


def _children_of(pid):
    for place in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            text = place.read_text(errors="replace")
            if int(text[text.rindex(")") + 1 :].split()[1]) == pid:
                yield int(place.parent.name)


if __name__ == "__main__":
    main(*sys.argv[1:])
