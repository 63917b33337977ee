"""Clips as people have them: turned and mirrored, with covers and strange sound, cut off, damaged, transparent, late."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from fractions import Fraction
from itertools import islice, pairwise
from pathlib import Path
from random import Random
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from helpers import Remembering, smooth_field
from PIL import Image
from torch import Tensor

from flow_core.cli import main as cli
from flow_core.fields.expressions import preset
from flow_core.geometry.worn import Worn
from flow_core.video import tracking
from flow_core.video.ahead import ahead
from flow_core.video.clips import Clip, ClipError, DamagedClip
from flow_core.video.editor import Editor
from flow_core.video.remarks import Remarks
from flow_core.video.settings import VideoSettings
from flow_core.video.tracking import Track, best_view
from flow_core.video.writer import Writer

av = pytest.importorskip("av")
CORNERS = ((255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 0))  # upper left, upper right, lower left, lower right


def signal_picture(height: int = 48, width: int = 80) -> np.ndarray:
    """Each quarter of another colour."""
    picture = np.zeros((height, width, 3), np.uint8)
    h, w = height // 2, width // 2
    for color, at in zip(CORNERS, ((slice(h), slice(w)), (slice(h), slice(w, None)), (slice(h, None), slice(w)),
                                   (slice(h, None), slice(w, None))), strict=True):  # fmt: skip
        picture[at] = color
    return picture


def shot(
    path: Path, pictures: list[np.ndarray], codec: str = "libx264", pix_fmt: str = "yuv444p", first: int = 0,
    sound: int = 0, aspect: Fraction | None = None, **options: str,
) -> Path:  # fmt: skip
    """A clip of 25 frames a second, with so many sound tracks."""
    height, width = pictures[0].shape[:2]
    with av.open(str(path), "w", options=options) as out:
        stream = out.add_stream(codec, rate=25)
        stream.width, stream.height, stream.pix_fmt = width, height, pix_fmt
        if codec == "libx264":
            stream.options = {"crf": "4", "preset": "ultrafast", "g": "5", "bf": "0"}
        if aspect:
            stream.codec_context.sample_aspect_ratio = aspect
        tracks = [out.add_stream("aac", rate=44100, layout="mono") for _ in range(sound)]
        for i, picture in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(picture, format="rgba" if picture.shape[2] == 4 else "rgb24")
            frame.pts, frame.time_base = first + i, Fraction(1, 25)
            out.mux(stream.encode(frame))
        out.mux(stream.encode())
        for track in tracks:
            for at in range(0, 44100 * len(pictures) // 25, 1024):
                part = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
                part.sample_rate, part.pts, part.time_base = 44100, at + first * 1764, Fraction(1, 44100)
                out.mux(track.encode(part))
            out.mux(track.encode(None))
    return path


def turned(path: Path, a: int, b: int, c: int, d: int) -> Path:
    """The file with another display matrix, 40 bytes into the version 0 track header."""
    data = bytearray(path.read_bytes())
    at = data.index(b"tkhd") + 4 + 40
    for k, number in enumerate((a, b, 0, c, d, 0)):
        data[at + 4 * k : at + 4 * k + 4] = (number << 16).to_bytes(4, "big", signed=True)
    path.write_bytes(data)
    return path


def corners(picture: Tensor) -> list[int]:
    """Which of the colours each corner shows."""
    h, w = picture.shape[:2]
    seen = [picture[y, x].int() for y in (h // 4, 3 * h // 4) for x in (w // 4, 3 * w // 4)]
    return [int((torch.tensor(CORNERS) - s).abs().sum(1).argmin()) for s in seen]


@pytest.mark.parametrize("name", ["photo.jpg", "photo.png"])
def test_a_picture_is_no_clip(tmp_path: Path, name: str) -> None:
    """PyAV does not know all that lies beside the pixels of a picture, and would say so in its own words."""
    photo, exif = Image.fromarray(signal_picture()), Image.Exif()
    exif[0x010F] = "Camera"
    photo.save(tmp_path / name, exif=exif)
    with pytest.raises(ClipError, match=r"is a picture.*faceflow copy"):
        Clip.open(tmp_path / name)


@pytest.mark.parametrize(
    ("matrix", "shown"),
    [
        ((1, 0, 0, 1), [0, 1, 2, 3]),
        ((-1, 0, 0, 1), [1, 0, 3, 2]),  # mirrored, as front cameras do
        ((1, 0, 0, -1), [2, 3, 0, 1]),
        ((-1, 0, 0, -1), [3, 2, 1, 0]),  # upside down
        ((0, 1, -1, 0), [2, 0, 3, 1]),  # a quarter clockwise
        ((0, -1, 1, 0), [1, 3, 0, 2]),
        ((0, 1, 1, 0), [0, 2, 1, 3]),  # transposed
        ((0, -1, -1, 0), [3, 1, 2, 0]),
    ],
)
def test_any_display_matrix(matrix: tuple[int, int, int, int], shown: list[int], tmp_path: Path) -> None:
    source = turned(shot(tmp_path / "in.mp4", [signal_picture()] * 2, aspect=Fraction(4, 3)), *matrix)
    clip = Clip.open(source)
    frames = list(clip)
    assert [corners(f.pixels) for f in frames] == [shown] * 2
    lying = matrix[0] == 0
    assert frames[0].pixels.shape == ((80, 48, 3) if lying else (48, 80, 3))
    assert clip.aspect == (Fraction(3, 4) if lying else Fraction(4, 3))
    with Writer(tmp_path / "out.mp4", clip) as out:
        for frame in frames:
            out.write(frame)
    again = Clip.open(tmp_path / "out.mp4")
    assert (again.aspect, corners(next(iter(again)).pixels)) == (clip.aspect, shown)


def test_a_cover_is_no_film(tmp_path: Path) -> None:
    path = tmp_path / "in.mkv"
    with av.open(str(path), "w") as out:
        cover, film = out.add_stream("mjpeg", rate=1), out.add_stream("libx264", rate=25)
        for stream, size in ((cover, 64), (film, 48)):
            stream.width = stream.height = size
            stream.pix_fmt = "yuvj420p" if stream is cover else "yuv420p"
        for i in range(6):
            for stream, size in ((cover, 64), (film, 48)) if i == 0 else ((film, 48),):
                frame = av.VideoFrame.from_ndarray(np.full((size, size, 3), 40 * i, np.uint8), format="rgb24")
                frame.pts, frame.time_base = i, Fraction(1, 25)
                out.mux(stream.encode(frame))
        for stream in (cover, film):
            out.mux(stream.encode())
    assert [f.pixels.shape for f in Clip.open(path)] == [(48, 48, 3)] * 6


def test_sound_of_an_unknown_kind_is_left_out_and_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = shot(tmp_path / "in.mov", [signal_picture()] * 5, sound=2)
    data = source.read_bytes()
    track = data.rindex(b"stsd")
    source.write_bytes(data[:track] + data[track:].replace(b"mp4a", b"apac").replace(b"esds", b"free"))
    out, field = tmp_path / "out.mp4", smooth_field().save(tmp_path / "edit.safetensors")
    assert cli.main(["video", str(source), "--field", str(field), "-o", str(out)]) == 0
    assert "Sound track 2 of in.mov is left out" in capsys.readouterr().err
    with av.open(str(out)) as file:
        assert [s.codec_context.name for s in file.streams.audio] == ["aac"]


def test_sound_that_a_mov_file_cannot_hold_becomes_aac(tmp_path: Path) -> None:
    path = tmp_path / "in.mkv"
    with av.open(str(path), "w") as out:
        film, track = out.add_stream("libx264", rate=25), out.add_stream("flac", rate=44100, layout="mono")
        film.width = film.height = 48
        film.pix_fmt = "yuv420p"
        for i in range(4):
            frame = av.VideoFrame.from_ndarray(np.zeros((48, 48, 3), np.uint8), format="rgb24")
            frame.pts, frame.time_base = i, Fraction(1, 25)
            out.mux(film.encode(frame))
            part = av.AudioFrame.from_ndarray(np.zeros((1, 1764), np.int16), format="s16", layout="mono")
            part.sample_rate, part.pts, part.time_base = 44100, 1764 * i, Fraction(1, 44100)
            out.mux(track.encode(part))
        out.mux(film.encode())
        out.mux(track.encode(None))
    clip = Clip.open(path)
    for suffix, kind in ((".mov", "aac"), (".mp4", "flac")):
        with Writer(tmp_path / f"out{suffix}", clip) as writer:
            for frame in clip:
                writer.write(frame)
        with av.open(str(tmp_path / f"out{suffix}")) as file:
            assert file.streams.audio[0].codec_context.name == kind


def moving(count: int) -> list[np.ndarray]:
    noise = np.random.default_rng(0).integers(0, 255, (96, 128, 3), dtype=np.uint8)
    return [np.roll(noise, 3 * i, 1) for i in range(count)]


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 6 // 10])


def holed(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2 : len(data) // 2 + 40_000] = bytes(40_000)
    path.write_bytes(data)


@pytest.mark.parametrize(
    ("name", "damage"),
    [("in.mp4", cut), ("in.mkv", cut), ("in.avi", cut), ("in.avi", holed)],
    ids=lambda v: getattr(v, "__name__", v),
)
@pytest.mark.parametrize("sound", [0, 1])
def test_lost_frames_are_told(name: str, damage: Callable[[Path], None], sound: int, tmp_path: Path) -> None:
    source = shot(tmp_path / name, moving(40), sound=sound, **({"movflags": "faststart"} if "mp4" in name else {}))
    assert len(list(Clip.open(source))) == 40
    damage(source)
    frames = []
    with pytest.raises(DamagedClip) as told:
        frames.extend(ahead(iter(Clip.open(source))))
    assert 10 < len(frames) < 40
    lost = int(str(told.value).split()[2])
    gone = 40 - len(frames)
    assert 1 <= lost <= gone if damage is holed else lost == pytest.approx(gone, abs=2)


@pytest.mark.parametrize("kind", ["mp4", "mov", "mkv", "avi", "ts", "webm", "gif"])
def test_whole_clips_are_not_called_damaged(kind: str, tmp_path: Path) -> None:
    codec, pix_fmt = {"webm": ("libvpx-vp9", "yuv420p"), "gif": ("gif", "rgb8")}.get(kind, ("libx264", "yuv420p"))
    source = shot(tmp_path / f"in.{kind}", moving(12), codec, pix_fmt, sound=int(kind not in ("webm", "gif")))
    assert len(list(Clip.open(source))) == 12


def test_a_damaged_clip_never_replaces_a_whole_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source, out = shot(tmp_path / "in.mkv", moving(40)), tmp_path / "out.mp4"
    cut(source)
    out.write_bytes(b"finished long ago")
    field = smooth_field().save(tmp_path / "edit.safetensors")
    assert cli.main(["video", str(source), "--field", str(field), "-o", str(out)]) == 2
    said = capsys.readouterr().err
    kept = len(list(Clip.open(tmp_path / "out.partial.mp4")))
    assert f"out.partial.mp4 holds the {kept} frames that were done" in said
    assert f"At least {40 - kept} frames of {source} cannot be read" in said
    assert out.read_bytes() == b"finished long ago"
    assert not list(tmp_path.glob(".faceflow*"))


@pytest.mark.parametrize("kind", ["mp4", "mkv", "avi"])
def test_mutated_clips_are_read_or_refused(kind: str, tmp_path: Path) -> None:
    """Never another error than ours, and never without end."""
    whole, random = shot(tmp_path / f"in.{kind}", moving(6), sound=1).read_bytes(), Random(kind)
    for _ in range(12):
        data = bytearray(whole)
        for _ in range(random.choice((1, 3, 30))):
            at = random.randrange(len(data) if random.random() < 0.5 else 1500)
            change = random.randrange(4)
            if change == 0:
                data[at] = random.randrange(256)
            elif change == 1:
                data[at : at + 4] = random.choice((b"\xff" * 4, b"\0" * 4, b"\x7f\xff\xff\xff"))
            elif change == 2:
                del data[at : at + random.randrange(1, 200)]
            else:
                data[at:at] = data[at : at + random.randrange(1, 50)]
        (tmp_path / f"in.{kind}").write_bytes(data)
        frames: list[object] = []
        with suppress(ClipError):
            frames.extend(islice(Clip.open(tmp_path / f"in.{kind}"), 100))
        assert len(frames) < 100


def test_no_film_no_frame_and_too_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    song = tmp_path / "song.mp4"
    with av.open(str(song), "w", format="mp3") as out:
        track = out.add_stream("mp3", rate=44100, layout="mono")
        for i in range(30):
            part = av.AudioFrame.from_ndarray(np.zeros((1, 1152), np.float32), format="fltp", layout="mono")
            part.sample_rate, part.pts = 44100, 1152 * i
            out.mux(track.encode(part))
        out.mux(track.encode(None))
    with pytest.raises(ClipError, match="no video stream"):
        Clip.open(song)
    source = shot(tmp_path / "in.mkv", moving(1))
    monkeypatch.setattr("flow_core.video.clips.MOST_PIXELS", 96 * 128 - 1)
    with pytest.raises(ClipError, match="128x96 pixels"):
        Clip.open(source)
    monkeypatch.setattr("flow_core.video.clips._decoded", lambda *_: iter(()))
    monkeypatch.setattr("flow_core.video.clips.MOST_PIXELS", 10**9)
    with pytest.raises(ClipError, match="no frame that can be read"):
        Clip.open(source)


def test_what_a_copy_cannot_keep_is_told(tmp_path: Path) -> None:
    clear = np.dstack([signal_picture(), np.full((48, 80), 90, np.uint8)])
    opaque = np.dstack([signal_picture(), np.full((48, 80), 255, np.uint8)])
    assert "transparent" in Clip.open(shot(tmp_path / "a.mkv", [clear] * 2, "ffv1", "yuva420p")).notes[0]
    assert Clip.open(shot(tmp_path / "b.mov", [opaque] * 2, "png", "rgba")).notes == ()
    assert "10 bits" in Clip.open(shot(tmp_path / "c.mkv", moving(2), "ffv1", "yuv420p10le")).notes[0]


def test_a_broadcast_begins_at_nought(tmp_path: Path) -> None:
    """With frames and sound still together."""
    clip = Clip.open(shot(tmp_path / "in.ts", moving(5), pix_fmt="yuv420p", first=250, sound=1))
    assert clip.start > 9
    with Writer(tmp_path / "out.mp4", clip) as out:
        for frame in clip:
            out.write(frame)
    with av.open(clip.path) as before, av.open(str(tmp_path / "out.mp4")) as after:
        gaps = [
            float(f.streams.video[0].start_time * f.streams.video[0].time_base)
            - float(f.streams.audio[0].start_time * f.streams.audio[0].time_base)
            for f in (before, after)
        ]
        assert after.start_time / 1e6 < 0.1
    assert gaps[0] == pytest.approx(gaps[1], abs=0.05)


# --- faces ---


def test_a_small_face_in_a_large_frame(portraits: dict[str, Tensor], finder: Remembering) -> None:
    """Eight pixels wide in the frame that is looked at in between; in a still it is found."""
    face = torch.nn.functional.interpolate(portraits["grace_hopper"], (90, 77), mode="bilinear", antialias=True)
    frame = torch.full((1080, 1920, 3), 110, dtype=torch.uint8)
    frame[500:590, 800:877] = (face[0].permute(1, 2, 0) * 255).byte()
    editor = Editor(smooth_field(), finder)
    assert [len(editor.edit(frame).faces) for _ in range(2)] == [1, 1]
    assert not tracking.Tracker(finder).detect(frame, closely=False)
    stream = [SimpleNamespace(pixels=frame, time=0.0)]
    assert best_view(stream, finder) is not None


def test_glasses_are_a_matter_of_votes() -> None:
    track = Track(0, None, None)
    seen = []
    worn = Worn(top=0.1)
    for look in (worn, None, worn, Worn(True, 0.1), None, *[None] * 12):
        track.vote(look)
        seen.append(track.glasses)
    assert seen[:7] == [(worn,)] * 7, "one look changed its mind"
    assert seen[-1] == (None,)
    assert sum(a != b for a, b in pairwise(seen)) == 1


def test_glasses_stay_rigid_in_a_clip(
    portraits: dict[str, Tensor], finder: Remembering, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Found once for each face, not anew in every frame; what the crop of the first frame says holds."""
    frame = (portraits["astronaut"][0, :, 20:240, 90:350].permute(1, 2, 0) * 255).byte().contiguous()
    looks: list[int] = []

    def worn(answer: Worn | None) -> None:
        monkeypatch.setattr(tracking, "glasses_worn", lambda image, crop: looks.append(1) or (answer,))

    def edited(first: object = None) -> tuple[tuple[Worn | None, ...], Tensor]:
        editor = Editor(preset("anger"), finder, VideoSettings(), first)
        for _ in range(9):
            done = editor.edit(frame)
        return done.faces[0].crop.glasses, done.pixels

    worn(None)
    glasses, bare = edited()
    assert (glasses, len(looks)) == ((None,), 3)
    worn(Worn())
    glasses, rigid = edited()
    assert glasses == (Worn(),)
    assert not torch.equal(bare, rigid)
    crop = Editor(preset("anger"), finder).edit(frame).faces[0].crop
    looks.clear()
    glasses, _ = edited(tracking.replace(crop, glasses=(None,)))
    assert (glasses, looks) == ((None,), [])


