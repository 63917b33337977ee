"""Damaged files, strange commands and node inputs by the thousand: ``python -m benchmarks.fuzz --minutes 5``.

Every case is made from its kind and number alone, so that ``--only picture:123`` runs one again and shows what it does. A case
may end well, or with an error that the library states (ValueError, OSError and the like, in one sentence). Counted are
tracebacks (anything else), hangs (more than ``--limit`` seconds of the processor, or 30 times as long on the clock), memory (more than ``--memory`` MB more than before), and lost
files: an input that changed, an older output that a failed command replaced, or an unfinished file that was left.
Prints a table and what went wrong, and exits with 1 if anything did.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import io
import json
import random
import resource
import shutil
import signal
import struct
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from PIL import Image

ROOT = Path(__file__).parents[1]
STATED = ("ValueError", "OSError", "GuideError", "PredictorError", "InterruptProcessingException")
SHARES = {"field": 24, "interchange": 25, "picture": 30, "guide": 2, "command": 8, "node": 11}  # percent of the cases
NUMBERS = ("0", "-1", "1", "2", "3", "0.5", "nan", "inf", "-inf", "1e26", "1e400", "99999999999999999999", "-0", "1e-30", "abc", "",
           "7", "16", "64", "1000000")  # fmt: skip
WORDS = ("", "smile", "a smiling face", "a smiling face | angry:-0.3", "smile:nan", "|", ":", "雪" * 9, "x" * 5000, "\0", "../..",
         "smile 1e400", "mouthSmile 0.7, eyeBlinkLeft 1", "relax", "-", "--help", "😀:2")  # fmt: skip


class TimeoutReached(BaseException):
    """A case took too long; not an Exception, so that nothing in between takes it for one."""


@dataclass
class Found:
    """What has been counted, of one kind."""

    cases: int = 0
    ended: Counter = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)


def damaged(rng: random.Random, data: bytes, other: bytes = b"") -> bytes:
    """A file with some damage: bits, cuts, repetitions, numbers that ask for much, pieces of another file."""
    out = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 4, 16))):
        at = rng.randrange(len(out)) if out and rng.random() < 0.6 else rng.randrange(min(len(out), 200) or 1)
        n = rng.choice((1, 2, 4, 8, 64))
        what = rng.randrange(7)
        if what == 0:
            out[at : at + n] = rng.randbytes(n)
        elif what == 1:
            out[at : at + 1] = bytes([(out[at] if at < len(out) else 0) ^ (1 << rng.randrange(8))])
        elif what == 2:
            del out[at : at + n * rng.choice((1, 10))]
        elif what == 3:
            out[at:at] = out[at : at + n] * rng.choice((1, 3))
        elif what == 4:
            number = rng.choice((0, 1, -1, 0x7FFFFFFF, -0x80000000, 0xFFFF, 0x4000, 0x10000))
            out[at : at + 4] = struct.pack(rng.choice("<>") + "i", number)
        elif what == 5:
            del out[at:]
        elif other:
            start = rng.randrange(len(other))
            out[at : at + n] = other[start : start + n]
    return bytes(out)


def damaged_safetensors(rng: random.Random, data: bytes) -> bytes:
    """Damage to the header as JSON, or to the numbers, so that more than the first check is met."""
    (length,) = struct.unpack_from("<Q", data)
    head, body = json.loads(data[8 : 8 + length]), bytearray(data[8 + length :])
    about = json.loads(head.get("__metadata__", {}).get("faceflow", "{}"))
    odd = [
        None,
        True,
        -1,
        0,
        1e300,
        10**400,
        "nan",
        "",
        [],
        {},
        [[]] * 3,
        "x" * 99,
        float("nan"),
        float("inf"),
        1.5,
        {"a": {}},
    ]
    for _ in range(rng.choice((1, 1, 2))):
        what = rng.randrange(6)
        if what == 0 and about:
            about[rng.choice([*about, "more"])] = rng.choice(odd)
        elif what == 1 and about:
            del about[rng.choice(list(about))]
        elif what == 2 and isinstance(about.get("muscles"), list):
            about["muscles"].append({rng.choice(("mouthSmile", "x", "", "relax")): rng.choice(odd)})
        elif what == 3:
            name = rng.choice([k for k in head if k != "__metadata__"] or ["offset"])
            entry = dict(head.get(name, {}))
            key = rng.choice(("dtype", "shape", "data_offsets"))
            entry[key] = {
                "dtype": rng.choice(("F64", "I64", "BOOL", "F16", "BF16", "F32", "U8")),
                "shape": rng.choice(([1, 2, 1, 1], [0], [1, 2, 4], [2**40], [1, 3, 8, 8], [-1], [])), "data_offsets": [0, 4],
            }[key]  # fmt: skip
            head[name] = entry
        elif what == 4 and len(body) >= 4:
            number = rng.choice((float("nan"), float("inf"), 1e30, -1e30, 1e-40, 100.0, 3e38))
            for _ in range(rng.choice((1, 1, 50))):
                struct.pack_into("<f", body, 4 * rng.randrange(len(body) // 4), number)
        elif head:
            name = rng.choice(list(head))
            head[rng.choice(("offset", "w0", "extra"))] = head.pop(name)
    text = json.dumps(about)
    if rng.random() < 0.03:
        text = "[" * 100_000
    head["__metadata__"] = {"faceflow": text}
    packed = json.dumps(head).encode()
    return struct.pack("<Q", len(packed)) + packed + bytes(body)


class Seeds:
    """Good files, from which the damaged ones are made."""

    def __init__(self, folder: Path) -> None:
        from flow_core.cli.demo import portraits
        from flow_core.faces.align import align
        from flow_core.faces.detect import load_detector
        from flow_core.fields.expressions import preset
        from flow_core.fields.new import new_field
        from flow_core.fields.velocity import to_velocity
        from flow_core.io import interchange, picture

        self.folder = folder
        portrait = portraits()["astronaut"]
        self.photo = portrait[..., :180, 125:325].contiguous()
        self.crop, _ = align(self.photo, load_detector())
        raster = new_field("raster", resolution=8, noise=0.01)
        fields = {
            "raster": raster, "velocity": to_velocity(raster), "siren": new_field("siren", noise=0.01, width=16),
            "muscles": preset("smile"), "batch": new_field("raster", 3, 8, 0.01),
        }  # fmt: skip
        self.fields = {n: f.save(folder / f"{n}.safetensors").read_bytes() for n, f in fields.items()}
        self.good = fields
        self.interchange = {}
        for name, st in (("a.flo", 0), ("a.png", 0), ("a.exr", 0), ("a.npy", 0), ("m.exr", 1), ("m.png", 1)):
            path = interchange.write(raster, folder / name, 24, bool(st), feather=0)
            self.interchange[name] = (path.read_bytes(), bool(st))
        rng = np.random.default_rng(0)
        small = torch.from_numpy(rng.random((1, 4, 20, 24))).float()
        self.pictures = {}
        for suffix in picture.WRITTEN:
            for channels, depth in ((1, 255), (3, 255), (4, 255), (3, 65535)):
                shown = picture.Picture(small[:, :channels].round() if channels == 4 else small[:, :channels], depth)
                with contextlib.suppress(ValueError):
                    picture.write(shown, folder / f"p{channels}{suffix}")
                    self.pictures[f"{channels}-{depth}{suffix}"] = (folder / f"p{channels}{suffix}").read_bytes()
        exif = Image.Exif()
        exif[0x0112], exif[0x010F] = 6, "camera"
        for name, image in (
            ("exif.jpg", Image.fromarray(rng.integers(0, 255, (20, 24, 3), dtype=np.uint8))),
            ("exif.webp", Image.new("RGB", (20, 24))), ("cmyk.jpg", Image.new("CMYK", (20, 24))),
            ("lab.tif", Image.new("LAB", (20, 24))), ("fax.tif", Image.new("1", (20, 24))), ("pal.png", Image.new("P", (20, 24))),
        ):  # fmt: skip
            buffer = io.BytesIO()
            kind = {"jpg": "JPEG", "webp": "WEBP", "tif": "TIFF", "png": "PNG"}[name.split(".")[1]]
            image.save(buffer, kind, exif=exif)
            self.pictures[name] = buffer.getvalue()
        picture.write(picture.Picture(self.photo), folder / "photo.png")
        picture.write(picture.Picture(self.photo), folder / "photo.jpg")
        weights = ROOT / "flow_core" / "weights"
        self.config = (weights / "nano.json").read_bytes()
        self.weights = weights / "nano.safetensors"


def case_field(rng: random.Random, seeds: Seeds, work: Path) -> None:
    from flow_core.fields.files import load_field
    from flow_core.warping.measure import measure
    from flow_core.warping.warp import warp

    data = rng.choice(list(seeds.fields.values()))
    other = rng.choice(list(seeds.fields.values()))
    path = work / "f.safetensors"
    path.write_bytes(damaged_safetensors(rng, data) if rng.random() < 0.7 else damaged(rng, data, other))
    loaded = load_field(path)
    str(measure(loaded.select(0), seeds.crop)[0])
    warp(seeds.photo, seeds.crop, loaded.select(0), rng.choice((1.0, -2.0, 3.0)))
    loaded.save(work / "again.safetensors")


def case_interchange(rng: random.Random, seeds: Seeds, work: Path) -> None:
    from flow_core.io import interchange
    from flow_core.warping.warp import warp

    name = rng.choice(list(seeds.interchange))
    data, st = seeds.interchange[name]
    path = work / name
    path.write_bytes(damaged(rng, data, rng.choice(list(seeds.interchange.values()))[0]))
    loaded = interchange.read(path, st if rng.random() < 0.9 else not st and path.suffix in interchange.ST_MAPS)
    warp(seeds.photo, seeds.crop, loaded.select(0))


def case_picture(rng: random.Random, seeds: Seeds, work: Path) -> None:
    from flow_core.io import picture

    name = rng.choice(list(seeds.pictures))
    data = damaged(rng, seeds.pictures[name], rng.choice(list(seeds.pictures.values())))
    path = work / f"in{Path(name).suffix}"
    path.write_bytes(data)
    picture.write(picture.read(path), work / f"out{rng.choice(picture.WRITTEN)}")


def case_guide(rng: random.Random, seeds: Seeds, work: Path) -> None:
    from flow_core.guides.guide import load_guide

    path = work / "mine.safetensors"
    shutil.copy(seeds.weights, path)
    config = json.loads(seeds.config)
    for part in (config, config["text_cfg"], config["vision_cfg"]):
        if rng.random() < 0.5:
            part[rng.choice(list(part))] = rng.choice((None, -1, 0, 1e300, "x", [], {}, 10**20, True))
    text = json.dumps(config)
    text = rng.choice((text, text, text, "[" * 100_000, text[: rng.randrange(len(text))], ""))
    path.with_suffix(".json").write_text(text)
    if rng.random() < 0.5:
        with path.open("r+b") as file:
            head = file.read(4096)
            file.seek(0)
            file.write(damaged(rng, head)[:4096])
    load_guide(str(path))


def command(rng: random.Random, seeds: Seeds, work: Path) -> list[str]:
    """A command line that is nearly right."""
    inputs = [
        seeds.folder / n
        for n in ("photo.png", "photo.jpg", "raster.safetensors", "muscles.safetensors", "a.flo", "m.exr")
    ]
    bad = work / "bad.png"
    bad.write_bytes(damaged(rng, (seeds.folder / "photo.png").read_bytes()))
    photo = rng.choice((inputs[0], inputs[0], inputs[1], bad, work / "gone.png", work, inputs[2]))
    edit = rng.choice((inputs[2], inputs[3], inputs[3], inputs[0], work / "gone.safetensors"))
    out = work / rng.choice(
        ("out.png", "out.png", "out.jpg", "結果.webp", "out.gif", "out.docx", "out", "sub/out.tif", "old.png")
    )
    number = lambda: rng.choice(NUMBERS)  # noqa: E731
    words = rng.choice(WORDS)
    made = {
        "apply": [photo, edit, "-o", out],
        "muscles": [photo, words, "-o", out],
        "read": [photo],
        "copy": [photo, inputs[1], "-o", out],
        "view": [edit, "-o", out, "--style", rng.choice(("wheel", "arrows", "grid", "heat", "color", "folds", "muscles", "compare", "animation", "x")),
                 "--size", number(), "--portrait", photo],
        "export": [edit, out.with_suffix(rng.choice((".flo", ".png", ".exr", ".npy", ".txt"))), "--size", number()],
        "import": [rng.choice(inputs), "-o", out.with_suffix(".safetensors")],
        "sheet": [photo, inputs[0], "-o", out, "--expression", "smile", "--cell", number()],
        "edit": [photo, words, "-o", out, "--steps", "2", "--method", rng.choice(("predict", "optimize", "refine")),
                 "--representation", rng.choice(("muscles", "raster", "siren")), "--resolution", rng.choice(("8", number()))],
        "guides": ["--models", rng.choice((work, work / "gone"))],
    }  # fmt: skip
    name = rng.choice([*made, *made, "nonsense"])
    argv = [name, *map(str, made.get(name, []))]
    options = ["--strength", "--color-strength", "--face", "--threshold", "--device", "--detector", "--order", "--frames", "--seed",
               "--margin", "--preserve", "--models", "--st-map", "--no-fade", "--numbers", "--save-field", "--neutral"]  # fmt: skip
    for option in rng.sample(options, rng.choice((0, 0, 1, 1, 2))):
        value = {"--device": rng.choice(("cpu", "meta", "cuda", "x")), "--save-field": str(work / "kept.safetensors"),
                 "--models": str(work), "--neutral": rng.choice(WORDS)}.get(option, number())  # fmt: skip
        argv += [option] if option in ("--st-map", "--no-fade", "--numbers") else [option, value]
    return [a.replace("\0", "") if rng.random() < 0.9 else a for a in argv]


def case_command(rng: random.Random, seeds: Seeds, work: Path) -> None:
    from flow_core.cli import main as cli

    old = work / "old.png"
    old.write_bytes((seeds.folder / "photo.png").read_bytes())
    argv = command(rng, seeds, work)
    before = old.read_bytes()
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        try:
            code = cli.main(argv)
        except SystemExit as e:  # argparse
            code = e.code or 0
    if code not in (0, 2):
        raise AssertionError(f"{argv}: exit {code}")
    if code and old.read_bytes() != before:
        raise LostFile(f"{argv}: replaced an older file and failed")
    if code and "Traceback" in said.getvalue():
        raise AssertionError(f"{argv}: printed a traceback")
    if code:
        raise ValueError(said.getvalue())


def stated(e: BaseException) -> bool:
    """Whether an error is one that the library states, in a sentence."""
    names = {c.__name__ for c in type(e).__mro__}
    return bool(names & set(STATED)) and "UnicodeError" not in names and len(str(e).split()) > 2


class LostFile(Exception):
    """A file that was there is gone, or another."""


class Nodes:
    """The pack, loaded as ComfyUI would, on the stand-in of the tests."""

    def __init__(self, root: Path) -> None:
        sys.path.insert(0, str(ROOT / "tests" / "nodes"))
        import comfy_stub

        for name in ("output", "input", "models/faceflow"):
            (root / name).mkdir(parents=True)
        sys.modules.update(comfy_stub.modules(root))
        self.stub = comfy_stub
        _, self.nodes = comfy_stub.load_pack(ROOT)
        self.run = sys.modules["comfy_api.internal"].make_locked_method_func

    def value(self, rng: random.Random, i: object, given: dict[str, list]) -> object:
        kind = str(i.io_type)
        if kind in ("INT", "FLOAT"):
            low, high = i.min if i.min is not None else 0, i.max if i.max is not None else 100
            high = min(
                high, {"steps": 2, "frames": 4, "size": 128, "aligned_size": 128, "resolution": 16}.get(i.id, high)
            )
            pick = rng.choice((i.default, low, high, rng.uniform(low, high)))
            return int(pick) if kind == "INT" else float(pick)
        if kind == "BOOLEAN":
            return rng.random() < 0.5
        if kind == "COMBO":
            options = [o for o in i.options if ":" not in str(o) and o != "yunet"]  # those would be downloaded
            return rng.choice(options) if options else "output/none.safetensors"
        if kind == "STRING":
            return "" if i.id == "other" else rng.choice([*WORDS, i.default or ""])
        return rng.choice(given[kind]) if given.get(kind) else None


def node_inputs(rng: random.Random, seeds: Seeds, made: dict[str, object]) -> dict[str, list]:
    photo = seeds.photo.movedim(1, -1).contiguous()
    h, w = photo.shape[1:3]
    images = [photo, photo, photo.half(), photo[..., :1], torch.cat([photo, photo[..., :1]], -1), photo.repeat(2, 1, 1, 1),
              photo[:, :64, :64], torch.zeros(1, 1, 1, 3), torch.full((1, 90, 80, 3), float("nan")), torch.zeros(1, 64, 64, 3), photo * 4 - 1]  # fmt: skip
    masks = [torch.zeros(1, 64, 64), torch.ones(1, h, w), torch.zeros(1, h, w), torch.rand(1, 33, 77), torch.rand(h, w), torch.ones(3, h, w),
             torch.ones(1, h, w).half(), torch.full((1, h, w), float("nan"))]  # fmt: skip
    latents = [{"samples": torch.rand(1, 4, h // 8, w // 8)}, {"samples": torch.rand(1, 4, 3, 3)}, {"samples": torch.rand(1, 16, 2, 8, 8)},
               {"samples": torch.rand(1, 4, h // 8, w // 8), "noise_mask": torch.rand(1, 1, h, w)}]  # fmt: skip
    return {"IMAGE": images, "MASK": masks, "LATENT": latents, "FACEFLOW_CROP": made["crops"], "FACEFLOW_FIELD": made["fields"],
            "FACEFLOW_GUIDE": made["guides"], "FACEFLOW_PREDICTOR": made["predictors"], "FLOAT,CURVE": [1.0, [0.0, 1.0], [1.0] * 99]}  # fmt: skip


def prepared(nodes: Nodes, seeds: Seeds) -> dict[str, list]:
    """Crops, fields, a guide and a predictor, made by the nodes themselves."""
    photo = seeds.photo.movedim(1, -1).contiguous()

    def run(name: str, **inputs: object) -> object:
        node = nodes.nodes[name]
        for i in node.GET_SCHEMA().inputs:
            if i.id not in inputs and i.io_type in nodes.stub.WIDGETS and i.default is not None:
                inputs[i.id] = i.default
        return nodes.run(node, node.FUNCTION, node.PREPARE_CLASS_CLONE({}))(**inputs)[0]

    crop = run("FaceFlowAlign", image=photo)
    fields = [
        run("FaceFlowInit", crop=crop, representation=r, resolution=8, noise=0.02, size=16)
        for r in ("raster", "siren", "muscles")
    ]
    fields.append(run("FaceFlowMuscles", mouthSmile=0.7))
    return {
        "crops": [crop, crop, run("FaceFlowAlign", image=photo.repeat(2, 1, 1, 1))], "fields": fields,
        "guides": [run("FaceFlowLoadGuide")], "predictors": [run("FaceFlowLoadPredictor", predictor="builtin")],
    }  # fmt: skip


def case_node(rng: random.Random, seeds: Seeds, work: Path, nodes: Nodes, made: dict[str, list]) -> None:
    name = rng.choice([n for n in nodes.nodes if n != "FaceFlowVideo" or rng.random() < 0.3])
    node = nodes.nodes[name]
    given, inputs = node_inputs(rng, seeds, made), {}
    for i in node.GET_SCHEMA().inputs:
        if i.optional and rng.random() < 0.5:
            continue
        value = nodes.value(rng, i, given)
        if value is not None:
            inputs[i.id] = value
    with torch.inference_mode():
        try:
            nodes.run(node, node.FUNCTION, node.PREPARE_CLASS_CLONE({}))(**inputs)
        except TypeError as e:
            if "required" not in str(e):  # an input that nothing here can give
                raise
        except Exception as e:
            if "outside the output folder" not in str(e):  # ComfyUI's own words
                raise


def digest(folder: Path) -> str:
    found = hashlib.sha256()
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        found.update(path.name.encode() + path.read_bytes())
    return found.hexdigest()


@contextlib.contextmanager
def at_most(seconds: float) -> Iterator[None]:
    def stop(*_: object) -> None:
        raise TimeoutReached

    # of the processor, for others may keep it busy; who waits for something uses none of it
    timers = {signal.ITIMER_PROF: (signal.SIGPROF, seconds), signal.ITIMER_REAL: (signal.SIGALRM, 30 * seconds)}
    for timer, (name, most) in timers.items():
        signal.signal(name, stop)
        signal.setitimer(timer, most)
    try:
        yield
    finally:
        for timer in timers:
            signal.setitimer(timer, 0)


def one(kind: str, number: int, run: Callable[..., None], seeds: Seeds, o: argparse.Namespace, found: Found) -> None:
    """Run one case and count how it ends."""
    rng, name = random.Random(f"{kind}:{number}"), f"{kind}:{number}"
    before, peak = digest(seeds.folder), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with tempfile.TemporaryDirectory() as folder:
        work, ended = Path(folder), "well"
        try:
            with at_most(o.limit):
                run(rng, seeds, work)
        except TimeoutReached:
            ended = "hang"
            found.faults.append(f"{name}: took more than {o.limit:g} s")
        except LostFile as e:
            ended = "lost"
            found.faults.append(f"{name}: {e}")
        except BaseException as e:
            if isinstance(e, KeyboardInterrupt):
                raise
            ended = "error"
            if not stated(e):
                ended = "traceback"
                lines = traceback.format_exc(limit=-4) if not o.only else traceback.format_exc()
                found.faults.append(f"{name}: {lines}")
            elif o.only:
                print(f"{name}: {type(e).__name__}: {e}")
        if list(work.rglob(".faceflow-*")):
            ended = "lost"
            found.faults.append(f"{name}: left an unfinished file")
    if digest(seeds.folder) != before:
        ended = "lost"
        found.faults.append(f"{name}: changed one of its inputs")
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - peak) // 1024
    if grown > o.memory:
        ended = "memory"
        found.faults.append(f"{name}: took {grown} MB")
    found.cases += 1
    found.ended[ended] += 1


def main() -> int:
    ap = argparse.ArgumentParser(description=__doc__)
    ap.add_argument("--minutes", type=float, default=5)
    ap.add_argument("--cases", type=int, default=10_000, help="at most")
    ap.add_argument("--start", type=int, default=0, help="number of the first case")
    ap.add_argument("--kinds", nargs="+", choices=tuple(SHARES), default=tuple(SHARES))
    ap.add_argument("--only", metavar="KIND:NUMBER")
    ap.add_argument("--limit", type=float, default=30, help="seconds of the processor for a case")
    ap.add_argument("--memory", type=int, default=1500, help="MB that the peak may grow by in a case")
    o = ap.parse_args()
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        seeds = Seeds(Path(folder))
        runs: dict[str, Callable[..., None]] = {
            "field": case_field, "interchange": case_interchange, "picture": case_picture, "guide": case_guide, "command": case_command,
        }  # fmt: skip
        kinds = [o.only.split(":")[0]] if o.only else o.kinds
        if "node" in kinds:
            pack = tempfile.TemporaryDirectory()
            nodes = Nodes(Path(pack.name))
            with torch.inference_mode():
                made = prepared(nodes, seeds)
            runs["node"] = lambda rng, seeds, work: case_node(rng, seeds, work, nodes, made)
        if "command" in kinds:
            from flow_core.cli import common

            load, detector = common.load_detector, common.load_detector()  # loaded once for all commands
            common.load_detector = lambda name="builtin", *a, **k: (
                detector if name == "builtin" else load(name, *a, **k)
            )
        found = {kind: Found() for kind in kinds}
        if o.only:
            one(kinds[0], int(o.only.split(":")[1]), runs[kinds[0]], seeds, o, found[kinds[0]])
        end, number = time.monotonic() + 60 * o.minutes, dict.fromkeys(kinds, o.start)
        choose = random.Random(o.start)
        while not o.only and time.monotonic() < end and sum(f.cases for f in found.values()) < o.cases:
            kind = choose.choices(kinds, [SHARES[k] for k in kinds])[0]
            faults = len(found[kind].faults)
            one(kind, number[kind], runs[kind], seeds, o, found[kind])
            number[kind] += 1
            for fault in found[kind].faults[faults:]:
                print(fault, flush=True)
    print(f"\n{'kind':<13}{'cases':>7}{'well':>7}{'error':>7}{'traceback':>11}{'hang':>6}{'lost':>6}{'memory':>8}")
    rows = {
        **found,
        "all": Found(sum(f.cases for f in found.values()), sum((f.ended for f in found.values()), Counter())),
    }
    for kind, f in rows.items():
        counts = [f.ended[e] for e in ("well", "error", "traceback", "hang", "lost", "memory")]
        print(
            f"{kind:<13}{f.cases:>7}{counts[0]:>7}{counts[1]:>7}{counts[2]:>11}{counts[3]:>6}{counts[4]:>6}{counts[5]:>8}"
        )
    return int(any(f.faults for f in found.values()))


if __name__ == "__main__":
    sys.exit(main())
