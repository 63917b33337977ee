"""A portrait driven by a clip: ``python benchmarks/drive.py [--frames N] [--size S] [--clip FILE]``.

With ``--clip``, a video of a person: how what is read in the portrait that it drives correlates over time with what is read in it, by parts, and how far
one goes for 1 of the other. Without, the clip is a portrait of docs/people moved by the rig itself through smooth expressions, with sensor noise; another portrait is driven by it.
Printed: how far parts of the driven face go for 1 that they would go with the muscles that were asked of the clip's face ("carried"), and how
the two correlate over time; for brows, eyes and mouth the correlation over time of the muscles that were asked of the clip's face with those read in
the clip, and with those read in each driven frame anew; how far the landmarks shake while the clip holds still (pixels at 512, as in
benchmarks/video.py); and frames a second of reading and of driving.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from flow_core.faces.align import align
from flow_core.faces.detect import load_detector
from flow_core.faces.landmarks import AT, BROWS, EYES, IRISES, LIPS, load_landmarks
from flow_core.faces.rig import load_rig
from flow_core.fields.expressions import expression, expression_of
from flow_core.fields.following import landmarks_after
from flow_core.fields.muscles import MusclesField
from flow_core.fields.units import fit_shown, units_after
from flow_core.geometry.crop import Crop
from flow_core.io import picture
from flow_core.train.reader import correlation
from flow_core.video.clips import Clip, Frame
from flow_core.video.drive import drive, driving_fields, read_frames, relative

PEOPLE = Path(__file__).parents[1] / "docs" / "people"
FPS = 30
SEQUENCE = (
    "relax", "smile", "surprise", "eyes closed", "anger", "sadness", "eyeLookOutLeft 0.8, eyeLookInRight 0.8", "eyeLookUp 0.8", "relax",
)  # fmt: skip
GROUPS = {"brows": ("brow",), "eyes": ("eyeBlink", "eyeSquint"), "gaze": ("eyeLook",), "mouth": ("mouth", "jawOpen")}
HOLD = 30  # last frames, in which the clip's face keeps still
MOVES = 0.08  # least deviation over time of a unit that counts


def portrait(name: str, size: int) -> Tensor:
    """A picture ``[H,W,3]`` uint8 of at most ``size`` pixels."""
    photo = picture.read(PEOPLE / f"{name}.jpg").rgb
    shape = [max(1, round(n * size / max(photo.shape[2:]))) for n in photo.shape[2:]]
    photo = F.interpolate(photo, shape, mode="bicubic", antialias=True, align_corners=False).clamp(0, 1)
    return (photo[0].permute(1, 2, 0) * 255).round().byte().contiguous()


def find(frame: Tensor) -> Crop:
    return align(frame.permute(2, 0, 1)[None] / 255.0, load_detector())[0]


def expressions(count: int) -> Tensor:
    """``[count,U]``: from one expression to the next, smoothly, and at the end the first one for :data:`HOLD` frames."""
    stops = torch.cat([expression(n).units for n in SEQUENCE])
    place = torch.linspace(0, len(stops) - 1, count - HOLD).clamp(max=len(stops) - 1 - 1e-4)
    at, share = place.long(), place.frac()[:, None]
    share = share * share * (3 - 2 * share)
    moving = stops[at] * (1 - share) + stops[at + 1] * share
    return torch.cat([moving, moving[-1:].expand(HOLD, -1)])


def noisy(frame: Tensor, generator: torch.Generator, noise: float = 3.0) -> Tensor:
    """A frame ``[H,W,3]`` uint8 with a sensor's noise, levels."""
    return (frame + noise * torch.randn(frame.shape, generator=generator)).round().clamp(0, 255).byte()


def shaking(frames: list[Tensor], crop: Crop) -> float:
    """Of landmarks found in frames ``[H,W,3]`` uint8: standard deviation over time, pixels of a 512 px face square."""
    net = load_landmarks()
    places = [crop.to_crop(net.find(f.permute(2, 0, 1)[None] / 255.0, crop)[:, None])[0, 0] * 512 for f in frames]
    return torch.stack(places).var(0).sum(-1).mean().sqrt().item()


def parts(landmarks: Tensor) -> dict[str, Tensor]:
    """Measures ``[T]`` of landmarks ``[T,161,2]``, in distances of the outer corners of the eyes; the mean of both sides."""

    def at(*mesh: int) -> Tensor:
        return landmarks[:, [AT[i] for i in mesh]].mean(1)

    width = (at(EYES[1][0]) - at(EYES[0][0])).norm(dim=-1)
    made = {
        "mouth open": (at(14) - at(13))[:, 1],
        "mouth wide": (at(LIPS[10]) - at(LIPS[0])).norm(dim=-1),
        "corners of the mouth": (at(2) - at(LIPS[0], LIPS[10]))[:, 1],
    }
    for side in (0, 1):
        ring, iris = EYES[side], IRISES[side][0]
        across = (at(ring[8]) - at(ring[0])) * (1 if side == 0 else -1)
        across = across / across.norm(dim=-1, keepdim=True)
        middle = at(ring[0], ring[8])
        for name, value in (
            ("inner brow", at(ring[8])[:, 1] - at(BROWS[side][4])[:, 1]),
            ("outer brow", at(ring[0])[:, 1] - at(BROWS[side][1])[:, 1]),
            ("lids", (at(*ring[1:8]) - at(*ring[9:]))[:, 1]),
            ("gaze aside", ((at(iris) - middle) * across).sum(-1)),
            ("gaze up", middle[:, 1] - at(iris)[:, 1]),
        ):
            made[name] = made.get(name, 0) + value / 2
    return {name: value / width for name, value in made.items()}


