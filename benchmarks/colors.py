"""Colour prompts: does the named region go to the asked colour, and do the others keep theirs?

``python benchmarks/colors.py [PORTRAIT ...]`` prints, for each prompt, the distance in CIE Lab of the region's mean
from the asked colour before and after, the largest change (dE, CIE 1976) of the mean of any other region, without what it shares
with the named one, and where the hue went; means over the portraits.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

from flow_core.cli.demo import portraits
from flow_core.editing.edit import make_field
from flow_core.faces.align import align
from flow_core.faces.detect import load_detector
from flow_core.guides.guide import load_guide
from flow_core.guides.prompts import Prompt
from flow_core.io import picture
from flow_core.train import colors
from flow_core.warping.warp import warp

PROMPTS = {
    "red lips": "lips red", "pink lips": "lips pink", "black lips": "lips dark", "rosy cheeks": "cheeks rosy",
    "dark eyebrows": "brows dark", "blue eye shadow": "eyelids blue", "pale skin": "skin pale", "tanned skin": "skin tanned",
    "green skin": "skin green", "blue eyes": "eyes blue", "green eyes": "eyes green", "purple lips": "lips purple",
    "green eye shadow": "eyelids green", "blond hair": "hair blond", "red hair": "hair red", "blue hair": "hair blue",
}  # fmt: skip
INSIDE = {"skin": ("cheeks", "under-eyes", "eyelids")}  # these are skin, and change with it
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
        for text, name in PROMPTS.items():
            field = make_field(photo, crop, guide, Prompt.parse(text))
            edited = colors.to_lab(crop.aligned(warp(photo, crop, field)[0], SIZE))
            region, ideal = colors.COLORS[name]
            apart = {r: m if r == region else m * (1 - masks[region]) for r, m in masks.items()}
            before, after = ({r: colors.mean_color(x, m)[0] for r, m in apart.items()} for x in (lab, edited))
            goal = torch.tensor(ideal) + (after["skin"] if colors.REGIONS[region].relative else 0)
            change = max(
                (after[r] - before[r]).norm().item() for r in masks if r not in (region, *INSIDE.get(region, ()))
            )
            asked, gone = goal - before[region], after[region] - before[region]
            rows[text].append((
                asked.norm().item(), (goal - after[region]).norm().item(), change,
                torch.cosine_similarity(asked[1:], gone[1:], dim=0).item(),
            ))  # fmt: skip
    print("| prompt | distance before | after | other regions dE | moved | cosine in a, b |\n|---|---|---|---|---|---|")
    for text, values in rows.items():
        a, b, c, d = torch.tensor(values).mean(0).tolist()
        print(f"| {text} | {a:.1f} | {b:.1f} | {c:.1f} | {1 - b / a:.0%} | {d:.2f} |")


if __name__ == "__main__":
    main()
