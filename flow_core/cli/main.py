"""The ``faceflow`` command: edit, sheet, apply, view, export, import, guides; video and live are in :mod:`flow_core.cli.video`,
muscles, read, copy and drive in :mod:`flow_core.cli.muscles`."""

from __future__ import annotations

import argparse
import functools
import math
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from ..atomic import require_target
from ..device import pick_device
from ..editing.edit import METHODS, Watch, make_field
from ..editing.optimize import Settings, Step, report
from ..editing.predict import BUILTIN as PREDICTOR
from ..editing.predict import Predictor, PredictorError
from ..editing.tinted import painted_on
from ..faces.align import ORDERS, align
from ..faces.detect import Detector, load_detector
from ..faces.doubts import doubts
from ..fields.base import FlowField
from ..fields.container import require_field_target
from ..fields.expressions import PRESETS, preset
from ..fields.files import load_field
from ..fields.muscles import MusclesField
from ..fields.new import REPRESENTATIONS, RESOLUTION, new_field
from ..fields.told import told
from ..geometry.crop import Crop
from ..guides.attributes import listed
from ..guides.guide import BUILTIN, PRECISIONS, Guide, GuideError, available, load_guide
from ..guides.prompts import NEUTRAL, Prompt, lines_note, unknown_note
from ..io import picture
from ..warping.jacobian import fold_note
from ..warping.measure import colors
from ..warping.warp import warp
from . import muscles as cli_muscles
from . import video as cli_video

PROMPTS = ("a smiling face", "an angry face", "a surprised face", "a sad face", "a round face", "red lips", "tanned skin",
           "blond hair")  # fmt: skip


def parser() -> argparse.ArgumentParser:
    ap = argparse.ArgumentParser(
        prog="faceflow", description="Edit faces from text by moving pixels along a flow field."
    )
    commands = ap.add_subparsers(dest="command", required=True)

    find, faces, how = _face_options(), _face_options(several=True), _edit_options()
    _add_edits(commands, find, faces, how)
    cli_video.add(commands, how)
    cli_muscles.add(commands, find, faces, _strengths)
    _add_fields(commands, find)
    return ap


def _face_options(several: bool = False) -> argparse.ArgumentParser:
    """The options that choose a face; ``several`` where all may be taken at once."""
    find = argparse.ArgumentParser(add_help=False)
    group = find.add_argument_group("which face")
    group.add_argument("--face", type=_face_number if several else int, default=0, metavar="N",
                       help="which face, counted from 0 (default 0)" + ("; or all, from left to right" if several else ""))  # fmt: skip
    group.add_argument("--order", choices=ORDERS, default="largest", help="how faces are counted (default largest)")
    group.add_argument("--detector", default="builtin", help="builtin, yunet, or a .safetensors file")
    group.add_argument("--threshold", type=float, help="least confidence of a face, 0..1")
    group.add_argument(
        "--models", type=Path, action="append", default=[], metavar="DIR", help="folder with more weights"
    )
    find.add_argument("--device", default="auto", help="auto, cuda, mps or cpu")
    return find


def _face_number(text: str) -> int | None:
    """``all`` is None."""
    return None if text == "all" else int(text)


_face_number.__name__ = "face number"  # as argparse says it


def _edit_options() -> argparse.ArgumentParser:
    """The options of an edit from a prompt."""
    how = argparse.ArgumentParser(add_help=False)
    how.add_argument(
        "--guide", default=BUILTIN, help=f"{BUILTIN}, ARCH:TAG, or a .safetensors file (see `faceflow guides`)"
    )
    how.add_argument("--precision", choices=PRECISIONS, default="auto", help="of the guide (default auto)")
    how.add_argument("--neutral", default=NEUTRAL, help=f"the face as it is (default {NEUTRAL!r})")
    how.add_argument("--method", choices=METHODS, default="optimize",
                     help="optimize: seconds a face; predict: one pass of a network; refine: predict, then optimise for a quarter "
                     "of the steps")  # fmt: skip
    how.add_argument("--predictor", type=Path, default=PREDICTOR, metavar="FILE", help="weights trained for the guide")
    how.add_argument("--representation", choices=REPRESENTATIONS, default=REPRESENTATIONS[0],
                     help="what is optimised: muscles, a raster, or a small network: siren or fourier (default %(default)s)")  # fmt: skip
    how.add_argument("--resolution", type=int, default=RESOLUTION, help=f"control points a side (default {RESOLUTION})")
    how.add_argument(
        "--steps", type=int, default=Settings.steps, help="of the optimisation, at most (default %(default)s)"
    )
    how.add_argument("--seed", type=int, default=0, help="of random choices (default 0)")
    how.add_argument(
        "--margin",
        type=float,
        default=Settings.margin,
        help="how far to go, root mean square, in thousandths of the side of the face square (default %(default)s)",
    )
    how.add_argument("--preserve", type=float, default=Settings.preserve, help="0 = bold, 1 = careful (default 0.5)")
    return how