# --- kills and full disks ---


def command(*argv: object, **options: object) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-m", "flow_core.cli", *map(str, argv)], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        text=True, cwd=Path(__file__).parents[2], **options,
    )  # fmt: skip


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
@pytest.mark.parametrize(("kill", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_kill_leaves_what_plays(kill: int, code: int, tmp_path: Path) -> None:
    source, out = shot(tmp_path / "in.mkv", moving(400)), tmp_path / "out.mp4"
    out.write_bytes(b"finished long ago")
    field = smooth_field().save(tmp_path / "edit.safetensors")
    # who starts the tests in the background has Ctrl-C ignored
    running = command(
        "video", source, "--field", field, "-o", out, preexec_fn=lambda: signal.signal(kill, signal.SIG_DFL)
    )
    end = time.monotonic() + 120
    while not any(p.stat().st_size for p in tmp_path.glob(".faceflow*.mp4")) and time.monotonic() < end:
        time.sleep(0.01)
    running.send_signal(kill)
    said = running.communicate(timeout=120)[1]
    assert (running.returncode, "Traceback" in said) == (code, False), said
    assert out.read_bytes() == b"finished long ago"
    assert not list(tmp_path.glob(".faceflow*"))
    part = tmp_path / "out.partial.mp4"
    if part.exists():  # it may have been too early
        assert f"holds the {len(list(Clip.open(part)))} frames" in said


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="limits of POSIX")
def test_a_full_disk_loses_nothing(tmp_path: Path) -> None:
    source, out = shot(tmp_path / "in.mkv", moving(60)), tmp_path / "out.mp4"
    out.write_bytes(b"finished long ago")
    field = smooth_field().save(tmp_path / "edit.safetensors")

    def limit() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, 60_000))

    running = command("video", source, "--field", field, "-o", out, "--crf", "4", preexec_fn=limit)
    said = running.communicate(timeout=300)[1]
    assert (running.returncode, "Traceback" in said, "cannot be written" in said) == (2, False, True), said
    assert out.read_bytes() == b"finished long ago"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["edit.safetensors", "in.mkv", "out.mp4"]


