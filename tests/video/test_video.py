"""Video: the pixels, the following of faces, the files, the page and the node."""

from __future__ import annotations

import contextlib
import http.client
import itertools
import json
import shutil
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from random import Random
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from helpers import Remembering, smooth_field, square_crop
from test_nodes import comfy, run  # noqa: F401 (a fixture)
from torch import Tensor

from flow_core.cli import live as live_module
from flow_core.cli import main as cli
from flow_core.cli import page
from flow_core.cli.live import Live
from flow_core.cli.page import serve
from flow_core.cli.sources import open_source
from flow_core.cli.window import show_window
from flow_core.editing.optimize import Settings
from flow_core.editing.painting import HAIR_RASTER
from flow_core.editing.predict import Predictor
from flow_core.faces.detect import Detector, load_detector
from flow_core.faces.hair import likely_hair
from flow_core.faces.landmarks import load_landmarks
from flow_core.fields.expressions import preset
from flow_core.fields.files import load_field
from flow_core.fields.neural import Implicit
from flow_core.fields.raster import Field
from flow_core.geometry.crop import Crop
from flow_core.geometry.grid import pixel_centers
from flow_core.guides.guide import Guide
from flow_core.guides.prompts import Prompt
from flow_core.video.ahead import ahead
from flow_core.video.clips import Clip, ClipError, Frame
from flow_core.video.editor import Editor, edit_frames
from flow_core.video.settings import VideoSettings, keyframes
from flow_core.video.smoothing import OneEuro
from flow_core.video.synthetic import motion, synthetic
from flow_core.video.writer import Writer
from flow_core.warping.frames import warp_frame
from flow_core.warping.warp import warp

av = pytest.importorskip("av")
SIZE = (192, 256)
FIELD = smooth_field(0.03, 0.0)


@pytest.fixture(scope="module")
def detector() -> Remembering:
    """Many tests show it the same frames."""
    return Remembering(load_detector())


def clip_of(portrait: Tensor, count: int, **options: object) -> list[Tensor]:
    return [f.pixels for f in itertools.islice(synthetic(portrait, SIZE, **options), count)]


@pytest.fixture(scope="module")
def frames(portraits: dict[str, Tensor]) -> list[Tensor]:
    """Twenty frames of a moving face."""
    return clip_of(portraits["grace_hopper"], 20, noise=1.0)


@pytest.fixture(scope="module")
def other(portraits: dict[str, Tensor]) -> list[Tensor]:
    """Another face, still."""
    close = portraits["astronaut"][:, :, 20:240, 90:350]
    return clip_of(close, 1, amount=0.0)


# --- the filter ---


@pytest.mark.parametrize(("cutoff", "beta", "dt"), [(0.1, 0.0, 0.2), (1.0, 40.0, 1 / 30), (4.0, 50.0, 0.005)])
def test_one_euro_leaves_a_constant_alone(cutoff: float, beta: float, dt: float) -> None:
    one, value = OneEuro(cutoff, beta), torch.tensor([[3.0, -2.0]])
    assert all(torch.equal(one(value, dt), value) for _ in range(5))


def test_one_euro_calms_noise_and_follows_motion() -> None:
    noise = torch.randn(200, 5, 2, generator=torch.Generator().manual_seed(0)) * 0.002
    one = OneEuro(1.0, 40.0, shared=True)
    calm = torch.stack([one(v, 1 / 30) for v in noise])[30:]
    assert calm.std() < 0.5 * noise.std()
    one.reset()
    moving = torch.arange(60)[:, None, None] / 30 * 0.5 + torch.zeros(60, 5, 2)  # half a side each second
    lag = (torch.stack([one(v, 1 / 30) for v in moving]) - moving)[30:].abs().max()
    assert lag < 0.01  # 5 px of a 512 px face at this speed


def test_one_euro_moves_points_as_one() -> None:
    one = OneEuro(0.5, 5.0, shared=True)
    start, shift = torch.randn(5, 2), torch.tensor([0.3, -0.1])
    one(start, 1 / 30)
    torch.testing.assert_close(one(start + shift, 1 / 30) - start, ((one.value - start)[:1]).expand(5, 2))


# --- pixels ---


@pytest.mark.parametrize("kind", ["uint8", "float"])
@pytest.mark.parametrize("degrees", [0.0, 25.0])
def test_move_is_the_warp(frames: list[Tensor], kind: str, degrees: float) -> None:
    frame = frames[0] if kind == "uint8" else frames[0] / 255
    crop = square_crop(SIZE, (128, 90), 110, degrees)
    field = smooth_field(0.03, 0.05)
    before, out = frame.clone(), frame.clone()
    (x0, y0, x1, y1), moved = warp_frame(frame, out, crop, field, interpolation="bicubic")
    assert torch.equal(frame, before)
    exact, changed = warp((frames[0] / 255).permute(2, 0, 1)[None], crop, field)
    ours = (out / 255 if kind == "uint8" else out).permute(2, 0, 1)[None]
    error = (ours - exact).abs()
    assert error.mean() < 1 / 255
    assert error.max() < 20 / 255  # an edge of full contrast that is off by a twelfth of a pixel
    touched = torch.zeros(SIZE, dtype=torch.bool)
    touched[y0:y1, x0:x1] = moved
    assert torch.equal(out[~touched], frame[~touched])
    inside = changed[0] > 0
    assert not (touched & ~inside).any(), "something outside of the face square was touched"


@pytest.mark.parametrize("seed", range(20))
def test_move_takes_any_crop(seed: int) -> None:
    random = torch.Generator().manual_seed(seed)
    frame = torch.randint(0, 256, (*SIZE, 3), dtype=torch.uint8, generator=random)
    x, y, side, degrees = (torch.rand(4, generator=random) * torch.tensor([380, 310, 300, 360])).tolist()
    x, y, side = x - 60, y - 60, side + 8  # also beyond the border
    crop, out = square_crop(SIZE, (x, y), side, degrees), frame.clone()
    warp_frame(frame, out, crop, FIELD)
    inside = crop.to_crop(pixel_centers(*SIZE) * torch.tensor([256.0, 192.0]))[0]
    outside = ((inside < 0) | (inside > 1)).any(-1)
    assert torch.equal(out[outside], frame[outside])