def _strengths(p: argparse.ArgumentParser) -> None:
    """Add the options of how far an edit goes."""
    p.add_argument(
        "--strength", type=float, default=1.0, metavar="S", help="0 = untouched, 1 = as made, negative = reversed"
    )
    p.add_argument("--color-strength", type=float, metavar="S", help="of the colour part alone (default: --strength)")


def _add_edits(
    commands: argparse._SubParsersAction,
    find: argparse.ArgumentParser,
    faces: argparse.ArgumentParser,
    how: argparse.ArgumentParser,
) -> None:
    """Add the commands that edit pictures."""
    p = commands.add_parser("edit", parents=[faces, how], help="edit a face from a prompt")
    p.add_argument("portrait", type=Path, help="a photo with a face")
    p.add_argument("prompt", help="for instance 'a smiling face' or 'a smiling face | open mouth:0.5 | angry:-0.3'; with --face all "
                   "a line for all, or one for each; a dash alone leaves a face as it is")  # fmt: skip
    p.add_argument("-o", "--output", type=Path, required=True, help="the picture to write")
    p.add_argument("--save-field", type=Path, metavar="FILE", help="also save the field (.safetensors)")
    p.add_argument("--field", type=Path, metavar="FILE", help=argparse.SUPPRESS)  # the name of --save-field until 0.2
    _strengths(p)

    p = commands.add_parser("sheet", parents=[find, how], help="many faces and prompts in one contact sheet")
    p.add_argument("portraits", type=Path, nargs="+", help="photos with a face each")
    p.add_argument("-o", "--output", type=Path, required=True, help="the picture to write")
    p.add_argument("-p", "--prompt", action="append", help="may be repeated (default: eight of shape and colour)")
    p.add_argument("--expression", action="append", metavar="NAME", choices=tuple(PRESETS),
                   help="instead of prompts: one of the expressions of muscles, for instance smile; may be repeated")  # fmt: skip
    p.add_argument("--cell", type=int, default=256, help="side of each picture in pixels (default 256)")

    p = commands.add_parser("apply", parents=[faces], help="apply a saved field to a face")
    p.add_argument("portrait", type=Path, help="a photo with a face")
    p.add_argument("field", type=Path, help="an edit that was saved (.safetensors)")
    p.add_argument("-o", "--output", type=Path, required=True, help="the picture to write")
    _strengths(p)


def _add_fields(commands: argparse._SubParsersAction, find: argparse.ArgumentParser) -> None:
    """Add the commands about saved fields, and the list of guides."""
    p = commands.add_parser("view", parents=[find], help="draw a saved field, or show it before and after")
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

    p = commands.add_parser("export", parents=[find], help="write a saved field for other programs")
    p.add_argument("field", type=Path, help="an edit that was saved (.safetensors)")
    p.add_argument("output", type=Path, help=".flo, .png (16 bit), .exr or .npy")
    p.add_argument("--size", type=int, default=512, help="side of the raster over the face square (default 512)")
    p.add_argument("--st-map", action="store_true", help=".exr or .png: where each pixel comes from, as in Nuke")
    p.add_argument(
        "--portrait", type=Path, metavar="PHOTO", help="the face for a muscles field; an ST-map covers this whole photo"
    )
    p.add_argument(
        "--no-fade", action="store_true", help="do not fade out at the border; for a file that shall come back"
    )

    p = commands.add_parser("import", help="read a field that another program wrote")
    p.add_argument("file", type=Path, help=".flo, .png (16 bit), .exr or .npy over a face square")
    p.add_argument("-o", "--output", type=Path, required=True, help="the field (.safetensors)")
    p.add_argument("--st-map", action="store_true", help="the file is an ST-map")

    p = commands.add_parser("guides", help="list the guides that can be loaded, or what the built-in one knows")
    p.add_argument("--wishes", action="store_true", help="list what the built-in guide can be asked for")
    p.add_argument("--models", type=Path, action="append", default=[], metavar="DIR", help="folder with more weights")