def behind_a_ball(frame: Tensor, x: float, y: float, radius: float) -> tuple[Tensor, Tensor]:
    """A frame ``[H,W,3]`` uint8 with a dark microphone before it, and where it is ``[H,W]``."""
    rows, columns = torch.meshgrid(*(torch.arange(n) + 0.5 for n in frame.shape[:2]), indexing="ij")
    off = ((columns - x).square() + (rows - y).square()) / radius**2
    there = (off < 1) | (((columns - x).abs() < radius / 2) & (rows > y))
    return torch.where(there[..., None], 30 + 25 * (1 - off).clamp(0, 1)[..., None], frame).byte(), there


def test_what_covers_a_face_in_a_clip_stays_as_it_is(portraits: dict[str, Tensor], finder: Remembering) -> None:
    """A microphone comes before the mouth and leaves again: it does not bend, what is spared comes and goes without a jump, and it is said."""
    frame = (portraits["astronaut"][0, :, 20:240, 90:350].permute(1, 2, 0) * 255).byte().contiguous()
    crop = Editor(preset("smile"), finder).edit(frame).faces[0].crop
    side = crop.side.item()
    x, y = crop.points[0, 3:].mean(0).tolist()
    editor, remarks = Editor(preset("smile"), finder, VideoSettings(fade=1)), Remarks()
    maps, changes = [], []
    for i in range(30):
        given, there = behind_a_ball(frame, x, y, 0.11 * side) if 8 <= i < 20 else (frame, frame[..., 0] > 255)
        done = editor.edit(given)
        remarks.see(done)
        covered = done.faces[0].crop.covered
        maps.append(torch.zeros(1, 1, 48, 48) if covered is None else covered)
        change = (done.pixels.float() - given.float()).abs().mean(-1)
        changes.append((change[there].mean() / change[~there & (change > 0)].mean()).item())
    amounts = [m.mean().item() for m in maps]
    assert not any(amounts[:8])
    assert max(amounts[12:20]) > 0.05
    assert amounts[-1] == 0.0
    assert max((b - a).abs().max().item() for a, b in pairwise(maps)) < 0.5
    assert np.mean(changes[15:20]) < 0.3
    [said] = remarks.lines()
    assert "covers part of a face" in said
    assert "mouth" in said
    assert f"{sum(a > 0 for a in amounts)} of 30 frames" in said


def test_a_cover_that_flickers_from_look_to_look_does_not_flicker_in_the_clip() -> None:
    cover, dt = tracking.Cover(), 1 / 25
    sure, shares = torch.full((1, 1, 48, 48), 0.9), []
    for i in range(40):
        cover.see(sure if i % 2 else 0 * sure, 0.06 if i % 2 else 0.03)  # above one threshold or the other
        found = cover.after(dt)
        shares.append(0.0 if found is None else found.mean().item())
    assert min(shares[10:]) > 0.3
    assert max(abs(a - b) for a, b in pairwise(shares[10:])) < 0.5
