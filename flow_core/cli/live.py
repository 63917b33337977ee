"""Edit a moving picture while it is seen: a page on this computer, or a window.

The page is a stream of JPEG pictures (multipart/x-mixed-replace) from the standard library's server, on 127.0.0.1 alone.
"""

from __future__ import annotations

import io
import itertools
import json
import socket
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType

import torch
from PIL import Image
from torch import Tensor

from .. import jsons
from ..editing.edit import make_field
from ..editing.optimize import Settings, Step
from ..editing.predict import Predictor, PredictorError
from ..fields.base import FlowField
from ..fields.new import new_field
from ..fields.raster import Field
from ..geometry.crop import Crop
from ..guides.guide import Guide, GuideError
from ..guides.prompts import Prompt
from ..video.clips import Clip, ClipError, DamagedClip, Frame, ahead, synthetic
from ..video.editor import Editor, FieldSource

STRENGTHS = (-2.0, 3.0)
BOUNDARY = "faceflow"
LONGEST_REQUEST = 10_000  # bytes
LONGEST_WAIT = 10.0  # seconds for a request to arrive, and for a page to take a picture
MOST_CONNECTIONS = 32
GONE = (ConnectionError, TimeoutError)
# Pages of other sites get nothing: no picture for an <img> of theirs, no frame around the page.
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


def open_source(name: str, size: tuple[int, int] = (720, 1280)) -> Iterator[Frame]:
    """Frames without end: a camera by its number, a file (again and again, at its own pace), or ``synthetic``.

    Raises:
        ClipError: there is no such source, or what reads it is not installed.
    """
    if name == "synthetic":
        try:
            from .demo import portraits
        except ImportError as e:
            raise ClipError(f"The synthetic face needs {e.name}: pip install scikit-image matplotlib tqdm") from e
        return _paced(ahead(synthetic(portraits()["grace_hopper"], size)))
    if name.isdigit():
        return ahead(_camera(int(name), size), 1)
    clip = Clip.open(name)
    return _paced(ahead(_again(clip)))


def _again(clip: Clip) -> Iterator[Frame]:
    start = 0.0
    while True:
        last = None
        with suppress(DamagedClip):  # what can be read is shown again and again
            for frame in clip:
                last = frame
                yield replace(frame, time=start + frame.time)
        if last is None:
            raise ClipError(f"{clip.path} has no frames.")
        start += last.time + 1 / float(clip.fps)


def _paced(frames: Iterator[Frame]) -> Iterator[Frame]:
    """No faster than the time stamps say; a source that is behind goes on from there."""
    start = time.monotonic()
    for frame in frames:
        wait = start + frame.time - time.monotonic()
        if wait > 0:
            time.sleep(wait)
        else:
            start -= wait
        yield frame


def _camera(number: int, size: tuple[int, int]) -> Iterator[Frame]:
    try:
        import cv2
    except ImportError:
        yield from _camera_av(number, size)
        return
    camera = cv2.VideoCapture(number)
    try:
        camera.set(cv2.CAP_PROP_FRAME_HEIGHT, size[0])
        camera.set(cv2.CAP_PROP_FRAME_WIDTH, size[1])
        start = time.monotonic()
        for index in itertools.count():
            good, array = camera.read()
            if not good:
                raise ClipError(f"Camera {number} gives no picture; try another number, or 'synthetic'.")
            pixels = torch.from_numpy(array[..., ::-1].copy())
            yield Frame(pixels, index, time.monotonic() - start)
    finally:
        camera.release()


def _camera_av(number: int, size: tuple[int, int]) -> Iterator[Frame]:
    options = {"video_size": f"{size[1]}x{size[0]}", "framerate": "30"}
    if sys.platform.startswith("linux"):
        path, format = f"/dev/video{number}", "v4l2"
    elif sys.platform == "darwin":
        path, format = str(number), "avfoundation"
    else:  # dshow knows cameras by name only
        raise ClipError("Cameras on this system need OpenCV: pip install opencv-python")
    try:
        clip = Clip.open(path, format, **options)
    except ClipError as e:
        raise ClipError(f"Camera {number} cannot be opened ({e}); try another number, or 'synthetic'.") from e
    yield from clip


def _needs_fit(source: FieldSource) -> bool:
    return getattr(source, "needs_fit", False)


class _Outdated(Exception):
    """Nobody waits for this edit any more."""


@dataclass(frozen=True)
class _Job:
    """A prompt to be optimised, and what was shown before it."""

    text: str
    prompt: Prompt
    before: str


