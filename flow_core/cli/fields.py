"""``faceflow view``, ``export``, ``import`` and ``guides``: saved fields, and what prompts can be read by."""

from __future__ import annotations

import argparse
from pathlib import Path

from ..atomic import require_target
from ..editing.tinted import painted_on
from ..fields.container import require_field_target
from ..fields.files import load_field
from ..guides.attributes import listed
from ..guides.guide import available
from ..io import draw, ink, picture, sheets
from . import common
from .options import add_models


def add(commands: argparse._SubParsersAction, one: argparse.ArgumentParser) -> None:
    """Add the commands; ``one`` holds the options that choose a face."""
    p = commands.add_parser("view", parents=[one], help="draw a saved field, or show it before and after")
    p.add_argument("field", type=Path, help="an edit that was saved (.safetensors)")
    p.add_argument("-o", "--output", type=Path, required=True, help="the picture to write")
    p.add_argument(
        "--style",
        default="wheel",
        help="wheel, arrows, grid, heat, color, folds, muscles; with --portrait compare or animation",
    )
    p.add_argument("--size", type=int, default=512, help="side in pixels")
    p.add_argument("--strength", type=float, default=1.0, metavar="S", help="0 = untouched, 1 = as made (default 1)")
    p.add_argument("--portrait", type=Path, metavar="PHOTO", help="the face to draw on; lengths are in its pixels")
    p.add_argument("--frames", type=int, default=24, help="of an animation (.webp, .gif or .png)")
    p.add_argument("--numbers", action="store_true", help="write largest offset, folds and the like onto the picture")

    p = commands.add_parser("export", parents=[one], help="write a saved field for other programs")
    p.add_argument("field", type=Path, help="an edit that was saved (.safetensors)")
    p.add_argument("output", type=Path, help=".flo, .png (16 bit), .exr or .npy")
    p.add_argument("--size", type=int, default=512, help="side of the raster over the face square (default 512)")
    p.add_argument("--st-map", action="store_true", help=".exr or .png: where each pixel comes from, as in Nuke")
    p.add_argument("--portrait", type=Path, metavar="PHOTO",
                   help="the face for a muscles field; an ST-map covers this whole photo")  # fmt: skip
    p.add_argument("--no-fade", action="store_true",
                   help="do not fade out at the border; for a file that shall come back")  # fmt: skip

    p = commands.add_parser("import", help="read a field that another program wrote")
    p.add_argument("file", type=Path, help=".flo, .png (16 bit), .exr or .npy over a face square")
    p.add_argument("-o", "--output", type=Path, required=True, help="the field (.safetensors)")
    p.add_argument("--st-map", action="store_true", help="the file is an ST-map")

    p = commands.add_parser("guides", help="list the guides that can be loaded, or what the built-in one knows")
    p.add_argument("--wishes", action="store_true", help="list what the built-in guide can be asked for")
    add_models(p)


def view(o: argparse.Namespace) -> None:
    """Draw a saved field."""
    from ..warping.measure import measure

    if o.style == "animation":
        require_target(o.output, sheets.ANIMATIONS, "An animation")
    else:
        picture.require_picture_target(o.output)
    field, photo, crop = load_field(o.field), None, None
    if o.portrait:
        photo = common.open_photo(o.portrait).rgb
        crop = common.find_face(picture.Picture(photo), common.detector_of(o), o)
        field = painted_on(field, photo, crop)
    if o.style in ("compare", "animation") and crop is None:
        raise ValueError(f"The style {o.style} shows a picture; name it with --portrait.")
    if field.needs_face and crop is None:
        raise ValueError("A muscles field moves every face in its own way; name the face with --portrait.")
    numbers = str(measure(field, crop, o.strength)[0])
    if o.style == "animation":
        frames = list(sheets.morph(photo, crop, field, o.frames, o.size, strength=o.strength))
        frames = [sheets.inscribe(f, numbers) for f in frames] if o.numbers else frames
        sheets.save_animation([ink.to_image(f) for f in frames], o.output)
    else:
        if o.style == "compare":
            drawn = sheets.compare(photo, crop, field, o.size, o.strength)
        else:
            face, side = (None, None) if crop is None else (crop.aligned(photo, o.size), crop.side.item())
            drawn = draw.view(field, o.style, o.size, face, o.strength, side, crop)
        picture.write(picture.Picture(sheets.inscribe(drawn, numbers) if o.numbers else drawn), o.output)
    print(f"{o.output}: {numbers}")


def export(o: argparse.Namespace) -> None:
    """Write a saved field in another program's format."""
    from ..io import interchange

    interchange.require_writable(o.output, o.st_map)
    field, crop = load_field(o.field), None
    if o.portrait:
        if not (o.st_map or field.needs_face):
            raise ValueError("--portrait is for ST-maps and muscles fields; add --st-map, or leave it out.")
        crop = common.find_face(common.open_photo(o.portrait), common.detector_of(o), o)
    elif field.needs_face:
        raise ValueError("A muscles field moves every face in its own way; name the face with --portrait.")
    feather = 0.0 if o.no_fade else interchange.FEATHER
    print(interchange.write(field, o.output, o.size, o.st_map, crop, feather))


def read_in(o: argparse.Namespace) -> None:
    """Save what another program wrote as a field (``import``, which is a word of Python)."""
    from ..io import interchange

    require_field_target(o.output, (".safetensors",))
    print(interchange.read(o.file, o.st_map).save(o.output))


def guides(o: argparse.Namespace) -> None:
    """List the guides, or what the built-in one knows."""
    print(listed() if o.wishes else "\n".join(available(o.models)))
