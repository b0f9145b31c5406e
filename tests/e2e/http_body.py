"""What a client has sent to a server of http.server, which itself reads no chunks."""


def read_body(handler):
    """The whole body of the request, of a known length or in chunks; trailers are read, and dropped."""
    if handler.headers.get("Transfer-Encoding", "").lower() != "chunked":
        return handler.rfile.read(int(handler.headers.get("Content-Length", 0)))
    body = b""
    while size := int(handler.rfile.readline().split(b";")[0], 16):
        body += handler.rfile.read(size)
        handler.rfile.readline()
    while handler.rfile.readline().strip():
        pass
    return body
