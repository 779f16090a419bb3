"""A server on loopback that sends files, with ranges, and breaks connections when told to."""

from __future__ import annotations

import http.server
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass
class RangeServer:
    """What the server sends, and what it was asked.

    Attributes:
        files: Content by path.
        cuts: How many bytes of each of the next answers are sent before the connection breaks.
        etag: Validator of all files; empty for none.
        ranges: Whether it answers ranges.
        redirect: Address to redirect to, by path.
        asked: Path and range of each request.
        address: Its address.
    """

    files: dict[str, bytes] = field(default_factory=dict)
    cuts: list[int] = field(default_factory=list)
    etag: str = '"one"'
    ranges: bool = True
    redirect: dict[str, str] = field(default_factory=dict)
    asked: list[tuple[str, str | None]] = field(default_factory=list)
    address: str = ""


@contextmanager
def range_server() -> Iterator[RangeServer]:
    """Start such a server; it ends with the block."""
    state = RangeServer()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            wanted = self.headers.get("Range")
            path = self.path.split("?")[0]
            state.asked.append((path, wanted))
            if path in state.redirect:
                self.send_response(302)
                self.send_header("Location", state.redirect[path])
                self.end_headers()
                return
            if path not in state.files:
                self.send_error(404)
                return
            self._send(state.files[path], wanted)

        def _send(self, data: bytes, wanted: str | None) -> None:
            start = 0
            same = self.headers.get("If-Range") in (None, state.etag)
            if wanted and state.ranges and same:
                found = re.fullmatch(r"bytes=(\d+)-", wanted)
                assert found
                start = int(found[1])
                if start >= len(data):
                    self.send_response(416)
                    self.send_header("Content-Range", f"bytes */{len(data)}")
                    self.send_header("Content-Length", "0")
                    self.end_headers()
                    return
                self.send_response(206)
                self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
            else:
                self.send_response(200)
            if state.etag:
                self.send_header("ETag", state.etag)
            self.send_header("Content-Length", str(len(data) - start))
            self.end_headers()
            cut = state.cuts.pop(0) if state.cuts else len(data)
            self.wfile.write(data[start : start + cut])
            self.close_connection = True

        def log_message(self, *args: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    state.address = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