def test_nothing_to_do_costs_no_copy(frames: list[Tensor], detector: Detector) -> None:
    editor = Editor(FIELD, detector, VideoSettings(strength=0.0))
    assert editor.edit(frames[0]).pixels is frames[0]
    editor = Editor(Field.zeros(8), detector)
    edited = editor.edit(frames[0])
    assert torch.equal(edited.pixels, frames[0])
    assert not edited.mask().any()


def test_float_frames_keep_what_is_not_reached(frames: list[Tensor], detector: Detector) -> None:
    frame = frames[0] / 255 + 1e-4 * torch.rand(*SIZE, 3)
    edited = Editor(FIELD, detector).edit(frame)
    assert edited.pixels.dtype == torch.float32
    same = (edited.pixels == frame).all(-1)
    assert same[edited.mask() == 0].all()
    assert not same.all()


# --- following ---


@pytest.mark.parametrize(("name", "sees"), [("eyes closed", True), ("smile", False)])
def test_lids_that_shut_see_their_frame(name: str, sees: bool, astronaut: Tensor, detector: Detector) -> None:
    """What lies beside them, lashes and skin, is in no other."""
    editor = Editor(preset(name), detector)
    ((_, crop, _),) = editor.look(clip_of(astronaut, 1)[0]).asked
    assert (crop.view is not None) == sees


def test_follows_a_moving_face(frames: list[Tensor], detector: Detector, portraits: dict[str, Tensor]) -> None:
    calls: list[int] = []

    def counting(image: Tensor, *given: float, **options: float) -> list:
        calls.append(len(editor_frames))
        return detector(image, *given, **options)

    editor, editor_frames, gaps = Editor(FIELD, counting), [], []
    for i, frame in enumerate(frames):
        editor_frames.append(i)
        [face] = editor.edit(frame).faces
        assert (face.id, face.visible, face.presence) == (0, True, 1.0)
        to_face = motion(i / 30, SIZE).float()
        on_face = face.crop.points[0] @ to_face[:2, :2].T + to_face[:2, 2]
        gaps.append(on_face / face.crop.side / to_face[:2, :2].det().sqrt())
    drift = (torch.stack(gaps) - gaps[0]).norm(dim=-1).max()
    assert drift < 0.03  # of the crop's side, over the whole motion
    assert len(calls) <= 3, "the detector ran too often"


def test_every_face_keeps_its_name(frames: list[Tensor], other: list[Tensor], detector: Detector) -> None:
    wide = [torch.cat([a, other[0]], 1) for a in frames[:8]]
    editor = Editor(FIELD, detector)
    sides = []
    for frame in wide:
        edited = editor.edit(frame)
        sides.append({t.id: bool(t.crop.points[0, :, 0].mean() > 256) for t in edited.faces})
        assert edited.mask()[:, :256].any()
        assert edited.mask()[:, 256:].any()
    assert all(s == sides[0] for s in sides)
    assert sorted(sides[0].values()) == [False, True]
    one = Editor(FIELD, detector, VideoSettings(faces="one"))
    assert all(len(one.edit(frame).faces) == 1 for frame in wide[:3])


def test_a_face_that_leaves_fades_and_comes_back(frames: list[Tensor], other: list[Tensor], detector: Detector) -> None:
    hidden = frames[0].clone()
    hidden[35:125, 88:172] = hidden[:1, 88:172]  # something passes before the face, the scene stays
    story = [*[frames[0]] * 4, *[hidden] * 8, *[frames[0]] * 14]
    editor = Editor(FIELD, detector, VideoSettings(detect_every=12, fade=4))
    presence, amounts = [], []
    for frame in story:
        edited = editor.edit(frame)
        assert {t.id for t in edited.faces} <= {0}
        presence.append(edited.faces[0].presence if edited.faces else 0.0)
        amounts.append(edited.mask().sum().item())
    steps = np.diff(presence)
    assert presence[:4] == [1.0] * 4
    assert np.abs(steps).max() <= 0.25 + 1e-6, "the edit pops"
    assert presence[4:8] == [0.75, 0.5, 0.25, 0.0]
    assert presence[8:12] == [0.0] * 4
    assert presence[-1] == 1.0
    assert amounts[10] == 0


def test_a_cut_starts_anew_at_once(frames: list[Tensor], other: list[Tensor], detector: Detector) -> None:
    editor = Editor(FIELD, detector)
    seen = [editor.edit(f) for f in (*frames[:3], other[0], other[0], *frames[3:5])]
    assert [e.cut for e in seen] == [True, False, False, True, False, True, False]
    assert [len(e.faces) for e in seen] == [1] * 7
    assert all(e.faces[0].presence == 1 for e in seen)
    assert [e.faces[0].id for e in seen] == [0, 0, 0, 1, 1, 0, 0], "a face is known again after a cut"


def test_no_face(detector: Detector) -> None:
    frame = torch.full((*SIZE, 3), 90, dtype=torch.uint8)
    edited = [Editor(FIELD, detector).edit(frame) for _ in range(2)]
    assert all(e.pixels is frame and not e.faces for e in edited)


def test_the_crop_of_the_first_frame_chooses(frames: list[Tensor], other: list[Tensor], detector: Detector) -> None:
    wide = [torch.cat([a, other[0]], 1) for a in frames[:3]]
    both = Editor(FIELD, detector).edit(wide[0]).faces
    for chosen in both:
        editor = Editor(FIELD, detector, first=chosen.crop)
        for frame in wide:
            [face] = editor.edit(frame).faces
            assert (face.crop.points[0].mean(0) - chosen.crop.points[0].mean(0)).norm() < 12


# --- fields and strengths ---


