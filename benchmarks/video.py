"""Video, stage by stage: ``python benchmarks/video.py [speed] [steady] [memory]``.

speed: a synthetic 1280x720 clip with sound, edited from file to file, beside decoding and encoding it alone; wall time, and
processor time of each stage. steady: jitter on a static face, jumps on a moving one. memory: resident size over 10,000
raw frames.
"""

from __future__ import annotations

import argparse
import itertools
import math
import platform
import resource
import statistics
import tempfile
import time
from fractions import Fraction
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from flow_core.cli.demo import portraits
from flow_core.faces.detect import load_detector
from flow_core.faces.landmarks import load_landmarks
from flow_core.fields.base import FlowField
from flow_core.fields.expressions import preset
from flow_core.fields.raster import Field
from flow_core.geometry.grid import pixel_centers
from flow_core.video.ahead import ahead
from flow_core.video.clips import Clip, Frame, require_av
from flow_core.video.editor import Edited, Editor
from flow_core.video.settings import VideoSettings
from flow_core.video.synthetic import motion, synthetic
from flow_core.video.writer import Writer

SIZE = (720, 1280)
FPS = 30


def smile() -> Field:
    """About what a smile does: mouth corners up and out by 2.5 % of the face square, cheeks along."""
    points = pixel_centers(28, 28)[0]
    offset = torch.zeros(1, 2, 28, 28)
    for x, out in ((0.4, 1.0), (0.6, -1.0)):
        near = torch.exp(-((points - torch.tensor([x, 0.72])) ** 2).sum(-1) / (2 * 0.07**2))
        offset[0, 0] += 0.025 * out * near
        offset[0, 1] += 0.025 * near
    return Field(offset, torch.zeros(1, 3, 28, 28))