def on_face(units: Tensor, crop: Crop) -> dict[str, Tensor]:
    """:func:`parts` of a face to whose units ``units [T,U]`` are added."""
    face, places = fit_shown(crop.places), crop.places[0]
    none = torch.zeros(units.shape[1])
    after = torch.stack([units_after(face, places, none, u) for u in units])
    return parts(landmarks_after(face, places, after))


def moving(units: Tensor) -> Iterator[tuple[str, list[int]]]:
    """Names of the groups, each with those of its units that move in ``units [T,U]``."""
    names = load_rig().unit_names
    for group, begins in GROUPS.items():
        yield group, [i for i, n in enumerate(names) if n.startswith(begins) and units[:, i].std() > MOVES]


def of_a_person(path: Path, still: Tensor) -> None:
    """Print how a portrait ``[H,W,3]`` uint8 follows a clip of somebody."""
    reading = read_frames(Clip.open(path), load_detector())
    fields = driving_fields(relative(reading.units))
    again = torch.cat([expression_of(find(e.pixels)).units for e in drive(still, find(still), fields)])
    read = reading.units
    print(f"{len(read)} frames\n| part | correlation over time | carried |\n|---|---|---|")
    for group, moves in moving(read):
        if moves:
            x, y = (v[:, moves] - v[:, moves].mean(0) for v in (read, again))
            print(f"| {group} | {correlation(x, y).mean():.2f} | {(x * y).sum() / x.square().sum():.2f} |")


def main() -> None:
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--frames", type=int, default=300)
    ap.add_argument("--size", type=int, default=512)
    ap.add_argument("--source", default="07")
    ap.add_argument("--portrait", default="04")
    ap.add_argument("--clip", type=Path, help="a video of a person")
    o = ap.parse_args()
    if o.clip:
        of_a_person(o.clip, portrait(o.portrait, o.size))
        return
    if o.frames < 4 * HOLD:
        ap.error(f"--frames must be at least {4 * HOLD}")
    still, generator = portrait(o.source, o.size), torch.Generator().manual_seed(0)
    asked = expressions(o.frames)
    made = MusclesField(asked, torch.zeros_like(asked), torch.zeros(len(asked), len(load_rig().control_names)))
    clip = [noisy(e.pixels, generator) for e in drive(still, find(still), made)]
    start = time.perf_counter()
    reading = read_frames((Frame(f, i, i / FPS) for i, f in enumerate(clip)), load_detector())
    reading_fps = len(clip) / (time.perf_counter() - start)
    other = portrait(o.portrait, o.size)
    crop = find(other)
    fields = driving_fields(relative(reading.units, "first"))
    start = time.perf_counter()
    driven = [e.pixels for e in drive(other, crop, fields)]
    driving_fps = len(driven) / (time.perf_counter() - start)
    again = torch.cat([expression_of(find(f)).units for f in driven])
    print(f"{len(clip)} frames of {other.shape[1]}x{other.shape[0]}, {torch.get_num_threads()} threads")
    print(
        "| correlation over time | asked and read in the clip | read in the clip and in the result | asked and result |"
    )
    print("|---|---|---|---|")
    for group, moves in moving(asked):
        pairs = ((asked, reading.units), (reading.units, again), (asked, again))
        print(f"| {group} | {' | '.join(f'{correlation(a[:, moves], b[:, moves]).mean():.2f}' for a, b in pairs)} |")
    print("\n| part | carried | correlation |\n|---|---|---|")
    wanted, got = on_face(asked, crop), on_face(fields.units, crop)
    for name, value in wanted.items():
        x, y = value - value[0], got[name] - got[name][0]
        large = x.abs() > 0.3 * x.abs().max()
        slope = (x * y)[large].sum() / x[large].square().sum().clamp(min=1e-9)
        print(f"| {name} | {slope:.2f} | {correlation(x[:, None], y[:, None])[0]:.2f} |")
    print()
    before, after = shaking(clip[-HOLD + 10 :], find(clip[-1])), shaking(driven[-HOLD + 10 :], crop)
    print(f"held still: landmarks shake by {before:.2f} px in the clip, {after:.2f} px in the result, at 512")
    print(f"reading {reading_fps:.0f} frames/s, driving {driving_fps:.0f} frames/s")


if __name__ == "__main__":
    main()
