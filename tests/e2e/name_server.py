"""A DNS server of a test's own, on UDP port 53 of an address of this machine (RFC 1035)."""

import contextlib
import ipaddress
import socket
import struct
import threading

_TYPES = {1: "A", 28: "AAAA", 33: "SRV"}


def _record(value):
    """(type, data) of a record."""
    if isinstance(value, tuple):
        port, target = value
        labels = b"".join(bytes([len(one)]) + one.encode() for one in target.split("."))
        return "SRV", struct.pack(">HHH", 0, 0, port) + labels + b"\0"
    address = ipaddress.ip_address(value)
    return f"A{'AAA' * (address.version == 6)}", address.packed


class NameServer:
    """`records` is {name: [address, ...]}, or of SRV records (port, name); `questions` are (name, type), in order. It listens until close()."""

    def __init__(self, address, records):
        self.records = records
        self.questions = []
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self._socket = socket.socket(family, socket.SOCK_DGRAM)
        self._socket.bind((address, 53))
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def close(self):
        # A datagram of our own, since closing does not wake the thread.
        with socket.socket(self._socket.family, socket.SOCK_DGRAM) as waker:
            waker.sendto(b"", self._socket.getsockname())
        self._thread.join()
        self._socket.close()

    def _serve(self):
        while True:
            data, client = self._socket.recvfrom(4096)
            if not data:
                return
            with contextlib.suppress(OSError):
                self._socket.sendto(self._answer(data), client)

    def _answer(self, data):
        labels, at = [], 12
        while data[at]:
            labels.append(data[at + 1 : at + 1 + data[at]].decode())
            at += 1 + data[at]
        end = at + 5
        kind = _TYPES.get(struct.unpack_from(">H", data, at + 1)[0])
        name = ".".join(labels).lower()
        self.questions.append((name, kind))
        known = [_record(one) for one in self.records.get(name, ())]
        wanted = [data for its_kind, data in known if its_kind == kind]
        no_such_name = 0 if known else 3
        flags = 0x8180 | no_such_name
        head = data[:2] + struct.pack(">HHHHH", flags, 1, len(wanted), 0, 0) + data[12:end]
        number = next((number for number, its_kind in _TYPES.items() if its_kind == kind), 0)
        for data in wanted:
            head += struct.pack(">HHHIH", 0xC00C, number, 1, 60, len(data)) + data
        return head