def write_clip(path: Path, count: int) -> None:
    """A face that moves about, with a tone."""
    av = require_av()
    with av.open(str(path), "w") as out:
        video = out.add_stream("libx264", rate=FPS)
        video.height, video.width, video.pix_fmt = *SIZE, "yuv420p"
        video.options = {"crf": "18", "preset": "veryfast"}
        sound = out.add_stream("aac", rate=44100)
        sound.layout = "mono"
        for frame in itertools.islice(synthetic(portraits()["grace_hopper"], SIZE, FPS, noise=1.0), count):
            out.mux(video.encode(av.VideoFrame.from_ndarray(frame.pixels.numpy(), format="rgb24")))
        out.mux(video.encode())
        tone = 0.2 * np.sin(2 * np.pi * 440 * np.arange(44100 * count // FPS) / 44100).astype(np.float32)
        for at in range(0, len(tone), 1024):
            part = av.AudioFrame.from_ndarray(tone[None, at : at + 1024], format="fltp", layout="mono")
            part.sample_rate, part.pts, part.time_base = 44100, at, Fraction(1, 44100)
            out.mux(sound.encode(part))
        out.mux(sound.encode(None))


def run(source: Path, target: Path, editor: Editor | None) -> dict[str, float]:
    """File to file, with or without an edit: milliseconds a frame."""
    clip = Clip.open(source)
    spent = {"decode": 0.0}

    def decoded():
        start = time.thread_time()
        yield from clip
        spent["decode"] = time.thread_time() - start

    wall, cpu = time.perf_counter(), time.process_time()
    writer = Writer(target, clip)
    with writer:
        frames = ahead(decoded())
        for frame in frames if editor is None else map(_edited, editor.edits(frames)):
            writer.write(frame)
    spent |= editor.seconds if editor else {}
    spent |= {"encode": writer.seconds, "all": time.process_time() - cpu, "wall": time.perf_counter() - wall}
    return {name: seconds / writer.count * 1e3 for name, seconds in spent.items()}


def _edited(done: tuple[Frame, Edited]) -> Frame:
    return done[0].with_pixels(done[1].pixels)


def speed(count: int, sharp: bool) -> None:
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder, "in.mp4"), Path(folder, "out.mp4")
        write_clip(source, count)
        how = VideoSettings(interpolation="bicubic" if sharp else "bilinear")
        bare = run(source, target, None)
        ours = run(source, target, Editor(smile(), load_detector(), how))
        muscles = run(source, target, Editor(preset("smile"), load_detector(), how))
    print(f"{count} frames of {SIZE[1]}x{SIZE[0]}, one face; milliseconds a frame")
    for name, t in (("bare", bare), ("edit", ours), ("muscles", muscles)):
        stages = ", ".join(f"{k} {v:.1f}" for k, v in t.items() if k not in ("wall", "all"))
        looks, draws = (sum(t.get(k, 0.0) for k in of) for of in (("track", "detect", "fit"), ("field", "warp")))
        busiest = max(looks, draws, t["decode"], t["encode"])
        print(f"{name}: wall {t['wall']:.1f} ({1e3 / t['wall']:.0f} frames/s); processor {t['all']:.1f}: {stages}")
        print(f"      by processor time {1e3 / max(t['all'] / 2, busiest):.0f} frames/s on two idle cores")


def jitter(points: Tensor) -> float:
    """Standard deviation over time ``[T,N,2]``, root mean square over points."""
    return points.var(0).sum(-1).mean().sqrt().item()


def steady_jitter(
    smooth: float, count: int = 60, noise: float = 3.0, portrait: str = "grace_hopper", field: FlowField | None = None
) -> dict[str, float]:
    """Static face, sensor noise: jitter of landmarks before and after the edit, pixels of a 512 px face square."""
    net = load_landmarks()
    editor = Editor(field or smile(), load_detector(), VideoSettings(smooth=smooth))
    before, after, crop = [], [], None
    for frame in itertools.islice(synthetic(portraits()[portrait], SIZE, FPS, 0.0, noise), count):
        edited = editor.edit(frame.pixels)
        crop = crop or edited.faces[0].crop
        for kept, pixels in ((before, frame.pixels), (after, edited.pixels)):
            kept.append(crop.to_crop(net.find(pixels.permute(2, 0, 1)[None] / 255.0, crop)[:, None])[0, 0] * 512)
    a, b = jitter(torch.stack(before)), jitter(torch.stack(after))
    return {"before": a, "after": b, "ratio": b / a}


def field_jumps(smooth: float, count: int = 150, noise: float = 2.0, amount: float = 1.0) -> list[float]:
    """Moving face: the largest change of the edit from frame to frame in the face's own frame, pixels at 512.

    The true motion is known, so where the edit lies on the face is, too: a perfect tracker would give 0.
    """
    field, jumps, last, reference = smile(), [], None, None
    editor = Editor(field, load_detector(), VideoSettings(smooth=smooth))
    for frame in itertools.islice(synthetic(portraits()["grace_hopper"], SIZE, FPS, amount, noise), count):
        crop = editor.edit(frame.pixels).faces[0].crop
        to_face = motion(frame.time, SIZE, amount).float()
        if reference is None:
            places = crop.to_image(pixel_centers(64, 64))[0].reshape(-1, 2)
            reference = places @ to_face[:2, :2].T + to_face[:2, 2], crop.side.item() * to_face[:2, :2].det().sqrt()
        places = (reference[0] - to_face[:2, 2]) @ torch.linalg.inv(to_face[:2, :2]).T
        offset = field.flow()(crop.to_crop(places[None, None])).offset
        shift = crop.vectors_to_image(offset.permute(0, 2, 3, 1))[0, 0] @ to_face[:2, :2].T / reference[1] * 512
        if last is not None:
            jumps.append((shift - last).norm(dim=-1).max().item())
        last = shift
    return jumps


def steady() -> None:
    for smooth in (0.0, 0.5, 1.0):
        for portrait in portraits():
            for name, field in (("raster", None), ("muscles", preset("smile"))):
                j = steady_jitter(smooth, portrait=portrait, field=field)
                print(
                    f"smooth {smooth}, static {portrait}, {name}: jitter {j['before']:.3f} -> {j['after']:.3f} px, "
                    f"ratio {j['ratio']:.2f}"
                )
        for amount in (1.0, 3.0):
            jumps = field_jumps(smooth, amount=amount)
            print(
                f"smooth {smooth}, moving x{amount:.0f}: jumps of the field, median {statistics.median(jumps):.2f}, "
                f"largest {max(jumps):.2f} px at 512"
            )


def resident() -> float:
    """Megabytes now."""
    statm = Path("/proc/self/statm")
    if statm.exists():
        return int(statm.read_text().split()[1]) * resource.getpagesize() / 2**20
    return math.nan


def memory(count: int) -> None:
    editor = Editor(smile(), load_detector())
    some = list(itertools.islice(synthetic(portraits()["grace_hopper"], (360, 640), FPS, noise=1.0), 60))
    there_and_back = itertools.cycle(some + some[::-1])
    for index, frame in enumerate(itertools.islice(there_and_back, count), 1):
        editor.edit(frame.pixels)
        if index in (100, count) or index % 2500 == 0:
            print(f"{index} frames of 640x360: {resident():.0f} MB", flush=True)


def main() -> None:
    ap = argparse.ArgumentParser(description=__doc__)
    ap.add_argument("what", nargs="*", default=["speed", "steady"], choices=["speed", "steady", "memory"])
    ap.add_argument("--frames", type=int, help="default: 300 for speed, 10000 for memory")
    ap.add_argument("--sharp", action="store_true")
    o = ap.parse_args()
    print(f"{platform.machine()}, {torch.get_num_threads()} threads")
    if "speed" in o.what:
        speed(o.frames or 300, o.sharp)
    if "steady" in o.what:
        steady()
    if "memory" in o.what:
        memory(o.frames or 10_000)


if __name__ == "__main__":
    main()
