"""The page of ``faceflow live``.

A stream of JPEG pictures (multipart/x-mixed-replace) from the standard library's server, on 127.0.0.1 alone.
"""

from __future__ import annotations

import io
import json
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from PIL import Image
from torch import Tensor

from .. import jsons
from ..editing.predict import PredictorError
from ..guides.guide import GuideError
from ..video.clips import ClipError
from .live import Live

PAGE = (Path(__file__).parent / "live.html").read_text(encoding="utf-8")
BOUNDARY = "faceflow"
LONGEST_REQUEST = 10_000  # bytes
LONGEST_WAIT = 10.0  # seconds for a request to arrive, and for a page to take a picture
MOST_CONNECTIONS = 32
GONE = (ConnectionError, TimeoutError)
# Other sites may neither show the pictures nor put the page into a frame.
HEADERS = {
    "Cache-Control": "no-store",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Content-Security-Policy": "default-src 'none'; img-src 'self'; connect-src 'self'; style-src 'unsafe-inline'; "
    "script-src 'unsafe-inline'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


def jpeg(picture: Tensor, quality: int = 85) -> bytes:
    """A frame ``[H,W,3]`` uint8 as a JPEG file."""
    data = io.BytesIO()
    Image.fromarray(picture.numpy()).save(data, "JPEG", quality=quality)
    return data.getvalue()


@contextmanager
def serve(show: Live, port: int = 8190) -> Iterator[str]:
    """Serve the page while the block runs; yields its address. Port 0 takes a free one.

    Raises:
        ClipError: the port is taken.
    """
    if not 0 <= port <= 65535:
        raise ClipError(f"A port is a number from 0 (any free one) to 65535, got {port}.")
    try:
        server = _Server(("127.0.0.1", port), type("Handler", (_Handler,), {"show": show}))
    except OSError as e:
        raise ClipError(f"Port {port} cannot be used ({e.strerror}); take another with --port, or 0 for any.") from e
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Server(ThreadingHTTPServer):
    """Answers at most :data:`MOST_CONNECTIONS` requests at once, and drops others."""

    daemon_threads = True

    def __init__(self, *args: object) -> None:
        self._free = threading.BoundedSemaphore(MOST_CONNECTIONS)
        super().__init__(*args)

    def process_request(self, request: socket.socket, client_address: object) -> None:
        if not self._free.acquire(blocking=False):
            self.shutdown_request(request)
            return
        try:
            super().process_request(request, client_address)
        except BaseException:  # no thread was started that would release it
            self._free.release()
            raise

    def process_request_thread(self, request: socket.socket, client_address: object) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._free.release()

    def handle_error(self, request: object, client_address: object) -> None:
        """Do not report a page that was closed or takes too long."""
        if not isinstance(sys.exc_info()[1], GONE):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    show: Live
    timeout = LONGEST_WAIT

    def do_GET(self) -> None:
        if not self._is_local():
            return
        if self.path == "/":
            self._answer(PAGE.encode(), "text/html; charset=utf-8")
        elif self.path == "/status":
            self._answer(json.dumps(self.show.status()).encode(), "application/json")
        elif self.path == "/stream":
            self._stream()
        else:
            self.send_error(404)

    def do_POST(self) -> None:
        if not self._is_local():
            return
        if self.path != "/control":
            self.send_error(404)
            return
        # a page of another site cannot send this type without a preflight request, which is not answered
        if self.headers.get("Content-Type", "").split(";")[0] != "application/json":
            self.send_error(415, "Send application/json")
            return
        try:
            self.show.change(**self._wanted())
        except (ValueError, GuideError, PredictorError) as e:
            self._answer(json.dumps({"error": str(e)}).encode(), "application/json", 400)
            return
        self._answer(json.dumps(self.show.status()).encode(), "application/json")

    def _wanted(self) -> dict[str, object]:
        """The arguments of :meth:`Live.change` in the request; ValueError for anything else."""
        length = self.headers.get("Content-Length", "")
        if not (length.isascii() and length.isdigit() and 0 < int(length) <= LONGEST_REQUEST):
            raise ValueError(f"Send 1 to {LONGEST_REQUEST} bytes, and their number as Content-Length.")
        try:
            wanted = jsons.loads(self.rfile.read(int(length)))
        except ValueError as e:
            raise ValueError("This is no JSON; send an object with strength or prompt.") from e
        if not isinstance(wanted, dict) or not wanted.keys() <= {"strength", "prompt"}:
            raise ValueError("Send an object with strength or prompt.")
        return wanted

    def _is_local(self) -> bool:
        """Refuse host names that another site may have pointed to this computer (DNS rebinding), and requests from pages of other sites,
        which browsers name in headers. Of those only a link to the page itself is allowed."""
        port = self.server.server_port
        hosts = {f"127.0.0.1:{port}", f"localhost:{port}"}
        origin, site = self.headers.get("Origin"), self.headers.get("Sec-Fetch-Site", "none")
        link = self.path == "/" and self.headers.get("Sec-Fetch-Dest") == "document"
        if (
            self.headers.get("Host") in hosts
            and (origin is None or origin in {f"http://{h}" for h in hosts})
            and (site in ("same-origin", "none") or link)
        ):
            return True
        self.send_error(403, "Only this computer's own page may ask")
        return False

    def _answer(self, body: bytes, kind: str, code: int = 200) -> None:
        self.send_response(code)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def end_headers(self) -> None:
        for name, value in HEADERS.items():
            self.send_header(name, value)
        super().end_headers()

    def _stream(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", f"multipart/x-mixed-replace; boundary={BOUNDARY}")
        self.end_headers()
        for picture in self.show.pictures():
            data = jpeg(picture)
            head = f"--{BOUNDARY}\r\nContent-Type: image/jpeg\r\nContent-Length: {len(data)}\r\n\r\n"
            self.wfile.write(head.encode() + data + b"\r\n")

    def log_message(self, *_: object) -> None:
        """Do not log requests."""