def main(argv: list[str] | None = None) -> int:
    """Run a command; 0 when it worked, 2 when the input was at fault."""
    commands = parser()
    o, rest = commands.parse_known_args(argv)
    if o.command in ("video", "live") and not o.prompt and len(rest) == 1 and not rest[0].startswith("-"):
        o.prompt = rest.pop()  # argparse does not look for a prompt that may be missing behind an option
    if rest:
        commands.error(f"unrecognized arguments: {' '.join(rest)}")
    try:
        run = {
            "edit": _edit, "sheet": _sheet, "apply": _apply, "view": _view, "guides": _guides, "export": _export,
            "import": _import, "video": cli_video.video, "live": cli_video.live,
            "muscles": cli_muscles.muscles, "read": cli_muscles.read, "copy": cli_muscles.copy, "drive": cli_muscles.drive,
        }  # fmt: skip
        with torch.inference_mode():  # small operations take a fifth less time; what optimises leaves it for that
            run[o.command](o)
    except (ValueError, GuideError, PredictorError, OSError) as e:
        warn(str(e))
        return 2
    except (MemoryError, RuntimeError) as e:
        if not out_of_memory(e):
            raise
        warn("there is not enough memory for this; choose a smaller picture, size, cell or resolution")
        return 2
    except KeyboardInterrupt:
        warn("stopped")
        return 130
    return 0


def warn(line: str) -> None:
    """Say something that is no result."""
    print(f"faceflow: {line}", file=sys.stderr)


def out_of_memory(e: BaseException) -> bool:
    """Whether an error says that memory was asked for in vain; torch has no class of its own for that on a CPU."""
    words = ("not enough memory", "can't allocate memory", "out of memory", "Storage size calculation overflowed")
    return isinstance(e, MemoryError) or any(w in str(e) for w in words)


def open_photo(path: Path) -> picture.Picture:
    """A picture; what could not be read as it was is said."""
    photo = picture.read(path)
    for note in photo.notes:
        warn(note)
    return photo


def write_edited(photo: picture.Picture, crop: Crop, field: FlowField, o: argparse.Namespace) -> None:
    """Put a field on a picture, at the strengths of the options, and save it."""
    color = o.strength if o.color_strength is None else o.color_strength
    if photo.pixels.shape[1] == 1 and colors(field, crop, color):
        warn(f"{o.portrait.name} is grey and the edit has colours, so {o.output.name} is RGB.")
        photo = replace(photo, pixels=photo.rgb.contiguous())
    pixels, _ = warp(photo.pixels, crop, field, o.strength, color)
    if note := fold_note(field, o.strength, crop):
        warn(note)
    for note in picture.write(replace(photo, pixels=pixels), o.output):
        warn(note)


def find_face(photo: picture.Picture, detector: Detector, o: argparse.Namespace, option: str = "face") -> Crop:
    """The face that the options choose, by a number under ``option``; or all."""
    number = getattr(o, option)
    crop, [faces] = align(photo.rgb, detector, number, "left-right" if number is None else o.order, o.threshold)
    if number is not None and len(faces) > 1:
        name = option.replace("_", "-")
        warn(f"{len(faces)} faces found, taking number {number} ({o.order}); --{name} and --order choose another")
    for doubt in doubts(crop):
        warn(doubt)
    return crop


_predictor = functools.lru_cache(maxsize=1)(Predictor.load)  # a sheet asks for it in every cell


def make(
    photo: Tensor, crop: Crop, guide: Guide, prompt: Prompt | list[Prompt], o: argparse.Namespace, label: str
) -> FlowField:
    """The edit of faces as the options say, with a progress bar."""
    predictor = None if o.method == "optimize" else _predictor(o.predictor, guide.device)
    start = new_field(o.representation, crop.batch, o.resolution)
    with watched(label, o.steps) as watch:
        return make_field(photo, crop, guide, prompt, o.method, _settings(o), start, predictor, watch)


