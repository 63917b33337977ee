"""Does one set of defaults suit guides that are built differently?

``python -m flow_core.train towers --data DIR --keep FOLDER`` trains sisters of the nano guide with other image towers, and
``python benchmarks/guides.py FOLDER/*.safetensors -o SHEET.jpg`` makes the demo's edits with each of them at the defaults. It prints,
means over the two portraits, the logit scale times the length of the text direction, the gain in that unit, how far the face has
moved, and the least Jacobian determinant; the sheet shows the first portrait.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from safetensors.torch import load_file

from flow_core.cli.demo import PROMPTS, portraits
from flow_core.editing import losses
from flow_core.editing.edit import make_field
from flow_core.faces.align import align
from flow_core.faces.detect import load_detector
from flow_core.fields.velocity import to_offset
from flow_core.guides.guide import Guide, load_guide
from flow_core.guides.prompts import Prompt, directions
from flow_core.io import picture, sheets
from flow_core.train import towers
from flow_core.warping.measure import measure
from flow_core.warping.warp import warp


def sister(path: Path) -> Guide:
    """A guide that ``towers --keep`` saved; the name of its file says which tower it has."""
    model, tokenizer = towers.build(*towers.towers()[path.stem])
    model.load_state_dict(load_file(path))
    return Guide(path.stem, model, tokenizer)


def main() -> None:
    ap = argparse.ArgumentParser(description=__doc__)
    ap.add_argument("sisters", type=Path, nargs="*")
    ap.add_argument("-o", "--output", type=Path)
    o = ap.parse_args()
    detector, rows = load_detector(), []
    faces = [(photo, align(photo, detector)[0]) for photo in portraits().values()]
    print("| guide | prompt | logits | gain, of them | movement | least det |\n|---|---|---|---|---|---|")
    for guide in (load_guide(), *(sister(path) for path in o.sisters)):
        row = []
        for text in PROMPTS:
            prompt, found = Prompt.parse(text), []
            logits = guide.scale * directions(guide, prompt)[0].norm().item()
            for photo, crop in faces:
                field = make_field(photo, crop, guide, prompt)
                [m] = measure(field, crop)
                found.append((m.gain / logits, losses.rms_change(to_offset(field).offset).item(), m.determinant))
                if len(found) == 1:
                    label = text if row else f"{text}: {guide.name}"
                    row.append((label, crop.widen(1.1).aligned(warp(photo, crop, field)[0], 256)))
            gain, moved, det = torch.tensor(found).mean(0).tolist()
            print(f"| {guide.name} | {text} | {logits:.1f} | {gain:+.2f} | {moved:.1f} | {det:.2f} |", flush=True)
        rows.append(row)
    if o.output:
        picture.write(picture.Picture(sheets.sheet(rows, 256)), o.output)


if __name__ == "__main__":
    main()