class Live:
    """Runs the editor in a thread and keeps the latest picture.

    A context manager. Strength and prompt may be changed while it runs, from any thread. With a predictor a new prompt takes
    effect at once; without one it is optimised beside, on the face as it is seen then, and its field takes the place of the
    old one. One is optimised at a time: a newer prompt ends the work on an older one. A prompt that is refused, or that
    fails, leaves everything as it was.

    Attributes:
        prompt: what is shown, or being made.
        fps: frames a second, over the last second.
        error: what stopped it, if anything did.
        message: what the last prompt led to.
    """

    def __init__(
        self, frames: Iterator[Frame], editor: Editor, guide: Guide, how: Settings, neutral: str, resolution: int = 28,
        predictor: Predictor | None = None,
    ) -> None:  # fmt: skip
        self.frames, self.editor, self.guide, self.how = frames, editor, guide, how
        self.neutral, self.resolution, self.predictor = neutral, resolution, predictor
        self.prompt, self.message = "", ""
        self.error: BaseException | None = None
        self.count = 0
        self.set_field(Field.zeros(2))
        editor.fields = self
        self._news = threading.Condition()
        self._shown: Tensor | None = None
        self._view: tuple[Tensor, Crop] | None = None
        self._times: deque[float] = deque(maxlen=30)
        self._stop = threading.Event()
        self._changing = threading.Lock()
        self._job: _Job | None = None
        self._wanted = threading.Condition()
        self._optimizer: threading.Thread | None = None
        self._threads: list[threading.Thread] = []

    def __call__(self, aligned: Tensor, landmarks: Tensor, **more: object) -> FlowField:
        """The field of a face, for the editor: see :data:`flow_core.video.editor.FieldSource`."""
        source = self._source  # a prompt from another thread may put another in its place at any time
        return source(aligned, landmarks, **more) if _needs_fit(source) else source(aligned, landmarks)

    @property
    def needs_fit(self) -> bool:
        return _needs_fit(self._source)

    @property
    def paints(self) -> tuple[str, ...]:
        return getattr(self._source, "paints", ())

    @property
    def fps(self) -> float:
        times = list(self._times)
        return (len(times) - 1) / (times[-1] - times[0]) if len(times) > 1 and times[-1] > times[0] else 0.0

    @property
    def strength(self) -> float:
        return self.editor.settings.strength

    def status(self) -> dict[str, object]:
        faces = sum(t.visible for t in list(self.editor.tracks))
        return {
            "fps": round(self.fps, 1), "frames": self.count, "faces": faces, "strength": self.strength,
            "prompt": self.prompt, "message": str(self.error or self.message),
        }  # fmt: skip

    def __enter__(self) -> Live:
        self._begin(self._work)
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._stop.set()
        for waiting in (self._news, self._wanted):
            with waiting:
                waiting.notify_all()
        for thread in self._threads:
            thread.join()
        if kind is None and self.error is not None:
            raise self.error

    def _begin(self, work: Callable[[], None]) -> threading.Thread:
        thread = threading.Thread(target=work, daemon=True)
        self._threads.append(thread)
        thread.start()
        return thread

    def wait(self) -> None:
        """Until the source ends or fails."""
        while not self._stop.wait(0.2):
            pass

    def set_field(self, field: FlowField) -> None:
        self._source: FieldSource = lambda aligned, landmarks: field

    def change(self, strength: float | None = None, prompt: str | None = None) -> None:
        """Take effect from the next frame on; a prompt as soon as its field is made.

        Raises:
            ValueError: the strength is out of range, or the prompt is not one.
        """
        if strength is not None and (
            not isinstance(strength, int | float) or not STRENGTHS[0] <= strength <= STRENGTHS[1]
        ):
            raise ValueError(f"The strength lies in {STRENGTHS[0]}..{STRENGTHS[1]}, got {strength!r}.")
        if prompt is not None and not isinstance(prompt, str):
            raise ValueError(f"A prompt is a text, got {prompt!r}.")
        with self._changing:
            if prompt is not None and prompt != self.prompt:
                self._change_prompt(prompt)
            if strength is not None:  # last, as a prompt may be refused
                self.editor.settings = replace(self.editor.settings, strength=float(strength))

    def _change_prompt(self, text: str) -> None:
        prompt = Prompt.parse(text, self.neutral) if text.strip() else None
        if prompt is None:
            self.set_field(Field.zeros(self.resolution))
        elif self.predictor is not None:
            self._source = self.predictor.bind(self.guide, prompt)
        job = None
        if prompt is not None and self.predictor is None:
            shown = self.prompt if self._job is None else self._job.before
            job = _Job(text, prompt, shown)
        with self._wanted:
            self.prompt, self.message, self._job = text, "", job
            self._wanted.notify_all()
            if job is not None and self._optimizer is None:
                self._optimizer = self._begin(self._optimize)

    def _optimize(self) -> None:
        """Make the fields of prompts, the newest only."""
        while not self._stop.is_set():
            with self._wanted:
                while (job := self._job) is None:
                    if self._stop.is_set():
                        return
                    self._wanted.wait()
            failed = field = None
            try:
                field = self._made(job)
            except _Outdated:
                continue
            except Exception as e:
                failed = f"{job.text!r} failed: {e}"
            with self._wanted:
                if self._job is not job:
                    continue
                self._job = None
                if failed:
                    self.prompt, self.message = job.before, failed
                else:
                    self.set_field(field)
                    self.message = ""

    def _made(self, job: _Job) -> FlowField:
        def require_wanted() -> None:
            if self._stop.is_set() or self._job is not job:
                raise _Outdated

        def watch(step: Step) -> None:
            require_wanted()
            self.message = f"step {step.index} of {self.how.steps}"

        self.message = "looking for a face"
        while (view := self._view) is None:
            require_wanted()
            self._stop.wait(0.05)
        frame, crop = view
        photo = frame.permute(2, 0, 1)[None].float() / 255
        start = new_field(resolution=self.resolution)
        return make_field(photo, crop, self.guide, job.prompt, settings=self.how, start=start, watch=watch)

    def _work(self) -> None:
        done = self.editor.edits(self.frames)
        try:
            for frame, edited in done:
                if self._stop.is_set():
                    break
                if seen := [t for t in edited.faces if t.visible and t.crop is not None]:
                    self._view = frame.pixels, max(seen, key=lambda t: t.crop.side.item()).crop
                self._times.append(time.monotonic())
                with self._news:
                    self._shown = edited.pixels
                    self.count += 1
                    self._news.notify_all()
        except Exception as e:
            self.error = e
        finally:
            done.close()
            if close := getattr(self.frames, "close", None):
                close()
            self._stop.set()
            with self._news:
                self._news.notify_all()

    def pictures(self) -> Iterator[Tensor]:
        """The latest picture ``[H,W,3]``, whenever there is a new one; a slow reader misses some."""
        seen = 0
        while not self._stop.is_set():
            with self._news:
                while self.count <= seen and not self._stop.is_set():
                    self._news.wait()
                picture, seen = self._shown, self.count
            if picture is not None and not self._stop.is_set():
                yield picture


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
    """Answers so many at once and no more."""

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
        except BaseException:  # no thread was begun, which would free the place
            self._free.release()
            raise

    def process_request_thread(self, request: socket.socket, client_address: object) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._free.release()

    def handle_error(self, request: object, client_address: object) -> None:
        """A page that is closed, or that takes too long, is no error."""
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
        # a foreign page cannot send this type without asking first, and is not answered
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
        """What the page asks for."""
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
        """Refuse names that a foreign site may have pointed here, and requests that its pages send. Browsers name the site that
        asks; of theirs only a link to the page itself is followed."""
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
        """Quiet."""