@contextmanager
def watched(label: str, total: int = Settings.steps) -> Iterator[Watch]:
    """A progress bar for an optimisation, which nobody sees where there is none."""
    from tqdm import tqdm

    with tqdm(total=total, desc=label, unit="step", leave=False, disable=None) as bar:

        def watch(step: Step) -> None:
            bar.total = step.total
            bar.set_postfix(gain=f"{step.gain:+.2f}", refresh=False)
            bar.update()

        yield watch


def _edit(o: argparse.Namespace) -> None:
    Prompt.parse(o.prompt, o.neutral)
    _settings(o)  # mistakes are told before the work begins
    picture.require_picture_target(o.output)
    save_field = _field_target(o)
    photo = open_photo(o.portrait)
    device = pick_device(o.device)
    crop = find_face(photo, load_detector(o.detector, o.models, device), o)
    guide = load_guide(o.guide, device, o.precision, o.models)
    if note := lines_note(o.prompt, crop.batch):
        warn(note)
    lines, meant = Prompt.lines_for(o.prompt, crop.batch)
    crop = crop.only(meant)
    prompts = Prompt.parse_lines(lines, crop.batch, o.neutral)
    warn_unknown(prompts, guide)
    start = time.perf_counter()
    field = make(
        photo.rgb,
        crop,
        guide,
        prompts[0] if len(set(prompts)) == 1 else prompts,
        o,
        " / ".join(map(str, dict.fromkeys(prompts))),
    )
    seconds = time.perf_counter() - start
    if save_field:
        field.save(save_field)
    write_edited(photo, crop, field, o)
    if note := field.meta.get("note"):
        warn(note)
    numbers = report(field, crop)
    gain = (
        f"guide gain {numbers['gain']:+.2f}, " if math.isfinite(numbers["gain"]) else ""
    )  # not known of several prompts at once
    print(f"{o.output}: {gain}folds {numbers['folds']:.2%}, largest offset {numbers['max_px']:.1f} px, {seconds:.1f} s")
    if isinstance(field, MusclesField):
        print(told(field))


def _field_target(o: argparse.Namespace) -> Path | None:
    """Where ``edit`` saves its field. Everywhere else ``--field`` names a field that is read, so that here it never replaces
    a file."""
    if o.field is None:
        return o.save_field and require_field_target(o.save_field, (".safetensors",))
    if o.save_field:
        raise ValueError("--field is the old name of --save-field; give one of the two.")
    if o.field.exists():
        raise ValueError(
            f"{o.field} is there already. To put this field on the picture: faceflow apply {o.portrait} {o.field} -o "
            f"{o.output}. To replace it by the new one: --save-field {o.field}."
        )
    return require_field_target(o.field, (".safetensors",))


def _sheet(o: argparse.Namespace) -> None:
    from ..io import draw

    picture.require_picture_target(o.output)
    if o.prompt and o.expression:
        raise ValueError("A sheet shows prompts or expressions; give --prompt or --expression.")
    columns = 1 + len(o.expression or o.prompt or PROMPTS)
    draw.require_sheet(len(o.portraits), columns, o.cell)
    device = pick_device(o.device)
    edits: dict[str, Callable[[Tensor, Crop, str], FlowField]] = {}
    if o.expression:
        edits = {name: lambda *_, name=name: preset(name) for name in o.expression}
    else:
        prompts = [Prompt.parse(text, o.neutral) for text in o.prompt or PROMPTS]
        guide = load_guide(o.guide, device, o.precision, o.models)
        edits = {str(p): lambda rgb, crop, label, p=p: make(rgb, crop, guide, p, o, label) for p in prompts}
    detector = load_detector(o.detector, o.models, device)
    rows = []
    for path in o.portraits:
        try:
            photo = open_photo(path).rgb
            crop = find_face(picture.Picture(photo), detector, o)
            wide = crop.widen(1.1)
            row = [("" if rows else "before", wide.aligned(photo, o.cell))]
            for name, edit in edits.items():
                edited = warp(photo, crop, edit(photo, crop, f"{path.name}: {name}"))[0]
                row.append(("" if rows else name, wide.aligned(edited, o.cell)))
        except (ValueError, OSError) as e:  # one bad picture must not cost the whole sheet
            warn(f"{path.name} is left out: {e}")
            continue
        rows.append(row)
    if not rows:
        raise ValueError("No face was found in any of the pictures; look at the messages above.")
    picture.write(picture.Picture(draw.sheet(rows, o.cell)), o.output)
    print(o.output)


