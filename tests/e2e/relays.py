"""Ways to a server through another one: a TLS front, another address, a proxy."""

import contextlib
import math
import socket
import ssl
import threading


class Relay:
    """Passes connections on to `target` (host, port), until close(). Listens on `address`.

    target   None: an HTTP proxy, which is told by CONNECT; `asked` are the hosts it was told. Every name is this
             machine to it.
    tls      (certificate, key): clients speak TLS with the relay, the target does not
    drops    so many clients are hung up on first
    """

    def __init__(self, target=None, address="127.0.0.1", tls=None, drops=0):
        self.asked = []
        self._drops = drops
        self._target = target
        self._tls = None
        if tls:
            self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._tls.load_cert_chain(*tls)
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self._listener = socket.create_server((address, 0), family=family)
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self):
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                client = self._listener.accept()[0]
                if self._drops:
                    self._drops -= 1
                    client.close()
                    continue
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client):
        with contextlib.suppress(OSError, ValueError), client:
            if self._tls:
                client = self._tls.wrap_socket(client, server_side=True)
            target = self._target or self._told(client)
            with client, socket.create_connection(target) as server:
                back = threading.Thread(target=_copy, args=(server, client), daemon=True)
                back.start()
                _copy(client, server)
                back.join()

    def _told(self, client):
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            if not (byte := client.recv(1)):
                raise ConnectionError
            head += byte
        method, host, _ = head.decode().split("\r\n")[0].split()
        self.asked.append(host)
        if method != "CONNECT":
            raise ValueError(method)
        client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        return "127.0.0.1", int(host.rpartition(":")[2])


class SocketProxy:
    """Stands before an Engine's socket at `path`, as many let a job reach one.

    `answers` are those of its own, by the path that is asked: bytes, and whether it stays connected then.
    `asked` are the paths of what was asked, the first of each connection. The first connection that asked for one of
    `cut` ends when a client has sent so many bytes.
    """

    def __init__(self, engine, path, answers=None, cut=None):
        self.asked = []
        self._engine, self._answers, self._cut = engine, answers or {}, dict(cut or {})
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen(16)
        self.url = f"unix://{path}"
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self):
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                client = self._listener.accept()[0]
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client):
        with contextlib.suppress(OSError, ValueError), client:
            head = client.recv(65536)
            asked = head.split(b" ")[1].decode()
            self.asked.append(asked)
            if asked in self._answers:
                answer, stays = self._answers[asked]
                client.sendall(answer)
                while stays and client.recv(65536):
                    pass
                return
            with socket.socket(socket.AF_UNIX) as server:
                server.connect(self._engine)
                server.sendall(head)
                back = threading.Thread(target=_copy, args=(server, client), daemon=True)
                back.start()
                _copy(client, server, self._cut.pop(asked, math.inf))
                with contextlib.suppress(OSError):
                    client.shutdown(socket.SHUT_RDWR)
                back.join()


def _copy(source, target, most=math.inf):
    with contextlib.suppress(OSError):
        while most > 0 and (data := source.recv(65536)):
            target.sendall(data)
            most -= len(data)
        target.shutdown(socket.SHUT_WR)