def tints(editor: Editor, frames: list[Tensor]) -> Tensor:
    """How much lighter the middle of the face becomes in each frame."""
    found = []
    for frame in frames:
        frame = frame.float() / 255
        edited = editor.edit(frame)
        x, y = edited.faces[0].crop.points[0].mean(0).long().tolist()
        found.append((edited.pixels - frame)[y - 5 : y + 5, x - 5 : x + 5].mean())
    return torch.stack(found)


def test_fields_from_a_source_are_smoothed(frames: list[Tensor], detector: Detector) -> None:
    seen = []

    def source(aligned: Tensor, landmarks: Tensor) -> Field:
        assert aligned.shape == (1, 3, 96, 96)
        assert landmarks.shape == (1, 161, 2)
        assert 0 < landmarks.min() < landmarks.max() < 1
        flicker = 0.01 * (-1) ** len(seen)
        seen.append(flicker)
        return Field(torch.zeros(1, 2, 4, 4), torch.full((1, 3, 4, 4), 0.02 + flicker))

    values = tints(Editor(source, detector, VideoSettings(aligned_size=96)), frames[:12])
    assert values.diff()[4:].abs().max() < 0.5 * 0.02
    assert (values[6:].mean() - 0.02).abs() < 0.01


def test_a_predictor_looks_for_a_named_colour_once_in_each_frame(
    portraits: dict[str, Tensor], detector: Detector, guide: Guide, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a square that is as wide as hair goes."""
    looked = []

    def looking(picture: Tensor, *more: object) -> tuple[Tensor, ...]:
        looked.append(picture.shape[-1])
        return likely_hair(picture, *more)

    monkeypatch.setattr("flow_core.editing.visible.likely_hair", looking)
    editor = Editor(Predictor.load().bind(guide, Prompt.parse("red hair")), detector)
    for frame in clip_of(portraits["astronaut"], 3):
        assert editor.edit(frame).changed
    assert len(looked) == 3
    assert min(looked) > HAIR_RASTER


def test_a_source_that_depends_on_landmarks_is_steady(portraits: dict[str, Tensor], detector: Detector) -> None:
    """What it yields on a still face with noise changes by far less than what the eye sees."""

    def source(aligned: Tensor, landmarks: Tensor) -> Field:
        color = (landmarks[0].mean() - 0.5).expand(1, 3, 6, 6).contiguous()
        return Field(torch.zeros(1, 2, 6, 6), color)

    values = tints(Editor(source, detector), clip_of(portraits["grace_hopper"], 12, amount=0.0, noise=3.0))
    assert values.abs().max() > 0.005  # it does depend on them
    assert values[1:].diff().abs().max() < 1 / 512


def test_strength_over_time(frames: list[Tensor], detector: Detector) -> None:
    def touched(strength: object, seconds: float | None = None) -> list[float]:
        editor = Editor(FIELD, detector, VideoSettings(strength=strength))
        return [
            (editor.edit(f, None if seconds is None else i * seconds).pixels.int() - f.int())
            .abs()
            .float()
            .mean()
            .item()
            for i, f in enumerate(frames[:3])
        ]

    ramp = touched([0.0, 0.5, 1.0])
    assert ramp[0] == 0 < ramp[1] < ramp[2]
    assert touched(keyframes([(0, 0.0), (0.2, 1.0)]), 0.1)[0] == 0
    assert touched(keyframes([(0, 0.0), (2 / 30, 1.0)]), 1 / 30) == pytest.approx(ramp, abs=1e-3)
    with pytest.raises(ValueError, match="2 strengths"):
        touched([1.0, 1.0])
    with pytest.raises(ValueError, match="nan"):
        touched(float("nan"))
    at = keyframes([(1, 2.0), (3, 0.0)])
    assert [at(t) for t in (0, 1, 2, 3, 9)] == [2.0, 2.0, 1.0, 0.0, 0.0]
    with pytest.raises(ValueError, match="rising"):
        keyframes([(1, 0), (1, 1)])


def test_mistakes(frames: list[Tensor], detector: Detector) -> None:
    with pytest.raises(ValueError, match=r"uint8 or float 0..1, got torch.uint8 \(3, 192, 256\)"):
        Editor(FIELD, detector).edit(frames[0].permute(2, 0, 1))
    with pytest.raises(ValueError, match="256x100 pixels, those before had 256x192"):
        list(edit_frames([frames[0], frames[0][:100]], FIELD, detector))
    with pytest.raises(ValueError, match="batch of 2"):
        Editor(smooth_field(batch=2), detector).edit(frames[0])
    with pytest.raises(ValueError, match=r"100x100.*256x192"):
        Editor(FIELD, detector, first=square_crop((100, 100), (50, 50), 60)).edit(frames[0])
    for number in (float("nan"), float("inf")):
        broken = frames[0] / 255
        broken[3, 5, 1] = number
        for crop in (None, square_crop(SIZE, (128, 90), 110)):
            with pytest.raises(ValueError, match="Frame 0 holds NaN or infinite"):
                Editor(FIELD, detector, first=crop).edit(broken)
    for wrong in ({"smooth": 2}, {"faces": "some"}, {"fade": 0}, {"detect_every": 0}, {"fps": 0}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            VideoSettings(**wrong)


def test_frames_are_taken_a_few_ahead(frames: list[Tensor], detector: Detector) -> None:
    taken = []

    def endless() -> Iterator[Tensor]:
        for i in itertools.count():
            taken.append(i)
            yield frames[0]

    out = edit_frames(endless(), FIELD, detector)
    for n in range(1, 4):
        assert next(out).shape == (*SIZE, 3)
        assert n <= len(taken) <= n + 3
    out.close()
    done = len(taken)
    assert not any(t.name == "faceflow-ahead" for t in threading.enumerate())
    assert len(taken) == done


def test_a_thread_that_looks_ahead_changes_nothing(frames: list[Tensor], detector: Detector) -> None:
    timed = [Frame(f, i, i / 30) for i, f in enumerate(frames[:8])]
    editor = Editor(preset("smile"), detector, VideoSettings(fade=3))
    plain = [editor.edit(f.pixels, f.time) for f in timed]
    editor = Editor(preset("smile"), detector, VideoSettings(fade=3))
    for (frame, one), other, given in zip(editor.edits(timed), plain, timed, strict=True):
        assert frame is given
        assert torch.equal(one.pixels, other.pixels)
        assert torch.equal(one.mask(), other.mask())
        assert [(t.id, t.presence) for t in one.faces] == [(t.id, t.presence) for t in other.faces]


def test_an_error_comes_after_the_frames_before_it(frames: list[Tensor], detector: Detector) -> None:
    out = edit_frames([*frames[:3], frames[0][:100]], FIELD, detector)
    assert len([next(out) for _ in range(3)]) == 3
    with pytest.raises(ValueError, match="use one size"):
        next(out)


def test_steady_on_a_still_face(portraits: dict[str, Tensor], detector: Detector) -> None:
    """Where the edit lies barely moves with sensor noise."""
    still = clip_of(portraits["grace_hopper"], 20, amount=0.0, noise=4.0)

    def spread(smooth: float) -> float:
        editor = Editor(FIELD, detector, VideoSettings(smooth=smooth))
        return torch.cat([editor.edit(f).faces[0].crop.points for f in still])[5:].std(0).mean().item()

    usual = spread(0.5)
    assert usual < 0.15  # pixels, of a crop of 115
    assert usual < 0.7 * spread(0.0)


# --- files ---


def write(
    path: Path, frames: list[Tensor], pts: list[int] | None = None, time_base: Fraction = Fraction(1, 30),
    codec: str | None = "aac", turned: bool = False,
) -> Path:  # fmt: skip
    height, width = frames[0].shape[:2]
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=30)
        stream.width, stream.height = width, height
        even = not (width % 2 or height % 2)
        stream.pix_fmt = "yuv420p" if even else "yuv444p"
        stream.options = {"crf": "4", "preset": "ultrafast"}
        stream.codec_context.time_base = time_base
        sound = out.add_stream(codec, rate=44100, layout="mono") if codec else None
        for i, frame in enumerate(frames):
            picture = av.VideoFrame.from_ndarray(frame.numpy(), format="rgb24")
            picture.pts, picture.time_base = (pts[i] if pts else i), time_base
            out.mux(stream.encode(picture))
        out.mux(stream.encode())
        if sound:
            seconds = (pts[-1] if pts else len(frames)) * time_base
            tone = np.sin(np.arange(int(44100 * seconds)) / 16)
            form = "s16" if codec.startswith("pcm") else "fltp"
            tone = (tone * 9000).astype(np.int16) if form == "s16" else (tone * 0.3).astype(np.float32)
            for at in range(0, len(tone), 1024):
                part = av.AudioFrame.from_ndarray(tone[None, at : at + 1024], format=form, layout="mono")
                part.sample_rate, part.pts, part.time_base = 44100, at, Fraction(1, 44100)
                out.mux(sound.encode(part))
            out.mux(sound.encode(None))
    if turned:  # the display matrix lies 40 bytes into the version 0 track header
        data = bytearray(path.read_bytes())
        at = data.index(b"tkhd") + 4 + 40
        for k, number in enumerate((0, 1 << 16, 0, -(1 << 16), 0, 0)):  # a quarter turn clockwise
            data[at + 4 * k : at + 4 * k + 4] = number.to_bytes(4, "big", signed=True)
        path.write_bytes(data)
    return path


def sound_of(path: Path) -> tuple[str, list[bytes]]:
    with av.open(str(path)) as file:
        stream = file.streams.audio[0]
        return stream.codec_context.name, [bytes(p) for p in file.demux(stream) if p.size]


def copy(source: Path, target: Path, **options: object) -> list[Frame]:
    clip = Clip.open(source)
    with Writer(target, clip, **options) as out:
        for frame in ahead(iter(clip)):
            out.write(frame)
    return list(Clip.open(target))


def test_time_and_sound_are_kept(frames: list[Tensor], tmp_path: Path) -> None:
    stamps = [0, 40, 80, 200, 210, 333, 700, 1000]  # milliseconds: a variable rate
    source = write(tmp_path / "in.mp4", frames[:8], stamps, Fraction(1, 1000))
    again = copy(source, tmp_path / "new" / "out.mp4", crf=4)
    assert [round(f.time, 3) for f in again] == [s / 1000 for s in stamps]
    assert sound_of(source) == sound_of(tmp_path / "new" / "out.mp4")
    for a, b in zip(frames, again, strict=False):
        assert (a.int() - b.pixels.int()).abs().float().mean() < 4
    assert [p.name for p in (tmp_path / "new").iterdir()] == ["out.mp4"]


def test_sound_that_mp4_cannot_hold_becomes_aac(frames: list[Tensor], tmp_path: Path) -> None:
    source = write(tmp_path / "in.mkv", frames[:6], codec="pcm_s16le")
    copy(source, tmp_path / "out.mp4")
    name, packets = sound_of(tmp_path / "out.mp4")
    assert name == "aac"
    assert len(packets) >= 8


def test_silent_and_odd(frames: list[Tensor], tmp_path: Path) -> None:
    odd = [f[:131, :255].contiguous() for f in frames[:3]]
    source = write(tmp_path / "in.mp4", odd, codec=None)
    again = copy(source, tmp_path / "out.mp4", crf=4)
    assert again[0].pixels.shape == (132, 256, 3)
    assert (again[0].pixels[:131, :255].int() - odd[0].int()).abs().float().mean() < 4
    with av.open(str(tmp_path / "out.mp4")) as file:
        assert not file.streams.audio
        assert file.streams.video[0].codec_context.pix_fmt == "yuv420p"


def test_a_turned_clip_comes_out_upright(frames: list[Tensor], tmp_path: Path) -> None:
    lying = [f.rot90().contiguous() for f in frames[:2]]  # counterclockwise; the file says to turn it back
    source = write(tmp_path / "in.mp4", lying, turned=True)
    for again in (list(Clip.open(source)), copy(source, tmp_path / "out.mp4", crf=4)):
        assert again[0].pixels.shape == (*SIZE, 3)
        assert (again[0].pixels.int() - frames[0].int()).abs().float().mean() < 5


def test_an_interrupt_leaves_a_video_beside_and_a_failure_leaves_none(frames: list[Tensor], tmp_path: Path) -> None:
    source = Clip.open(write(tmp_path / "in.mp4", frames[:10]))

    def part(error: type, path: Path) -> None:
        with Writer(path, source) as out:
            for i, frame in enumerate(source):
                if i == 5:
                    raise error("now")
                out.write(frame)

    older = tmp_path / "stopped.mp4"
    older.write_bytes(b"finished long ago")
    for interrupt in (KeyboardInterrupt, SystemExit):  # Ctrl-C; SIGTERM, as the command takes it
        with pytest.raises(interrupt):
            part(interrupt, older)
        assert older.read_bytes() == b"finished long ago"
        assert len(list(Clip.open(tmp_path / "stopped.partial.mp4"))) == 5
    with pytest.raises(RuntimeError):
        part(RuntimeError, tmp_path / "failed.mp4")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["in.mp4", "stopped.mp4", "stopped.partial.mp4"]
    (tmp_path / "a.partial.mp4").symlink_to(older)
    with pytest.raises(ClipError, match="symbolic link"):
        Writer(tmp_path / "a.mp4", source)


def test_encoder_errors_are_reported(frames: list[Tensor], tmp_path: Path) -> None:
    clip = Clip.open(write(tmp_path / "in.mp4", frames[:3]))

    def write_all(*pictures: Tensor) -> None:
        with Writer(tmp_path / "out.mp4", clip) as out:
            for i, picture in enumerate(pictures):
                out.write(Frame(picture, i, i / 10))

    with pytest.raises(ClipError, match="changes its size"):
        write_all(frames[0], frames[0][:100])
    with pytest.raises(ClipError, match=r"no_such"), Writer(tmp_path / "out.mp4", clip, preset="no_such") as out:
        out.write(Frame(frames[0], 0, 0.0))
    with pytest.raises(ClipError, match="no frames"), Writer(tmp_path / "out.mp4", clip):
        pass
    with pytest.raises(ClipError, match=r"\.mp4"):
        Writer(tmp_path / "out.gif", clip)
    with pytest.raises(ClipError, match="crf"):
        Writer(tmp_path / "out.mp4", clip, crf=80)
    assert [p.name for p in tmp_path.iterdir()] == ["in.mp4"]


def test_reading_ahead_stops_with_its_reader() -> None:
    made = []

    def numbers() -> Iterator[int]:
        for i in range(1000):
            made.append(i)
            yield i

    reader = ahead(numbers(), 3)
    assert [next(reader) for _ in range(5)] == [0, 1, 2, 3, 4]
    reader.close()
    assert len(made) < 20

    def broken() -> Iterator[int]:
        yield 1
        raise RuntimeError("broken")

    with pytest.raises(RuntimeError, match="broken"):
        list(ahead(broken()))


# --- the command ---


@pytest.fixture
def in_clip(frames: list[Tensor], tmp_path: Path) -> Path:
    return write(tmp_path / "in.mp4", frames[:10])


def failure(capsys: pytest.CaptureFixture[str], *argv: object) -> str:
    assert cli.main([str(a) for a in argv]) == 2
    said = capsys.readouterr().err
    assert said.startswith("faceflow: ")
    assert "Traceback" not in said
    return said


def test_video_command(in_clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    saved, out = FIELD.save(tmp_path / "edit.safetensors"), tmp_path / "out.mp4"
    assert cli.main(["video", str(in_clip), "-o", str(out), "--field", str(saved), "--ramp", "0.2"]) == 0
    assert "10 frames, 1 face" in capsys.readouterr().out
    assert sound_of(out) == sound_of(in_clip)
    before, after = list(Clip.open(in_clip)), list(Clip.open(out))
    change = [(a.pixels.int() - b.pixels.int()).abs().float().mean().item() for a, b in zip(before, after, strict=True)]
    assert [round(f.time, 3) for f in before] == [round(f.time, 3) for f in after]
    assert change[9] > change[0] + 0.3, "the ramp is not there"
    with pytest.raises(SystemExit):
        cli.main(["video", str(in_clip), "-o", str(out), "--field", str(saved), "--strength", "2:1,1:0"])


@pytest.mark.parametrize("architecture", ["siren", "fourier"])
def test_neural_fields_move_what_their_raster_moves(
    frames: list[Tensor], detector: Detector, architecture: str
) -> None:
    neural = Implicit.zeros(architecture, width=16, noise=0.01, seed=1)
    [out] = edit_frames(frames[:1], neural, detector, VideoSettings(fade=1))
    [expected] = edit_frames(frames[:1], neural.raster(), detector, VideoSettings(fade=1))
    assert torch.equal(out, expected)
    assert not torch.equal(out, frames[0])
    [made] = edit_frames(frames[:1], lambda *_: neural, detector, VideoSettings(fade=1))
    assert torch.equal(made, expected)


def test_video_command_with_a_neural_field(in_clip: Path, tmp_path: Path) -> None:
    saved = Implicit.zeros(width=16, noise=0.01).save(tmp_path / "n.safetensors")
    assert cli.main(["video", str(in_clip), "-o", str(tmp_path / "out.mp4"), "--field", str(saved)]) == 0
    assert len(list(Clip.open(tmp_path / "out.mp4"))) == 10


def test_video_command_with_a_prompt(in_clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out, saved = tmp_path / "out.mp4", tmp_path / "made.safetensors"
    few = ("--steps", "2", "--resolution", "8", "--device", "cpu", "--save-field", str(saved))
    assert cli.main(["video", str(in_clip), "-o", str(out), "a smiling face", "--strength", "0:0,0.3:1", *few]) == 0
    assert len(list(Clip.open(out))) == 10
    assert load_field(saved).meta["prompt"] == "a smiling face"


def test_video_command_mistakes(
    in_clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out.mp4"
    saved = FIELD.save(tmp_path / "edit.safetensors")
    assert "no video at" in failure(capsys, "video", tmp_path / "none.mp4", "-o", out, "--field", saved)
    assert "cannot be opened as a video" in failure(capsys, "video", saved, "-o", out, "--field", saved)
    assert "a prompt such as" in failure(capsys, "video", in_clip, "-o", out)
    assert "not both" in failure(capsys, "video", in_clip, "a smile", "-o", out, "--field", saved)
    lost = ("--method", "predict", "--predictor", tmp_path / "none.safetensors")
    assert "no predictor weights" in failure(capsys, "video", in_clip, "a smile", "-o", out, *lost)
    assert "overwrite" in failure(capsys, "video", in_clip, "-o", in_clip, "--field", saved)
    assert ".mp4" in failure(capsys, "video", in_clip, "-o", tmp_path / "out.gif", "--field", saved)
    both = ("--field", saved, "--save-field", tmp_path / "new.safetensors")
    assert "saved already" in failure(capsys, "video", in_clip, "-o", out, *both)
    keep = ("a smile", "--save-field", in_clip.with_suffix(".safetensors"))
    shutil.copy(in_clip, keep[2])
    assert "no FaceFlow field" in failure(capsys, "video", in_clip, "-o", out, *keep)
    blank = write(tmp_path / "blank.mp4", [torch.full((96, 128, 3), 80, dtype=torch.uint8)] * 2)
    assert "No face found" in failure(capsys, "video", blank, "a smiling face", "-o", out)
    for ramp in ("nan", "inf", "-1"):
        assert "--ramp" in failure(capsys, "video", in_clip, "-o", out, "--field", saved, f"--ramp={ramp}")
    for strength in ("nan", "0:nan,1:1", "nan:0,1:1", "inf"):
        with pytest.raises(SystemExit):
            cli.main(["video", str(in_clip), "-o", str(out), "--field", str(saved), f"--strength={strength}"])
        assert "give a number" in capsys.readouterr().err
    monkeypatch.setitem(__import__("sys").modules, "av", None)
    assert "pip install av" in failure(capsys, "video", in_clip, "-o", out, "--field", saved)
    assert not out.exists()


# --- live ---


@pytest.fixture
def show(detector: Detector, guide: Guide) -> Live:
    editor = Editor(FIELD, detector, VideoSettings(detect_every=60))
    live = Live(open_source("synthetic", SIZE), editor, guide, Settings(steps=2), "a face", 8)
    live.set_field(FIELD)
    return live


def ask(address: str, method: str, path: str, body: object = None, **headers: str) -> tuple[int, object]:
    host = address.split("/")[2]
    connection = http.client.HTTPConnection(host, timeout=20)
    if body is not None:
        headers = {"Content-Type": "application/json", **headers}
    connection.request(method, path, json.dumps(body) if body is not None else None, headers)
    reply = connection.getresponse()
    data = reply.read()
    connection.close()
    return reply.status, data


def until(check: Callable[[], bool], seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < end, "it took too long"
        time.sleep(0.02)


def test_live_page(show: Live) -> None:
    with show, serve(show, 0) as address:
        code, page = ask(address, "GET", "/")
        assert (code, b"/stream" in page) == (200, True)
        stream = http.client.HTTPConnection(address.split("/")[2], timeout=20)
        stream.request("GET", "/stream")
        reply = stream.getresponse()
        assert "multipart/x-mixed-replace" in reply.headers["Content-Type"]
        for _ in range(3):
            head = b""
            while not head.endswith(b"\r\n\r\n"):
                head += reply.read(1)
            length = int(head.split(b"Content-Length: ")[1].split(b"\r")[0])
            data = reply.read(length)
            assert data.startswith(b"\xff\xd8")
            assert data.endswith(b"\xff\xd9")
        stream.close()
        until(lambda: show.status()["faces"] == 1 and show.fps > 0)
        code, body = ask(address, "POST", "/control", {"strength": 0.25})
        assert (code, json.loads(body)["strength"]) == (200, 0.25)
        assert show.editor.settings.strength == 0.25
        before = show._source
        code, body = ask(address, "POST", "/control", {"prompt": "a smiling face"})
        assert (code, json.loads(body)["prompt"]) == (200, "a smiling face")
        until(lambda: show._source is not before)
        assert show._source(None, None).meta["prompt"] == "a smiling face"
        count = show.count
        until(lambda: show.count > count)
        assert json.loads(ask(address, "GET", "/status")[1])["frames"] > count
    assert not any(t.is_alive() for t in show._threads)


def test_live_answers_its_own_page_only(show: Live) -> None:
    with serve(show, 0) as address:  # no picture is needed
        own = address.rstrip("/")
        assert ask(address, "POST", "/control", {"strength": 0.5}, Origin=own)[0] == 200
        assert ask(address, "POST", "/control", {"strength": 2.0}, Origin="http://elsewhere.example")[0] == 403
        assert ask(address, "GET", "/status", Host="elsewhere.example")[0] == 403
        assert ask(address, "POST", "/control", {"strength": 2.0}, **{"Content-Type": "text/plain"})[0] == 415
        assert ask(address, "GET", "/../secret")[0] == 404
        for wrong in ({"strength": 9}, {"strength": "x"}, {"prompt": 3}, {"other": 1}, [1], {"prompt": "smile:9"}):
            code, body = ask(address, "POST", "/control", wrong)
            assert code == 400
            assert json.loads(body)["error"]
        assert show.strength == 0.5


def test_live_gives_nothing_to_other_sites(show: Live) -> None:
    """An <img> or a frame of another page, or one of another port; browsers send an <img> without an Origin."""
    with serve(show, 0) as address:
        for path in ("/", "/status", "/stream"):
            for site in ("cross-site", "same-site"):
                headers = {"Sec-Fetch-Site": site, "Sec-Fetch-Dest": "image", "Sec-Fetch-Mode": "no-cors"}
                assert ask(address, "GET", path, **headers)[0] == 403
        assert ask(address, "GET", "/", **{"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Dest": "iframe"})[0] == 403
        assert ask(address, "GET", "/", **{"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Dest": "document"})[0] == 200
        assert ask(address, "GET", "/status", **{"Sec-Fetch-Site": "same-origin"})[0] == 200
        for path in ("/", "/status", "/none"):
            connection = http.client.HTTPConnection(address.split("/")[2], timeout=20)
            connection.request("GET", path)
            headers = connection.getresponse().headers
            connection.close()
            assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
            assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]


def test_live_says_what_is_wrong_with_a_request(show: Live) -> None:
    with serve(show, 0) as address:
        for body, headers in (
            (b"[" * 9000, {}), (b"{", {}), (b"\xff", {}), (b"{}", {"Content-Length": "-1"}), (b"{}", {"Content-Length": "\u00b2"}),
            (b"{}", {"Content-Length": "99999"}),
        ):  # fmt: skip
            connection = http.client.HTTPConnection(address.split("/")[2], timeout=20)
            connection.request("POST", "/control", body, {"Content-Type": "application/json", **headers})
            reply = connection.getresponse()
            assert reply.status == 400
            assert "send" in json.loads(reply.read())["error"].lower()
            connection.close()


def test_live_is_not_held_by_those_who_say_nothing(
    show: Live, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Half-open connections are few, end soon, and leave no traceback; neither do those that break off."""
    monkeypatch.setattr(page, "MOST_CONNECTIONS", 8)
    monkeypatch.setattr(page._Handler, "timeout", 1.0)
    before = threading.active_count()
    with serve(show, 0) as address:
        host, port = address.split("/")[2].split(":")
        held = [socket.create_connection((host, int(port)), timeout=5) for _ in range(30)]
        for one in held[:4]:
            one.sendall(b"POST /control HTTP/1.1\r\nHost: ")
        for one in held[4:8]:  # reset, with data unread
            one.sendall(b"GET / HTTP/1.1\r\nHost: " + host.encode() + b":" + port.encode() + b"\r\n\r\n")
            one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            one.close()
        time.sleep(0.3)
        assert threading.active_count() <= before + 1 + 8
        until(lambda: threading.active_count() <= before + 1, 10)
        assert ask(address, "GET", "/status")[0] == 200
        for one in held:
            one.close()
    assert capsys.readouterr().err == ""


def test_live_answers_nonsense_with_an_error(show: Live, capsys: pytest.CaptureFixture[str]) -> None:
    random = Random(2)
    parts = [b"GET ", b"POST ", b"/control", b"/stream", b" HTTP/1.1\r\n", b"\r\n\r\n", b"Content-Length: 5\r\n", b"[[[[", b"\0\xff",
             b"Host: 127.0.0.1\r\n", b"HTTP/9", b"Content-Type: application/json\r\n", b"x" * 70000]  # fmt: skip
    with serve(show, 0) as address:
        host, port = address.split("/")[2].split(":")
        for _ in range(40):
            one = socket.create_connection((host, int(port)), timeout=20)
            with contextlib.suppress(ConnectionError), one:  # refused before all was sent
                one.sendall(b"".join(random.choices(parts, k=random.randrange(1, 9))))
                with contextlib.suppress(OSError):  # it was closed already, which has no error of its own
                    one.shutdown(socket.SHUT_WR)
                assert not one.recv(100).startswith((b"HTTP/1.0 2", b"HTTP/1.0 500", b"HTTP/1.1 2"))
        assert ask(address, "GET", "/status")[0] == 200
        assert show.strength == 1.0
    assert capsys.readouterr().err == ""


def test_live_keeps_what_was_when_a_prompt_is_refused(show: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    with show:
        show.change(prompt="a smiling face")
        until(lambda: show.message == "" and show._job is None)
        field = show._source
        for wrong in ({"prompt": "smile:9"}, {"prompt": "|", "strength": 0.1}):
            with pytest.raises(ValueError):  # noqa: PT011 (whatever the sentence is)
                show.change(**wrong)
        assert (show.prompt, show.strength, show._source) == ("a smiling face", 1.0, field)

        def fails(*_: object, **__: object) -> None:
            raise RuntimeError("no memory")

        monkeypatch.setattr(live_module, "make_field", fails)
        show.change(prompt="an angry face")
        until(lambda: "no memory" in show.message)
        assert (show.prompt, show._source) == ("a smiling face", field)


def test_live_works_on_the_newest_prompt_only(show: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever types faster than fields are made neither piles up threads nor waits for what is outdated."""
    begun, release = [], threading.Event()

    def slow(photo: Tensor, crop: Crop, guide: Guide, prompt: object, **options: Callable) -> Field:
        begun.append(str(prompt))
        release.wait(20)
        options["watch"](SimpleNamespace(index=1))
        return Field.zeros(4).with_meta(prompt=str(prompt))

    monkeypatch.setattr(live_module, "make_field", slow)
    with show:
        until(lambda: show._view is not None)
        threads = threading.active_count()
        for i in range(40):
            show.change(prompt=f"a smiling face number {i}")
        until(lambda: bool(begun))
        assert threading.active_count() <= threads + 1
        release.set()
        until(lambda: show._job is None)
        assert show._source(None, None).meta["prompt"] == begun[-1] == "a smiling face number 39"
        assert len(begun) <= 3


@pytest.mark.parametrize("port", ["70000", "-1", "x"])
def test_a_port_is_a_number_of_16_bits(port: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        cli.main(["live", "synthetic", f"--port={port}"])
    assert "from 0 (any free one) to 65535" in capsys.readouterr().err


def test_live_sources(in_clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = open_source(str(in_clip))
    seen = [f.time for f in itertools.islice(source, 12)]  # ten frames, then from the start again
    source.close()
    assert seen == sorted(seen)
    with pytest.raises(ClipError, match="no video at"):
        open_source(str(tmp_path / "none.mp4"))
    monkeypatch.setitem(__import__("sys").modules, "cv2", None)
    with pytest.raises(ClipError, match=r"[Cc]amera"):
        next(open_source("97"))


def test_a_window_that_cannot_be_opened(show: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("cv2", "tkinter"):
        monkeypatch.setitem(__import__("sys").modules, module, None)
    with pytest.raises(ClipError, match="leave out --window"):
        show_window(show)


# --- the node ---


@pytest.fixture(scope="module")
def images(frames: list[Tensor]) -> Tensor:
    """An IMAGE of 4 frames."""
    return torch.stack(frames[:4]).float() / 255


def edit(comfy: SimpleNamespace, images: Tensor, **inputs: object) -> tuple[Tensor, Tensor]:  # noqa: F811
    with torch.inference_mode():
        return run(comfy, "FaceFlowVideo", image=images.clone(), **inputs).args


@pytest.fixture
def field(comfy: SimpleNamespace) -> object:  # noqa: F811
    """As the pack's own class, which is not flow_core's where ComfyUI loads it."""
    path = FIELD.save(comfy.root / "input" / "video.safetensors")
    return run(comfy, "FaceFlowLoad", file=f"input/{path.name}")[0]


def test_node(comfy: SimpleNamespace, images: Tensor, field: object) -> None:  # noqa: F811
    seen = []
    comfy.utils.set_progress_bar_global_hook(lambda value, total, preview, node_id=None: seen.append((value, preview)))
    out, changed, *_ = edit(comfy, images, field=field)
    comfy.utils.set_progress_bar_global_hook(None)
    assert [v for v, _ in seen] == [1, 2, 3, 4]
    assert seen[-1][1][0] == "JPEG"
    assert out.shape == images.shape
    assert changed.shape == images.shape[:3]
    assert changed.flatten(1).any(1).all()
    assert torch.equal(out[changed == 0], images[changed == 0])
    assert not torch.equal(out, images)
    assert torch.equal(edit(comfy, images, field=field, strength=0.0)[0], images)
    ramp, *_ = edit(comfy, images, field=field, strengths=[0.0, 0.0, 1.0, 1.0])
    assert torch.equal(ramp[:2], images[:2])
    assert not torch.equal(ramp[2:], images[2:])
    curve, *_ = edit(comfy, images, field=field, strengths=SimpleNamespace(interp=lambda x: float(x > 0.5)))
    assert torch.equal(curve, ramp)
    with pytest.raises(ValueError, match="2 strengths for 4 frames"):
        edit(comfy, images, field=field, strengths=[1.0, 2.0])


def test_node_with_a_neural_field(comfy: SimpleNamespace, images: Tensor) -> None:  # noqa: F811
    path = Implicit.zeros(width=16, noise=0.01).save(comfy.root / "input" / "neural.safetensors")
    out, changed, *_ = edit(comfy, images, field=run(comfy, "FaceFlowLoad", file=f"input/{path.name}")[0])
    assert changed.flatten(1).any(1).all()
    assert not torch.equal(out, images)


def test_node_with_crop_and_other_channels(comfy: SimpleNamespace, images: Tensor, field: object) -> None:  # noqa: F811
    crop = run(comfy, "FaceFlowAlign", image=images[:1], aligned_size=64)[0]
    out, changed, *_ = edit(comfy, images, field=field, crop=crop)
    assert changed.flatten(1).any(1).all()
    alpha = torch.rand(*images.shape[:3], 1)
    both, *_ = edit(comfy, torch.cat([images, alpha], -1), field=field, crop=crop)
    assert torch.equal(both[..., :3], out)
    assert torch.equal(both[..., 3:], alpha)
    grey, *_ = edit(comfy, images[..., :1], field=field)
    assert grey.shape == (*images.shape[:3], 1)


def test_node_with_a_predictor(comfy: SimpleNamespace, images: Tensor, field: object) -> None:  # noqa: F811
    predictor = run(comfy, "FaceFlowLoadPredictor", predictor="builtin")[0]
    guide = run(comfy, "FaceFlowLoadGuide", guide="nano")[0]
    out, changed, *_ = edit(comfy, images, predictor=predictor, guide=guide, prompt="a frown")
    assert not torch.equal(out, images)
    assert changed.flatten(1).any(1).all()
    smile, *_ = edit(comfy, images, predictor=predictor, guide=guide, prompt="a smile")
    assert not torch.equal(out, smile)
    with pytest.raises(ValueError, match=r"[Cc]onnect"):
        edit(comfy, images, field=field, predictor=predictor)
    alone, *_ = edit(comfy, images, prompt="a smile")
    assert torch.equal(alone, smile)  # the built-in models do what these do


def test_node_can_be_cancelled(comfy: SimpleNamespace, images: Tensor, field: object) -> None:  # noqa: F811
    seen = []

    def hook(value: int, total: int, preview: tuple | None, node_id: str | None = None) -> None:
        seen.append(value)
        comfy.mm.interrupt_current_processing(value == 2)

    comfy.utils.set_progress_bar_global_hook(hook)
    with pytest.raises(comfy.mm.InterruptProcessingException):
        edit(comfy, images, field=field)
    comfy.utils.set_progress_bar_global_hook(None)
    assert seen == [1, 2]


def test_the_crop_is_the_networks(frames: list[Tensor], detector: Detector) -> None:
    """The tracker sees what the landmark network sees in the whole picture."""
    [face] = Editor(FIELD, detector).edit(frames[0]).faces
    picture = frames[0].permute(2, 0, 1)[None] / 255
    exact = load_landmarks().refine(picture, Crop.from_points(face.crop.points, SIZE))
    assert (exact.points - face.crop.points).norm(dim=-1).max() < 0.02 * face.crop.side