def show_window(show: Live) -> None:
    """Show the pictures in a window until it is closed.

    Raises:
        ClipError: neither OpenCV nor tkinter can open one.
    """
    try:
        import cv2

        for picture in show.pictures():
            cv2.imshow("FaceFlow", picture.numpy()[..., ::-1])
            cv2.setWindowTitle("FaceFlow", f"FaceFlow, {show.fps:.0f} frames/s")
            if cv2.waitKey(1) in (27, ord("q")) or cv2.getWindowProperty("FaceFlow", cv2.WND_PROP_VISIBLE) < 1:
                break
        cv2.destroyAllWindows()
        return
    except ImportError:
        pass
    except Exception as e:  # cv2.error: built without windows, or no display
        raise ClipError(f"OpenCV cannot open a window ({e}); leave out --window and open the page.") from e
    try:
        import tkinter

        from PIL import ImageTk

        root = tkinter.Tk()
    except Exception as e:  # ImportError, TclError without a display
        raise ClipError(
            f"No window can be opened ({e}); leave out --window and open the page, or install opencv-python."
        ) from e
    label = tkinter.Label(root)
    label.pack()
    pictures = show.pictures()

    def update() -> None:
        picture = next(pictures, None)
        if picture is None:
            root.destroy()
            return
        label.image = ImageTk.PhotoImage(Image.fromarray(picture.numpy()))
        label.configure(image=label.image)
        root.title(f"FaceFlow, {show.fps:.0f} frames/s")
        root.after(1, update)

    update()
    root.mainloop()


PAGE = (Path(__file__).parent / "live.html").read_text(encoding="utf-8")
