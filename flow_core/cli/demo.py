"""``make demo``: two public-domain portraits, four prompts, pictures to look at."""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import matplotlib
import numpy as np
import skimage.data
import torch
from PIL import Image
from torch import Tensor

from ..device import pick_device
from ..editing.edit import make_field
from ..editing.optimize import report
from ..faces.align import align
from ..faces.detect import load_detector
from ..fields.base import FlowField
from ..geometry.crop import Crop
from ..guides.guide import Guide, load_guide
from ..guides.prompts import Prompt
from ..io import draw, picture, sheets
from ..warping.warp import warp
from .common import watched

PROMPTS = ("a smiling face", "an angry face", "a surprised face", "a sad face")


def portraits() -> dict[str, Tensor]:
    """Two portraits ``[1,3,H,W]`` that come with packages: both by US agencies, public domain."""
    hopper = Path(matplotlib.get_data_path()) / "sample_data" / "grace_hopper.jpg"
    arrays = {
        "astronaut": skimage.data.astronaut(),
        "grace_hopper": np.asarray(Image.open(hopper, formats=["JPEG"]).convert("RGB")),
    }
    return {name: torch.from_numpy(a.copy()).permute(2, 0, 1)[None].float() / 255 for name, a in arrays.items()}


def main(argv: list[str] | None = None) -> None:
    ap = argparse.ArgumentParser(prog="python -m flow_core.cli.demo", description=__doc__)
    ap.add_argument("--out", type=Path, default=Path("out/demo"))
    ap.add_argument("--device", default="auto")
    o = ap.parse_args(argv)
    device = pick_device(o.device)
    detector, guide = load_detector(device=device), load_guide(device=device)
    o.out.mkdir(parents=True, exist_ok=True)
    rows = []
    for name, photo in portraits().items():
        crop, _ = align(photo, detector)
        fields = {}
        for prompt in PROMPTS:
            start = time.perf_counter()
            with watched(f"{name}: {prompt}") as watch:
                fields[prompt] = make_field(photo, crop, guide, Prompt.parse(prompt), watch=watch)
            rows.append((name, prompt, report(fields[prompt], crop), time.perf_counter() - start))
            fields[prompt].save(o.out / f"{name}-{prompt.split()[1]}.safetensors")
        picture.write(picture.Picture(contact_sheet(photo, crop, fields)), o.out / f"{name}.png")
        for prompt, field in fields.items():
            sheets.save_animation(sheets.animate(photo, crop, field), o.out / f"{name}-{prompt.split()[1]}.webp")
    print_table(rows, guide)
    print(f"\nPictures, animations and fields are in {o.out}/")


def contact_sheet(photo: Tensor, crop: Crop, fields: dict[str, FlowField]) -> Tensor:
    """Before and after, and each field as colour wheel, arrows and colour shift."""
    wide = crop.widen(1.25)
    face = crop.aligned(photo, 512)
    before = ("before", wide.aligned(photo, 512))
    edited = [(p, wide.aligned(warp(photo, crop, f)[0], 512)) for p, f in fields.items()]
    blank = torch.ones(1, 3, 512, 512)
    flow = [
        [
            (label, blank if style != "wheel" else face),
            *((style, draw.view(f, style, 512, face, crop=crop)) for f in fields.values()),
        ]
        for label, style in (("aligned", "wheel"), ("", "arrows"), ("", "color"))
    ]
    return sheets.sheet([[before, *edited], *flow], cell=320)


def print_table(rows: list[tuple[str, str, dict[str, float], float]], guide: Guide) -> None:
    print(
        f"\nGuide {guide.name}; gain in its logits, folds in % of the face square, largest offset in pixels of the photo\n"
    )
    print(f"{'portrait':<14}{'prompt':<20}{'gain':>7}{'folds':>8}{'offset':>8}{'seconds':>9}")
    for name, prompt, n, seconds in rows:
        print(f"{name:<14}{prompt:<20}{n['gain']:>+7.2f}{n['folds']:>8.2%}{n['max_px']:>8.1f}{seconds:>9.1f}")


if __name__ == "__main__":
    main()
