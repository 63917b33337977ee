"""The aligned face square: FFHQ alignment from five points, and the matrix between the photo and the crop frame."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

import torch
from torch import Tensor

from .sampling import downscaled, sample_image
from .worn import Worn


def ffhq_matrix(points: Tensor) -> Tensor:
    """Similarity that takes image points into the FFHQ crop frame.

    The crop is the square of the FFHQ alignment (Karras et al., A Style-Based Generator Architecture for GANs,
    2019, appendix A; recreate_aligned_images in the ffhq-dataset repository): its side is the larger of four eye
    distances and 3.6 eye-to-mouth distances, its centre lies a tenth of the way from eyes to mouth.

    Args:
        points: ``[B,5,2]`` pixels: viewer's left eye, right eye, nose, left and right mouth corner.

    Returns:
        ``[B,3,3]`` image pixels -> fractions 0..1 of the crop side.
    """
    # plain Python: for so few numbers torch takes twenty times as long
    rows = [_ffhq_rows(*face) for face in points.tolist()]
    return torch.tensor(rows, dtype=points.dtype, device=points.device).view(len(points), 3, 3)


_Point: TypeAlias = tuple[float, float]


def _ffhq_rows(eye_l: _Point, eye_r: _Point, _: _Point, mouth_l: _Point, mouth_r: _Point) -> list[list[float]]:
    """The matrix of one face."""
    eyes, mouth = (((a + c) / 2, (b + d) / 2) for (a, b), (c, d) in ((eye_l, eye_r), (mouth_l, mouth_r)))
    across, down = ((end[0] - start[0], end[1] - start[1]) for start, end in ((eye_l, eye_r), (eyes, mouth)))
    x, y = across[0] + down[1], across[1] - down[0]  # `down` turned by -90 degrees
    norm, side = max(math.hypot(x, y), 1e-6), 2 * max(2.0 * math.hypot(*across), 1.8 * math.hypot(*down), 1e-3)
    cos, sin = x / norm / side, y / norm / side
    u, v = eyes[0] + 0.1 * down[0], eyes[1] + 0.1 * down[1]
    return [[cos, sin, 0.5 - (cos * u + sin * v)], [-sin, cos, 0.5 - (cos * v - sin * u)], [0.0, 0.0, 1.0]]


MOST_ALIGNED = 16384  # pixels, largest side of an aligned square
OF_FACES = (  # attributes of a crop that hold a row for each face
    "points",
    "matrix",
    "landmarks",
    "covered",
    "mouth",
    "creases",
    "lids",
    "view",
    "texture",
    "lid_texture",
    "blur",
)


@dataclass(frozen=True)
class Crop:
    """Where the faces are in a batch of P pictures (any number in each, often one), and what was found out about each of the B faces.

    Everything that alignment did not look for is None or empty; an edit then does without it.

    Attributes:
        image_size: (height, width) of the pictures, pixels.
        points: ``[B,5,2]`` pixels, order as in :func:`ffhq_matrix`.
        matrix: ``[B,3,3]`` image pixels -> crop frame 0..1, a similarity.
        score: confidence 0..1 of each face.
        landmarks: ``[B,161,2]`` pixels, the points of :mod:`flow_core.faces.landmarks`.
        of_picture: index of the picture that each face is in, ascending; default: face i is in picture i.
        pictures: P, including pictures without a face; default: as many as ``of_picture`` needs.
        glasses: the glasses of each face, which stay rigid; None for a face without glasses. Empty = not looked for.
        covered: ``[B,1,n,n]`` 0..1, how much of each place of the crop frame is covered by something that is no face, such as a
            hand (:func:`flow_core.faces.covered.covered`). None = nothing, or not looked for.
        mouth: ``[B,3 or more,3]`` sRGB 0..1: colours of teeth and tongue in the light of the face, then what is seen between the lips,
            column by column; the columns may be missing (:func:`flow_core.faces.mouth.mouth_colors`). None = nothing is painted into a
            mouth that opens.
        creases: ``[B,3,n,n]`` how much darker than smooth skin each place is (:func:`flow_core.faces.creases.creases`). None = folds
            stay when the expression that made them is taken away.
        lids: ``[B,2,6,3]`` colours of the eyelids (:func:`flow_core.faces.lids.lid_colors`). None = lids that shut are stretched from
            the skin above the eye.
        view: ``[B,3,n,n]`` small pictures of the faces (:func:`flow_core.faces.shown.view`). None = what a face shows is read from its
            landmarks, which tell less, and lids are stretched as above.
        texture: ``[B,1,h,w]`` finest light and shade around the mouth (:func:`flow_core.faces.texture.mouth_texture`). None = it is
            stretched with the skin, as on small faces.
        lid_texture: ``[B,2,h,w]`` the same for eyelids (:func:`flow_core.faces.texture.lid_texture`). None = ``view`` tells it.
        blur: ``[B]`` blur of the picture beyond the size of its pixels, crop fractions (:func:`flow_core.faces.blur.blur`). None = what
            is painted is as sharp as pixels allow.
    """

    image_size: tuple[int, int]
    points: Tensor
    matrix: Tensor
    score: tuple[float, ...] = ()
    landmarks: Tensor | None = None
    of_picture: tuple[int, ...] = ()
    pictures: int = 0
    glasses: tuple[Worn | None, ...] = ()
    covered: Tensor | None = None
    mouth: Tensor | None = None
    creases: Tensor | None = None
    lids: Tensor | None = None
    view: Tensor | None = None
    texture: Tensor | None = None
    lid_texture: Tensor | None = None
    blur: Tensor | None = None

    def __post_init__(self) -> None:
        of = self.of_picture or tuple(range(len(self.matrix)))
        pictures = self.pictures or max(of, default=-1) + 1
        if len(of) != len(self.matrix) or list(of) != sorted(of) or (of and not 0 <= of[0] <= of[-1] < pictures):
            raise ValueError(f"{len(self.matrix)} faces cannot be in the pictures {of} of {pictures}.")
        object.__setattr__(self, "of_picture", of)
        object.__setattr__(self, "pictures", pictures)

    @classmethod
    def from_points(
        cls,
        points: Tensor,
        image_size: tuple[int, int],
        score: tuple[float, ...] = (),
        of_picture: tuple[int, ...] = (),
        pictures: int = 0,
    ) -> Crop:
        points = points.float()
        # double precision: on a 6000 px photo float32 would cost a hundredth of a pixel
        matrix = ffhq_matrix(points.double()).float()
        return cls(tuple(image_size), points, matrix, score, None, of_picture, pictures)

    @classmethod
    def whole(cls, aligned: Tensor) -> Crop:
        """The crop of pictures ``[B,C,S,S]`` that are aligned face squares already."""
        side = aligned.shape[-1]
        points = aligned.new_tensor([[0.375, 0.46], [0.625, 0.46], [0.5, 0.6], [0.4, 0.71], [0.6, 0.71]]) * side
        matrix = torch.diag(aligned.new_tensor([1 / side, 1 / side, 1]))
        return cls((side, side), points.expand(len(aligned), -1, -1), matrix.expand(len(aligned), -1, -1))

    def on_squares(self, aligned: Tensor) -> Crop:
        """The crop of the same faces in pictures ``[B,3,S,S]`` of their face squares: what is known of a face holds there too."""
        whole = Crop.whole(aligned)
        return replace(
            self, image_size=whole.image_size, points=whole.points, matrix=whole.matrix, of_picture=whole.of_picture,
            pictures=whole.pictures, landmarks=None if self.landmarks is None else self.places * aligned.shape[-1],
        )  # fmt: skip

    @property
    def batch(self) -> int:
        """How many faces."""
        return len(self.matrix)

    @functools.cached_property
    def inverse(self) -> Tensor:
        """``[B,3,3]`` crop frame -> image pixels."""
        rows = []
        for (a, b, u), (c, d, v), _ in self.matrix.tolist():
            area = a * d - b * c
            rows += [d, -b, b * v - d * u, -c, a, c * u - a * v, 0.0, 0.0, area]
            rows[-9:] = [value / area for value in rows[-9:]]
        with torch.inference_mode(False):  # what is kept may be asked for outside of it
            return torch.tensor(rows, device=self.matrix.device).view(-1, 3, 3)

    @functools.cached_property
    def side(self) -> Tensor:
        """Side of each crop in pixels, ``[B]``."""
        with torch.inference_mode(False):
            return 1 / torch.tensor([math.sqrt(a * d - b * c) for (a, b, _), (c, d, _), _ in self.matrix.tolist()])

    @property
    def places(self) -> Tensor:
        """The landmarks ``[B,161,2]`` in crop points.

        Raises:
            ValueError: nobody looked for them.
        """
        if self.landmarks is None:
            raise ValueError("The crop has no landmarks; make it with FaceFlow Align Face.")
        return self.to_crop(self.landmarks[:, None])[:, 0]

    @property
    def frontality(self) -> Tensor:
        """``[B]``: 1 for a face seen from the front, 0 where the nose lies half an eye distance aside."""
        p = self.to_crop(self.points[:, None])[:, 0]
        eyes, mouth = (p[:, 0] + p[:, 1]) / 2, (p[:, 3] + p[:, 4]) / 2
        aside = (p[:, 2, 0] - (eyes[:, 0] + mouth[:, 0]) / 2).abs() / (p[:, 1, 0] - p[:, 0, 0]).abs().clamp(min=1e-3)
        return (1 - 2 * aside).clamp(0, 1)

    def _each(self, change: Callable[[Tensor], Tensor]) -> dict[str, Tensor | None]:
        """The attributes that hold a row for each face, each changed by ``change``."""
        known = {name: getattr(self, name) for name in OF_FACES}
        return {name: None if value is None else change(value) for name, value in known.items()}

    def select(self, index: int) -> Crop:
        """The crop of one face, as if of a single picture; returns itself if it is that already, so that caches by crop still hit."""
        if index == 0 and self.of_picture == (0,) and self.pictures == 1:
            return self
        one = slice(index, index + 1)
        mine = self._each(lambda value: value[one])
        return replace(self, score=self.score[one], glasses=self.glasses[one], of_picture=(0,), pictures=1, **mine)

    def only(self, numbers: Sequence[int]) -> Crop:
        """Some of the faces, in the same pictures; itself where all are asked for."""
        numbers = sorted(numbers)
        if numbers == list(range(self.batch)):
            return self
        score, glasses, of_picture = (
            tuple(value[i] for i in numbers) if value else () for value in (self.score, self.glasses, self.of_picture)
        )
        mine = self._each(lambda value: value[numbers])
        return replace(self, score=score, glasses=glasses, of_picture=of_picture, **mine)

    def faces_of(self, picture: int) -> list[int]:
        """Indices of the faces in one picture."""
        return [i for i, of in enumerate(self.of_picture) if of == picture]

    def for_pictures(self, count: int) -> Crop:
        """The crop for ``count`` pictures: itself, or, if it was made for one picture, the same faces in each of them.

        Raises:
            ValueError: it was made for another number of pictures.
        """
        if self.pictures == count:
            return self
        if self.pictures != 1:
            raise ValueError(
                f"A crop of {self.pictures} pictures does not fit {count}: run Align on these pictures, or on one of them."
            )
        return replace(
            self,
            score=self.score * count,
            glasses=self.glasses * count,
            of_picture=tuple(i for i in range(count) for _ in range(self.batch)),
            pictures=count,
            **self._each(lambda value: value.repeat(count, *[1] * (value.ndim - 1))),
        )

    def widen(self, factor: float) -> Crop:
        """Squares ``factor`` times as large around the same middles. What is stored as a raster over the old square is dropped."""
        grow = self.matrix.new_tensor(
            [[1 / factor, 0, 0.5 - 0.5 / factor], [0, 1 / factor, 0.5 - 0.5 / factor], [0, 0, 1]]
        )
        return replace(self, matrix=grow @ self.matrix, covered=None, creases=None, view=None, blur=None)

    def to(self, device: torch.device | str) -> Crop:
        """The crop on a device; returns itself if it is there already."""
        moved = self._each(lambda value: value.to(device))
        return self if all(moved[name] is getattr(self, name) for name in moved) else replace(self, **moved)

    def to_crop(self, points: Tensor) -> Tensor:
        """Image points ``[B,H,W,2]`` -> crop points."""
        return _transform(self.matrix, points)

    def to_image(self, points: Tensor) -> Tensor:
        """Crop points ``[B or 1,H,W,2]`` -> image points ``[B,H,W,2]``."""
        return _transform(self.inverse, points)

    def vectors_to_image(self, vectors: Tensor) -> Tensor:
        """Offsets in fractions of the crop side ``[B,H,W,2]`` -> pixels of the image."""
        return vectors @ self.inverse[:, None, :2, :2].mT

    def bounds(self) -> tuple[int, int, int, int]:
        """Pixel box (x0, y0, x1, y1) of the first face's square, clipped to the image; empty if it lies outside."""
        (a, b, u), (c, d, v), _ = self.inverse[0].tolist()
        h, w = self.image_size
        xs, ys = (u, u + a, u + b, u + a + b), (v, v + c, v + d, v + c + d)
        (x0, y0), (x1, y1) = (math.floor(min(xs)), math.floor(min(ys))), (math.ceil(max(xs)), math.ceil(max(ys)))
        x0, y0 = min(max(x0, 0), w), min(max(y0, 0), h)
        return x0, y0, max(x0, min(x1, w)), max(y0, min(y1, h))

    def boxes_in_image(self, boxes: list[tuple[float, float, float, float]]) -> list[tuple[int, int, int, int]]:
        """Pixel boxes (x0, y0, x1, y1) around boxes of crop points of the first face; those outside of the image are left out."""
        h, w = self.image_size
        found = []
        (a, b, u), (c, d, v), _ = self.inverse[0].tolist()
        for x0, y0, x1, y1 in boxes:
            corners = [(x, y) for x in (x0, x1) for y in (y0, y1)]
            xs, ys = [a * x + b * y + u for x, y in corners], [c * x + d * y + v for x, y in corners]
            left, top = max(math.floor(min(xs)), 0), max(math.floor(min(ys)), 0)
            right, bottom = min(math.ceil(max(xs)), w), min(math.ceil(max(ys)), h)
            if left < right and top < bottom:
                found.append((left, top, right, bottom))
        return found

    def require_size(self, image: Tensor) -> None:
        """Raise ValueError unless ``image [B,C,H,W]`` has the size that the crop was made for."""
        (h, w), (height, width) = self.image_size, image.shape[2:]
        if (h, w) != (height, width):
            raise ValueError(
                f"The crop was made for a picture of {w}x{h}, this one has {width}x{height}; run Align on this picture."
            )

    def aligned(self, image: Tensor, size: int) -> Tensor:
        """The face squares ``[B,C,size,size]`` of all faces in ``image`` ``[pictures or 1,C,H,W]`` (floats 0..1, or uint8),
        float32 0..1, antialiased. Where a square reaches beyond the picture, the border's colours repeat.

        Raises:
            ValueError: the picture does not fit, or the size is not 1 to :data:`MOST_ALIGNED`.
        """
        self.require_size(image)
        if not 1 <= size <= MOST_ALIGNED:
            raise ValueError(f"An aligned face has 1 to {MOST_ALIGNED} pixels a side, not {size}.")
        if len(image) not in (1, self.pictures):
            raise ValueError(f"A crop of {self.pictures} pictures does not fit {len(image)}.")
        source = self.of_picture if len(image) > 1 else (0,) * self.batch
        return torch.cat([self._aligned_one(image[of : of + 1], i, size) for i, of in enumerate(source)])

    def within(self, size: int) -> Tensor:
        """``[B,1,size,size]``: 1 where a pixel of :meth:`aligned` lies in the picture, 0 where it repeats the picture's border."""
        at = (torch.arange(size, device=self.matrix.device) + 0.5) / size
        seen = at.new_ones(self.batch, 1, size, size)
        for one, inverse in zip(seen, self.inverse[:, :2].tolist(), strict=True):
            for (a, b, u), end in zip(inverse, self.image_size[::-1], strict=True):
                place = a * at + (b * at + u)[:, None]
                one *= (place >= 0) & (place <= end)
        return seen

    def _aligned_one(self, image: Tensor, index: int, size: int) -> Tensor:
        crop = self.select(index).to(image.device)
        x0, y0, x1, y1 = crop.bounds()
        x0, y0 = max(0, min(x0, image.shape[3] - 1) - 2), max(0, min(y0, image.shape[2] - 1) - 2)
        part = image[:, :, y0 : max(y1 + 2, y0 + 1), x0 : max(x1 + 2, x0 + 1)]
        shrink = crop.side.item() / size
        height, width = part.shape[2:]
        part = downscaled(part, 1 / shrink)  # before sampling, which would alias
        # coordinates as planes: matrix products for each pixel would take longer than the sampling
        at = (torch.arange(size, device=image.device) + 0.5) / size
        points = at.new_empty(1, 2, size, size)
        for plane, (a, b, u), start, grow in zip(
            points[0],
            crop.inverse[0, :2].tolist(),
            (x0, y0),
            (part.shape[3] / width, part.shape[2] / height),
            strict=True,
        ):
            torch.add(grow * a * at, (grow * b * at + grow * (u - start))[:, None], out=plane)
        points = points.movedim(1, -1)
        return sample_image(part, points, "bicubic" if shrink < 1 else "bilinear").clamp(0, 1)


def _transform(matrix: Tensor, points: Tensor) -> Tensor:
    return points @ matrix[:, None, :2, :2].mT + matrix[:, None, None, :2, 2]
