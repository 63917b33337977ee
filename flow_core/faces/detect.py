"""Find faces: a box, five points and a score for each.

The network is a YuNet (:mod:`flow_core.faces.yunet`), reliable for faces of about 10 to 300 px. So an image is looked at in several sizes, and each finding once more from close by.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..checkpoint import read_weights
from ..geometry.grid import pixel_centers
from ..geometry.sampling import enlarged, sample_image
from ..guides.nano import fused
from ..memory import hold_memory
from ..randomness import OwnRandom
from ..threads import yielding
from .yunet import YuNet

SIDES = (192, 384, 768, 1280)  # longest sides, in pixels, at which an image is looked at
# The longest side at which any image is looked at, however small it is. At a larger one only where there is not just one face, or where something
# scores that much, and, looked at closely, that much, but is no face
LARGE, DOUBT, DOUBTED = 768, 0.2, 0.3
LONG = 2.0  # times as long as wide: longer images are looked at in more pixels, as many as one of this shape has
SURE = 0.87  # a score that hardly anything but a face gets; what has less may be a nostril, an eye of a cat, or a face that is upside down
TURNED = 700  # root of the pixels of a picture that is turned; one without a sure face is turned seven times
TURNS = (90, -90, 45, -45, 180, 135, -135)  # degrees by which an image is turned where it shows no sure face upright
FINE = 2560  # longest side at which a large image without a sure face is looked at once more
MORE = (
    0.35  # share of what a threshold leaves to 1 that is asked on top of it of a face in such looks, and in turned ones
)
FACE = 96  # size of a face in the closer look; the crop is twice as large, a multiple of 32
BEYOND = 0.5  # the grey beyond a picture's border: black, or the colours at the border, hide some of the faces that it cuts off
CANDIDATES = 64  # findings looked at closely at a time
ANCHORS = ((8, (10, 16, 24)), (16, (32, 48)), (32, (64, 96)), (64, (128, 192, 256)))  # stride, sizes
BUILTIN = Path(__file__).parents[1] / "weights" / "detector.safetensors"
YUNET_FILES = ("yunet.safetensors", "yunet_final.pth")
YUNET_URL = "https://github.com/kornia/data/raw/main/yunet_final.pth"  # where kornia takes it from


@dataclass(frozen=True)
class Detection:
    """One face, in pixels of the given image; (0, 0) is its upper left corner, x comes first.

    Attributes:
        box: ``[4]`` x0, y0, x1, y1; it may reach over the border.
        points: ``[5,2]`` the viewer's left eye, right eye, nose tip, left mouth corner, right mouth corner.
        score: 0..1.
    """

    box: Tensor
    points: Tensor
    score: float


class Detector:
    """Finds faces with a YuNet.

    Called with an image ``[3,H,W]`` (RGB float 0..1, any size) it returns the faces of at least the score
    ``threshold``, the largest first; an empty list where there is none. With ``turned`` an image without a sure upright face is
    looked at more finely, and turned by all eighths for a likelier one, which takes some five times as long; before each turn ``watch`` is
    called with the number of looks that are done, and of all. It is looked at up to ``enlarged`` times as large as it is: the larger, the smaller the faces that are found.

    Raises:
        ValueError: the image or the threshold is not of that kind.
    """

    def __init__(self, name: str, net: nn.Module, device: torch.device | str = "cpu") -> None:
        self.name = name
        self.device = torch.device(device)
        with torch.inference_mode(False):  # a moved weight must stay an ordinary tensor
            self.net = net.to(self.device, memory_format=torch.channels_last).eval()  # twice as fast on a CPU

    @yielding()
    def __call__(
        self,
        image: Tensor,
        threshold: float = 0.8,
        turned: bool = False,
        watch: Callable[[int, int], None] | None = None,
        enlarged: float = 2.0,
    ) -> list[Detection]:
        _check(image, threshold)
        hold_memory()
        with torch.inference_mode(False), torch.no_grad():  # ordinary tensors come out in either mode
            levels = _levels(image.to(self.device), enlarged)
            rows = self._find(levels, threshold)
            if turned and _best(rows) < SURE:
                rows = self._find_small(levels, threshold, rows)
            if turned and _best(rows) < SURE:
                rows = self._find_turned(levels, threshold, rows, watch)
            rows = rows[_area(rows).argsort(descending=True)].to(image.device)
            return [Detection(row[:4].clone(), row[4:14].reshape(5, 2).clone(), float(row[14])) for row in rows]

    def _find_small(self, levels: list[Tensor], threshold: float, rows: Tensor) -> Tensor:
        """Rows of faces, with those that only more pixels of a large image show; of these more is asked, as there are more places for them."""
        image, largest = levels[:2]
        share = min(1.0, FINE / max(image.shape[2:]))
        if share * max(image.shape[2:]) < 1.2 * max(largest.shape[2:]):
            return rows
        finer = _resize(image, [max(1, round(share * side)) for side in image.shape[2:]])
        small = self._look_closer([image, finer, largest], self._look(finer, image, threshold / 2))
        rows = torch.cat([rows, small[small[:, 14] >= _more(threshold)]])
        return rows[_distinct(rows)]

    def _find_turned(
        self, levels: list[Tensor], threshold: float, upright: Tensor, watch: Callable[[int, int], None] | None
    ) -> Tensor:
        """As :meth:`_find`, of the turn that shows the likeliest face; ``upright`` where none shows a likelier one than that does.

        Each turn shows a face that is upside down to some other, with a lower score. And seven turns show something that looks a little like a face
        more often than one does, so more is asked of them.
        """
        # enough to find a face in; the landmarks are found in the image itself
        large = levels[1]
        share = min(1.0, TURNED / (large.shape[2] * large.shape[3]) ** 0.5)
        small = _resize(large, [max(1, round(side * share)) for side in large.shape[2:]])
        best = upright
        for i, angle in enumerate(TURNS):
            if watch is not None:
                watch(i + 1, len(TURNS) + 1)
            view, back = _turned(small, angle)
            sizes = ([max(1, side // part) for side in view.shape[2:]] for part in (1, 2, 4))
            rows = self._find([view, *(_resize(view, size) for size in sizes)], _more(threshold))
            if _best(rows) > _best(best):
                best = _turned_back(rows, back, _size(levels[0]) / _size(small))
        return best

    def _find(self, levels: list[Tensor], threshold: float) -> Tensor:
        """Rows ``[N,15]`` (box and points in pixels of the first level, score) of the faces of an image."""
        most = max(LARGE, *levels[0].shape[2:], *levels[-1].shape[2:])
        levels, larger = [x for x in levels if max(x.shape[2:]) <= most], [x for x in levels if max(x.shape[2:]) > most]
        looked_for = min(DOUBT, threshold / 2) if larger else threshold / 2
        rows = torch.cat([self._look(level, levels[0], looked_for) for level in levels[1:]])
        faces = self._look_closer(levels, rows)
        sure = faces[:, 14] >= threshold
        # To look at an image larger than it is takes longer than all the rest, and shows faces of some pixels alone.
        if larger and (sure.sum() != 1 or (faces[~sure, 14] > DOUBTED).any()):
            more = [self._look(level, levels[0], threshold / 2) for level in larger]
            faces = self._look_closer([levels[0], *larger, *levels[1:]], torch.cat([*more, rows]))
            sure = faces[:, 14] >= threshold
        return faces[sure][_distinct(faces[sure])]

    def _run(self, batch: Tensor) -> list[tuple[Tensor, Tensor, Tensor]]:
        """For pictures ``[B,3,h,w]``, from each map of the network: what :func:`decode` takes, ``[B,N,14]`` and ``[N,3]``, and scores ``[B,N]``."""
        height, width = (max(64, -(-side // 32) * 32) for side in batch.shape[-2:])
        batch = F.pad(batch, (0, width - batch.shape[-1], 0, height - batch.shape[-2]))
        found = []
        for values, at in zip(self.net.answers(batch), anchors(height, width, batch.device), strict=True):
            loc, (no, yes, iou) = values[..., :14], values[..., 14:].unbind(-1)
            found.append((loc, at, ((yes - no).sigmoid() * iou.clamp(0, 1)).sqrt()))
        return found

    def _look(self, level: Tensor, image: Tensor, threshold: float) -> Tensor:
        """Rows ``[N,15]`` (box and points in pixels of the image, score) found in one size of it."""
        likely = []
        for [loc], at, [score] in self._run(level):
            few = (score >= threshold).nonzero()[:, 0]
            likely.append((decode(loc[few], at[few]), score[few]))
        places, score = map(torch.cat, zip(*likely, strict=True))
        size, whole = _size(level), _size(image)
        centre = places[:, :2].mean(1)
        keep = (centre >= 0).all(1) & (centre < size).all(1)  # none in the padding
        return torch.cat([(places[keep] * (whole / size)).flatten(1), score[keep, None]], 1)

    def _look_closer(self, levels: list[Tensor], rows: Tensor) -> Tensor:
        """Different ones of rows ``[N,15]``, as crops around them show them; texture seldom looks like a face twice."""
        # a face within a face stays for now: lenses may look more like one than the face that wears them, from afar
        rows = rows[_local_maxima(rows, 0.3)]
        # some at a time, so that a crowd needs no more memory than a few
        return torch.cat([self._seen_closely(levels, part) for part in rows.split(CANDIDATES)])

    def _seen_closely(self, levels: list[Tensor], rows: Tensor) -> Tensor:
        if not len(rows):
            return rows
        crops, corners, scales = zip(*(_crop(levels, row) for row in rows), strict=True)
        loc, at, scores = zip(*self._run(torch.cat(crops)), strict=True)
        loc, at, scores = torch.cat(loc, 1), torch.cat(at), torch.cat(scores, 1)
        places = decode(loc, at) * torch.stack(scales)[:, None, None] + torch.stack(corners)[:, None, None]
        seen = []
        for row, place, score in zip(rows, places.flatten(2), scores, strict=True):
            score = score * (_overlap(row, place) > 0.5)
            best = score.argmax()
            near = score * (_overlap(place[best], place) > 0.6)  # the mean over anchors is steadier than one
            mean = (place * near[:, None]).sum(0) / near.sum().clamp(min=1e-6)
            seen.append(torch.cat([mean, (row[14:] * score[best]).sqrt()]))
        return torch.stack(seen)


def load_detector(name: str = "builtin", folders: Sequence[Path] = (), device: torch.device | str = "cpu") -> Detector:
    """Load a face detector.

    Args:
        name: ``builtin`` (trained by :mod:`flow_core.train.detector`); ``yunet``, kornia's weights, from
            ``yunet.safetensors`` or ``yunet_final.pth`` in a folder or in torch's cache, else downloaded to
            there; or the path of a file with such weights.
        folders: where to look for ``yunet``.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file holds something else.
    """
    path = {"builtin": lambda: BUILTIN, "yunet": lambda: _yunet_file(folders)}.get(name, lambda: Path(name))()
    if not path.is_file():
        raise FileNotFoundError(f"No detector at {path}. Give builtin, yunet, or the path of a .safetensors file.")
    with torch.inference_mode(False):  # weights made in inference mode would be of no use outside of it
        with OwnRandom():
            net = YuNet()
        try:
            net.load_state_dict(_read(path))
        except Exception as e:
            raise ValueError(f"{path} holds no weights for kornia's YuNet; give another file. ({e})") from e
        return Detector(name, fused(net), device)


def anchors(height: int, width: int, device: torch.device | str | None = None) -> list[Tensor]:
    """The anchors ``[N,3]`` (centre x, centre y, size; pixels) of a YuNet input, in the order of its output, for each of its maps."""
    rows = []
    for stride, sizes in ANCHORS:
        y, x = ((torch.arange(side // stride, device=device) + 0.5) * stride for side in (height, width))
        y, x, size = torch.meshgrid(y, x, torch.tensor(sizes, device=device).float(), indexing="ij")
        rows.append(torch.stack([x, y, size], -1).flatten(0, 2))
    return rows


def decode(loc: Tensor, anchors: Tensor) -> Tensor:
    """YuNet's ``loc`` ``[...,N,14]`` at anchors ``[N,3]`` as two box corners and five points ``[...,N,7,2]``, pixels.

    This is the encoding of SSD (Liu et al., arXiv 1512.02325): variance 0.1 for places, 0.2 for log sizes.
    """
    loc, centre, size = loc.unflatten(-1, (7, 2)), anchors[:, None, :2], anchors[:, None, 2:]
    half = size * (0.2 * loc[..., 1:2, :]).exp() / 2
    places = centre + 0.1 * size * loc
    return torch.cat([places[..., :1, :] - half, places[..., :1, :] + half, places[..., 2:, :]], -2)


def _check(image: Tensor, threshold: float) -> None:
    if not isinstance(image, Tensor) or image.ndim != 3 or image.shape[0] != 3 or 0 in image.shape:
        got = list(image.shape) if isinstance(image, Tensor) else type(image).__name__
        raise ValueError(f"A detector takes one RGB image as a tensor [3,H,W], got {got}; pass it without batch.")
    if not image.is_floating_point():
        raise ValueError(f"A detector takes float values 0..1, got {image.dtype}; pass image.float() / 255.")
    if not image.sum().isfinite() and not bool(image.isfinite().all()):  # the sum is several times quicker
        raise ValueError("The image holds NaN or infinite values, a detector takes 0..1; replace them first.")
    if not 0 < threshold <= 1:
        raise ValueError(f"The threshold is a score above 0 and up to 1, got {threshold}.")


def _levels(image: Tensor, enlarged: float) -> list[Tensor]:
    """The image ``[1,3,H,W]`` as it is, then the sizes of it to look at, the largest first; none is more than ``enlarged`` times as large."""
    longest = max(image.shape[1:])
    more = max(1.0, longest / min(image.shape[1:]) / LONG) ** 0.5  # a panorama's faces are small beside its length
    sides = [side for side in (round(side * more) for side in SIDES) if side <= enlarged * longest]
    if not sides or (len(sides) < len(SIDES) and enlarged * longest > 1.2 * sides[-1]):
        sides.append(round(enlarged * longest))
    levels, source = [image[None]], image[None]
    for side in reversed(sides):
        smaller = _resize(source, [max(1, round(length * side / longest)) for length in image.shape[1:]])
        if side < longest:
            source = smaller  # a large photo is read only once
        levels.append(smaller)
    return levels


def _turned(image: Tensor, angle: float) -> tuple[Tensor, Tensor]:
    """An image ``[1,3,h,w]`` turned about its middle, in a frame that holds all of it, and the matrix ``[2,3]`` from there back."""
    size = _size(image).float()
    c, s = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    turn = size.new_tensor([[c, -s], [s, c]])
    frame = (turn.abs() @ size).ceil()
    back = torch.cat([turn, (size / 2 - turn @ frame / 2)[:, None]], 1)
    width, height = (int(n) for n in frame)
    points = pixel_centers(height, width, image.device) * frame @ turn.T + back[:, 2]
    return sample_image(image.float(), points), back


def _turned_back(rows: Tensor, back: Tensor, scale: Tensor) -> Tensor:
    """Rows ``[N,15]`` found in a turned view, in pixels of the image; a box becomes the upright one around it."""
    x, y = rows[:, [0, 2, 2, 0]], rows[:, [1, 1, 3, 3]]
    at = torch.cat([torch.stack([x, y], -1), rows[:, 4:14].unflatten(1, (5, 2))], 1)
    at = (at @ back[:, :2].T + back[:, 2]) * scale
    return torch.cat([at[:, :4].amin(1), at[:, :4].amax(1), at[:, 4:].flatten(1), rows[:, 14:]], 1)


def _crop(levels: list[Tensor], row: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """A square ``[1,3,s,s]`` around a box, its corner ``[2]`` in the image, the size ``[2]`` of its pixels there."""
    whole, face = _size(levels[0]), _area(row[None])[0].sqrt()
    enough = [level for level in levels if (_size(level) * face >= whole * FACE).all()]
    level = enough[-1] if enough else levels[0]  # the smallest that need not be enlarged
    scale = _size(level) / whole
    side = max(2, round(float(face * scale[0]) * 2))
    x, y = ((row[:2] + row[2:4]) / 2 * scale - side / 2).round().int().tolist()
    height, width = level.shape[-2:]
    part = level[..., max(0, y) : y + side, max(0, x) : x + side]
    part = F.pad(part, [max(0, gap) for gap in (-x, x + side - width, -y, y + side - height)], value=BEYOND)
    return _resize(part, (2 * FACE,) * 2), torch.tensor([x, y], device=row.device) / scale, side / 2 / FACE / scale


def _size(image: Tensor) -> Tensor:
    return torch.tensor([image.shape[-1], image.shape[-2]], device=image.device)


def _resize(image: Tensor, shape: Sequence[int]) -> Tensor:
    if shape[0] >= image.shape[2] and shape[1] >= image.shape[3]:
        return enlarged(image.float(), tuple(shape)).clamp_(0, 1)
    return F.interpolate(image.float(), tuple(shape), mode="bilinear", align_corners=False, antialias=True).clamp_(0, 1)


def _distinct(rows: Tensor) -> Tensor:
    """The indices of rows ``[N,15]`` that stand for different faces, the best first."""
    kept: list[int] = []
    for index in _local_maxima(rows, 0.3):
        if not kept or _overlap(rows[index], rows[kept], inside=True).max() < 0.7:  # no face within a face
            kept.append(index)
    return torch.tensor(kept, dtype=torch.long, device=rows.device)


def _local_maxima(rows: Tensor, most: float) -> list[int]:
    """Non-maximum suppression: indices, the best score first, without what overlaps a better one by more than ``most``."""
    left, kept = rows[:, 14].argsort(descending=True), []
    while len(left):
        best, left = left[0], left[1:]
        kept.append(int(best))
        left = left[_overlap(rows[best], rows[left]) <= most]
    return kept


def _more(threshold: float) -> float:
    """What is asked of a face where it is looked for in many more places than upright and large."""
    return threshold + MORE * (1 - threshold)


def _best(rows: Tensor) -> float:
    """The highest score among rows, 0 without any."""
    return float(rows[:, 14].max()) if len(rows) else 0.0


def _area(rows: Tensor) -> Tensor:
    return (rows[:, 2:4] - rows[:, :2]).clamp(min=0).prod(1)


def _overlap(row: Tensor, rows: Tensor, inside: bool = False) -> Tensor:
    """The overlap ``[N]`` of a box with others, as a fraction of their union, or of the smaller one."""
    shared = (torch.minimum(row[2:4], rows[:, 2:4]) - torch.maximum(row[:2], rows[:, :2])).clamp(min=0).prod(1)
    one, many = _area(row[None]), _area(rows)
    return shared / (torch.minimum(one, many) if inside else one + many - shared).clamp(min=1e-6)


def _read(path: Path) -> dict[str, Tensor]:
    if path.suffix == ".safetensors":
        return read_weights(path, "detector", "give another file")[0]
    return torch.load(path, map_location="cpu", weights_only=True)


def _yunet_file(folders: Sequence[Path]) -> Path:
    cache = Path(torch.hub.get_dir()) / "checkpoints"
    places = [*map(Path, folders), cache]
    for path in (place / file for place in places for file in YUNET_FILES):
        if path.is_file():
            return path
    try:
        cache.mkdir(parents=True, exist_ok=True)
        torch.hub.download_url_to_file(YUNET_URL, str(cache / YUNET_FILES[1]), progress=False)
    except OSError as e:
        raise FileNotFoundError(
            f"No {' or '.join(YUNET_FILES)} in {', '.join(map(str, places))}, and the download failed ({e}). Put "
            f"the file from {YUNET_URL} into one of these folders, or take the detector builtin."
        ) from e
    return cache / YUNET_FILES[1]
