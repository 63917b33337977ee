"""Edit a moving picture while it is seen: the editor in a thread, whose prompt and strength may be changed at any time."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from types import TracebackType

from torch import Tensor

from ..editing.edit import make_field
from ..editing.optimize import Settings, Step
from ..editing.predict import Predictor
from ..fields.base import FlowField
from ..fields.new import new_field
from ..fields.raster import Field
from ..geometry.crop import Crop
from ..guides.guide import Guide
from ..guides.prompts import Prompt
from ..video.clips import Frame
from ..video.editor import Editor, FieldSource

STRENGTHS = (-2.0, 3.0)


def _needs_fit(source: FieldSource) -> bool:
    return getattr(source, "needs_fit", False)


class _Outdated(Exception):
    """Raised in an optimisation whose prompt was replaced by a newer one, or that is to stop."""


@dataclass(frozen=True)
class _Job:
    """A prompt to be optimised, and the prompt that was shown before it."""

    text: str
    prompt: Prompt
    before: str


class Live:
    """Runs the editor in a thread and keeps the latest picture. A context manager.

    Strength and prompt may be changed while it runs, from any thread. With a predictor a new prompt takes effect at once. Without
    one it is optimised in another thread, on the face as it is seen at that moment, and its field then replaces the old one. One
    prompt is optimised at a time: a newer one ends the work on an older one. A prompt that is refused, or that fails, changes
    nothing.

    Args:
        frames: without end, such as of :func:`flow_core.cli.sources.open_source`.
        editor: edits them.
        guide: reads prompts.
        how: settings of the optimisation.
        neutral: the neutral text.
        resolution: control points a side, of fields that have them.
        predictor: makes the fields, if given.

    Attributes:
        prompt: what is shown, or being made.
        message: progress or failure of the last prompt.
        error: what stopped the thread, if anything did.
        count: frames done.
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
        source = self._source  # read once, as another thread may replace it at any time
        return source(aligned, landmarks, **more) if _needs_fit(source) else source(aligned, landmarks)

    @property
    def needs_fit(self) -> bool:
        return _needs_fit(self._source)

    @property
    def paints(self) -> tuple[str, ...]:
        return getattr(self._source, "paints", ())

    @property
    def fps(self) -> float:
        """Frames a second, over the last 30 frames."""
        times = list(self._times)
        return (len(times) - 1) / (times[-1] - times[0]) if len(times) > 1 and times[-1] > times[0] else 0.0

    @property
    def strength(self) -> float:
        return self.editor.settings.strength

    def status(self) -> dict[str, object]:
        """What the page shows: fps, frames, faces, strength, prompt and message."""
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
        """Wait until the source ends or fails."""
        while not self._stop.wait(0.2):
            pass

    def set_field(self, field: FlowField) -> None:
        """Show this field, from the next frame on."""
        self._source: FieldSource = lambda aligned, landmarks: field

    def change(self, strength: float | None = None, prompt: str | None = None) -> None:
        """Change the strength from the next frame on, or the prompt as soon as its field is made.

        Raises:
            ValueError: the strength is out of range, or the prompt cannot be parsed.
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
            if strength is not None:  # last, as a refused prompt must change nothing
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
        """The thread that optimises prompts, always the newest one."""
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
        """The latest picture ``[H,W,3]``, each time that there is a new one; a slow reader misses some."""
        seen = 0
        while not self._stop.is_set():
            with self._news:
                while self.count <= seen and not self._stop.is_set():
                    self._news.wait()
                picture, seen = self._shown, self.count
            if picture is not None and not self._stop.is_set():
                yield picture
