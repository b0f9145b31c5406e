"""Links with faults: slow, silent, cut. All on loopback or unix sockets."""

import contextlib
import math
import random
import socket
import struct
import threading
import time

_PIECE = 64 * 1024
_LATE = 0.1


class Link:
    """Passes connections on to `target` ("host:port", or a socket's path).

    port     where to listen, 0 for a free one; or a path for a unix socket
    delay    seconds that every byte is under way, in each direction
    rate     bytes per second and direction; None for no limit
    stall_at bytes from the client after which (they included) nothing passes any more
    before   {bytes: function}: what is done, once, when these bytes come from a client, before they are passed on

    `moved` is the number of bytes that came, of both sides; `connections` how many there were so far.
    """

    def __init__(self, target, port=0, delay=0.0, rate=None, stall_at=None, before=None):
        self._target, self._delay, self._rate, self._stall_at = target, delay, rate, stall_at
        self._before = dict(before or {})
        self.stalled = threading.Event()
        self.sent = 0  # bytes from the clients
        self.moved = 0
        self._counting = threading.Lock()
        self._pairs = []  # (client, server) of each connection that lives
        self._half_ended = set()
        self.connections = 0
        self._frozen = 0  # so many of the first are silent for good
        # What a slow link holds is twice what is under way on it: who sends more has to wait, as on a real one.
        self._room = 2 * delay * rate + 8 * _PIECE if rate else math.inf if delay else 8 * _PIECE
        if isinstance(port, int):
            self._listener = socket.create_server(("127.0.0.1", port))
            if rate:
                self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2 * _PIECE)
            self.address = "127.0.0.1:%d" % self._listener.getsockname()[1]
            self.url = "tcp://" + self.address
        else:
            self._listener = socket.socket(socket.AF_UNIX)
            self._listener.bind(str(port))
            self._listener.listen(16)
            self.url = f"unix://{port}"
        self._start(self._accept)

    def reset(self):
        """Ends all connections the hard way, and takes no more."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._cut()

    close = reset

    def move(self, target):
        """Ends all connections the hard way; those that come go to another target."""
        self._target = target
        self._cut()

    def cut(self, how):
        """Ends the connections that there are: "fin" politely, "reset" the hard way, "freeze" without anybody
        hearing of it. Those that come later are as good as new.
        """
        if how == "freeze":
            self._frozen = self.connections
        elif how == "reset":
            self._cut()
        else:
            for one in [end for pair in self._pairs for end in pair]:
                with contextlib.suppress(OSError):
                    one.shutdown(socket.SHUT_WR)

    def cut_any(self):
        """Resets one of the connections that live, by chance; False: there is none."""
        with self._counting:
            pair = self._pairs.pop(random.randrange(len(self._pairs))) if self._pairs else None
        if pair:
            _reset(pair)
        return bool(pair)

    def cut_first(self):
        """Resets the oldest of the connections that live."""
        with self._counting:
            pair = self._pairs.pop(0)
        _reset(pair)

    def _cut(self):
        with self._counting:
            pairs, self._pairs = self._pairs, []
        for pair in pairs:
            _reset(pair)

    def _ended(self, one, other):
        """`one` will get nothing more; the connection has ended when neither will."""
        with self._counting:
            self._half_ended.add(one)
            if other not in self._half_ended:
                return
            self._half_ended -= {one, other}
            self._pairs = [pair for pair in self._pairs if one not in pair]
        one.close()
        other.close()

    def _start(self, work, *args):
        threading.Thread(target=work, args=args, daemon=True).start()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                try:
                    server = self._connect()
                except OSError:
                    client.close()
                    continue
                with self._counting:
                    self._pairs.append((client, server))
                self.connections += 1
                self._start(self._pass, client, server, self._stall_at, self.connections, True)
                self._start(self._pass, server, client, None, self.connections, False)

    def _connect(self):
        if "/" not in self._target:
            host, _, port = self._target.rpartition(":")
            return socket.create_connection((host, int(port)))
        server = socket.socket(socket.AF_UNIX)
        server.connect(self._target)
        return server

    def _pass(self, source, target, stall_at, number, from_client):
        queue, changed = [], threading.Condition()
        self._start(self._send, source, target, queue, changed, number)
        seen = b""
        data = b"x"
        while data:
            data = b""
            with contextlib.suppress(OSError):
                data = source.recv(_PIECE)
            with self._counting:
                self.moved += len(data)
                if from_client:
                    self.sent += len(data)
            if from_client and (stall_at or self._before):
                seen = (seen + data)[-2 * _PIECE :]
                self._meet(seen)
            if stall_at and stall_at in seen:
                self.stalled.set()
            with changed:
                changed.wait_for(lambda: sum(len(waiting) for _, waiting in queue) < self._room)
                queue.append((time.monotonic() + self._delay, data))
                changed.notify_all()

    def _meet(self, seen):
        for expected in [one for one in self._before if one in seen]:
            if done := self._before.pop(expected, None):
                done()

    def _send(self, source, target, queue, changed, number):
        data = b"x"
        free = 0.0  # when the link can take the next byte
        while data:
            with changed:
                changed.wait_for(lambda: queue)
                due, data = queue[0]
            time.sleep(max(0, due - time.monotonic()))
            while self.stalled.is_set() or number <= self._frozen:
                time.sleep(0.05)
            with contextlib.suppress(OSError):
                target.sendall(data) if data else target.shutdown(socket.SHUT_WR)
            if self._rate:
                # A machine that wakes us late does not make the link slower.
                free = max(free, time.monotonic() - _LATE) + len(data) / self._rate
                time.sleep(max(0, free - time.monotonic()))
            with changed:
                queue.pop(0)
                changed.notify_all()
        self._ended(target, source)


def _reset(pair):
    for one in pair:
        with contextlib.suppress(OSError):
            if one.family == socket.AF_INET:
                one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            one.shutdown(socket.SHUT_RDWR)
            one.close()


class BlackHole:
    """A port where connecting gets no answer at all: its queue of connections is full."""

    def __init__(self):
        self._listener = socket.socket()
        self._listener.bind(("127.0.0.1", 0))
        self._listener.listen(0)
        self.address = "127.0.0.1:%d" % self._listener.getsockname()[1]
        self._clients = []
        for _ in range(4):
            client = socket.socket()
            client.setblocking(False)
            client.connect_ex(self._listener.getsockname())
            self._clients.append(client)
        time.sleep(0.1)

    def close(self):
        for one in [self._listener, *self._clients]:
            one.close()