def _settings(o: argparse.Namespace) -> Settings:
    return Settings(steps=o.steps, seed=o.seed, preserve=o.preserve, margin=o.margin)


def _apply(o: argparse.Namespace) -> None:
    picture.require_picture_target(o.output)
    photo, field = open_photo(o.portrait), load_field(o.field)
    crop = find_face(photo, load_detector(o.detector, o.models, pick_device(o.device)), o)
    if field.batch not in (1, crop.batch):
        raise ValueError(
            f"{o.field.name} is an edit of {field.batch} faces, and {crop.batch} of {o.portrait.name} taken; with --face all it fits a picture of "
            f"{field.batch} faces."
        )
    write_edited(photo, crop, painted_on(field, photo.pixels, crop), o)
    print(o.output)


def _view(o: argparse.Namespace) -> None:
    from ..io import draw
    from ..warping.measure import measure

    if o.style == "animation":
        require_target(o.output, draw.ANIMATIONS, "An animation")
    else:
        picture.require_picture_target(o.output)
    field, photo, crop = load_field(o.field), None, None
    if o.portrait:
        photo = open_photo(o.portrait).rgb
        crop = find_face(picture.Picture(photo), load_detector(o.detector, o.models, pick_device(o.device)), o)
        field = painted_on(field, photo, crop)
    if o.style in ("compare", "animation") and crop is None:
        raise ValueError(f"The style {o.style} shows a picture; name it with --portrait.")
    if field.needs_face and crop is None:
        raise ValueError("A muscles field moves every face in its own way; name the face with --portrait.")
    numbers = str(measure(field, crop, o.strength)[0])
    if o.style == "animation":
        frames = list(draw.morph(photo, crop, field, o.frames, o.size, strength=o.strength))
        frames = [draw.inscribe(f, numbers) for f in frames] if o.numbers else frames
        draw.save_animation([draw.to_image(f) for f in frames], o.output)
    else:
        if o.style == "compare":
            drawn = draw.compare(photo, crop, field, o.size, o.strength)
        else:
            face, side = (None, None) if crop is None else (crop.aligned(photo, o.size), crop.side.item())
            drawn = draw.view(field, o.style, o.size, face, o.strength, side, crop)
        picture.write(picture.Picture(draw.inscribe(drawn, numbers) if o.numbers else drawn), o.output)
    print(f"{o.output}: {numbers}")


def _export(o: argparse.Namespace) -> None:
    from ..io import interchange

    interchange.require_writable(o.output, o.st_map)
    field, crop = load_field(o.field), None
    if o.portrait:
        if not (o.st_map or field.needs_face):
            raise ValueError("--portrait is for ST-maps and muscles fields; add --st-map, or leave it out.")
        crop = find_face(open_photo(o.portrait), load_detector(o.detector, o.models, pick_device(o.device)), o)
    elif field.needs_face:
        raise ValueError("A muscles field moves every face in its own way; name the face with --portrait.")
    feather = 0.0 if o.no_fade else interchange.FEATHER
    print(interchange.write(field, o.output, o.size, o.st_map, crop, feather))


def _import(o: argparse.Namespace) -> None:
    from ..io import interchange

    require_field_target(o.output, (".safetensors",))
    print(interchange.read(o.file, o.st_map).save(o.output))


def _guides(o: argparse.Namespace) -> None:
    print(listed() if o.wishes else "\n".join(available(o.models)))


def warn_unknown(prompts: list[Prompt], guide: Guide) -> None:
    """Say which words a small guide never learnt."""
    if note := unknown_note(prompts, guide):
        never = any(prompt.unknown_words(guide) for prompt in prompts)
        warn(note + (" For instance: --guide ViT-B-32:laion2b_s34b_b79k" if never else ""))
