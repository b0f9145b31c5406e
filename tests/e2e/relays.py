"""Ways to a server through another one: a TLS front, another address, a proxy."""

import contextlib
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


def _copy(source, target):
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
