"""Colour prompts: does the named region go to the asked colour, and do the others keep theirs?

``python benchmarks/colors.py [PORTRAIT ...]`` prints, for each prompt, CIE Lab of the region in words of distance to the
asked colour before and after, and the largest change (dE, CIE 1976) of any other region; means over the portraits.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

from flow_core import picture
from flow_core.align import align
from flow_core.cli import run
from flow_core.demo import portraits
from flow_core.detect import load_detector
from flow_core.guide import load_guide
from flow_core.optimize import Settings
from flow_core.prompts import Prompt
from flow_core.train import colors
from flow_core.warp import warp

PROMPTS = {
    "red lips": "lips red", "pink lips": "lips pink", "black lips": "lips dark", "rosy cheeks": "cheeks rosy",
    "dark eyebrows": "brows dark", "blue eye shadow": "eyelids blue", "pale skin": "skin pale", "tanned skin": "skin tanned",
    "green skin": "skin green", "blue eyes": "eyes blue", "blond hair": "hair blond", "blue hair": "hair blue",
}  # fmt: skip
INSIDE = {"cheeks": ("skin",), "skin": ("cheeks", "under-eyes", "eyelids")}  # overlapping regions change together
SIZE = 256


def main() -> None:
    ap = argparse.ArgumentParser(description=__doc__)
    ap.add_argument("portraits", type=Path, nargs="*", help="default: the demo's two")
    ap.add_argument("--guide", default="nano")
    o = ap.parse_args()
    photos = [picture.read(p).rgb for p in o.portraits] or list(portraits().values())
    detector, guide = load_detector(), load_guide(o.guide)
    rows = {text: [] for text in PROMPTS}
    for photo in photos:
        crop, _ = align(photo, detector)
        seen = crop.places
        lab = colors.to_lab(crop.aligned(photo, SIZE))
        masks = colors.masks(seen, lab)
        before = {name: colors.mean_color(lab, mask)[0] for name, mask in masks.items()}
        for text, name in PROMPTS.items():
            field = run(photo, crop, guide, Prompt.parse(text), Settings())
            edited = colors.to_lab(crop.aligned(warp(photo, crop, field)[0], SIZE))
            after = {name: colors.mean_color(edited, mask)[0] for name, mask in masks.items()}
            region, ideal = colors.COLORS[name]
            goal = torch.tensor(ideal) + (after["skin"] if colors.REGIONS[region].relative else 0)
            others = [r for r in masks if r != region and r not in INSIDE.get(region, ())]
            change = max((after[r] - before[r]).norm().item() for r in others)
            rows[text].append(((goal - before[region]).norm().item(), (goal - after[region]).norm().item(), change))
    print("| prompt | distance before | after | other regions dE | moved |\n|---|---|---|---|---|")
    for text, values in rows.items():
        a, b, c = torch.tensor(values).mean(0).tolist()
        print(f"| {text} | {a:.1f} | {b:.1f} | {c:.1f} | {1 - b / a:.0%} |")


if __name__ == "__main__":
    main()
