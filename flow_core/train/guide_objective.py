"""What trainings of the nano guide share: faces with what is true of them, the losses, and figures for the tables."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..faces.landmarks import POINTS
from ..guides.nano import IMAGE_SIZE
from . import attributes as A
from . import colors, data
from .views import Views


def normalise(model: nn.Module, images: Tensor) -> Tensor:
    """Pictures ``[N,3,S,S]`` 0..1 as the image tower takes them."""
    cfg = model.visual.preprocess_cfg
    mean, std = (images.new_tensor(cfg[k]).view(1, 3, 1, 1) for k in ("mean", "std"))
    return (images - mean) / std


def logits(model: nn.Module, image: Tensor, text: Tensor) -> Tensor:
    """Pairwise logits of unit embeddings ``[N,D]`` and ``[C,D]``."""
    return model.logit_scale.exp() * image @ text.mT + model.logit_bias


class Shown:
    """Faces as the guide sees them in training, with what is true of them."""

    def __init__(self, faces: data.Faces, seed: int, scale: A.Scale | None = None, size: int = IMAGE_SIZE) -> None:
        self.faces, self.views = faces, Views(faces, seed, size)
        self.usable, self.generator = self.views.usable, self.views.generator
        self.pose = A.pose(self.views.points)
        self.labels = A.label_logits(list(faces.label))
        self.scale = scale or A.Scale.fit(
            self.views.points[self.usable], [faces.label[i] for i in self.usable.tolist()]
        )

    def look(self, index: Tensor, warp: bool, jitter: float, paint: bool) -> tuple[Tensor, ...]:
        """Pictures ``[n,3,112,112]``, landmarks in them ``[n,161,2]``, masks of the colours' regions ``[n,8,56,56]``, concept
        scores ``[n,K]``, and which pictures have colours ``[n]``. Grey photographs are given some, in three of four if
        ``paint``, else in all."""
        g = self.generator
        picture, points, seen = self.views.view(index, warp, jitter)
        lab = colors.to_lab(picture)
        before = small = F.avg_pool2d(lab, 2)  # paint has no detail
        masks = colors.masks(seen, small)
        grey = ~self.faces.color[index]
        if paint:
            grey = grey & (torch.rand(len(index), generator=g) < 0.75)
        small = colors.colorize(small, masks, grey, g)
        if paint:
            on = torch.rand(len(index), generator=g) < 0.9
            small = torch.where(on[:, None, None, None], colors.paint(small, masks, g), small)
        coat = F.interpolate(small - before, picture.shape[2:], mode="bilinear", align_corners=False)
        picture = colors.to_rgb(lab + coat)
        if jitter:
            picture = self.views.light(picture, 0.08, 0.08)
        # as the light shows it: a guide that overlooks the light sees no darkness in dark brows and tanned skin either
        painted = colors.measure(colors.to_lab(F.avg_pool2d(picture, 2)), masks)
        scores = self.scale.scores(self.scale.moved(self.views.points[index], points, self.pose[index]), painted)
        colored = (picture.amax(1) - picture.amin(1)).mean((1, 2)) > 0.02
        return picture, seen, torch.cat(list(masks.values()), 1), scores, colored


class Objective(nn.Module):
    """The guide with linear read-outs for training only: landmarks from the image tower's features, concepts from both
    embeddings. The regions in which the tower looks for colours are shown to it.

    Without them the sigmoid loss rests for long on how often a caption is true, with all faces in one point; and the
    landmarks teach the tower in each step where everything is, which the captions tell only drop by drop.
    """

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model
        width = model.text_projection.shape[1]
        self.unit = width**0.5  # the parts of a unit vector are small
        self.landmarks = nn.Linear(model.visual.trunk.num_features, 2 * len(POINTS))
        self.image, self.text = nn.Linear(width, len(A.CONCEPTS)), nn.Linear(width, len(A.CONCEPTS))

    def forward(
        self, picture: Tensor, seen: Tensor, regions: Tensor, scores: Tensor, known: Tensor, said: Tensor, target: Tensor,
        counts: Tensor, asked: Tensor,
    ) -> dict[str, Tensor]:  # fmt: skip
        """Losses of ``n`` faces and ``m`` captions: ``known [n,K]`` weighs scores, ``counts [n,m]`` pairs; ``said`` are
        tokens ``[m,24]``, or embeddings ``[m,D]`` where the text tower learns no more."""
        return self.losses(*self.see(picture), seen, regions, scores, known, said, target, counts, asked)

    def see(self, picture: Tensor) -> tuple[Tensor, Tensor | None]:
        """What :meth:`flow_core.guides.nano.NanoTower.look` sees in pictures 0..1."""
        with torch.no_grad():
            self.model.logit_scale.clamp_(0, 4.0)
        return self.model.visual.trunk.look(normalise(self.model, picture))

    def losses(
        self, features: Tensor, found: Tensor | None, seen: Tensor, regions: Tensor, scores: Tensor, known: Tensor, said: Tensor,
        target: Tensor, counts: Tensor, asked: Tensor,
    ) -> dict[str, Tensor]:  # fmt: skip
        """As :meth:`forward`, for pictures that have been seen."""
        model = self.model
        found = regions if found is None else found.sigmoid()
        common = 2 * (found * regions).sum((2, 3)) / (found.square() + regions.square()).sum((2, 3)).clamp(min=1e-3)
        image = F.normalize(model.visual.head(features), dim=-1)
        learns = not said.is_floating_point()
        text = model.encode_text(said, normalize=True) if learns else said
        pairs = F.binary_cross_entropy_with_logits(logits(model, image, text), target, weight=counts)
        shown = F.smooth_l1_loss(self.image(image * self.unit), scores.clamp(-3, 3), reduction="none")
        return {
            "pairs": pairs,
            "places": 0.5 * F.smooth_l1_loss(self.landmarks(features), (seen.flatten(1) - 0.5) * 30),
            "shown": 0.5 * (shown * known).mean(),
            "regions": 0.5 * (1 - common).mean(),
            "asked": 2 * len(A.CONCEPTS) / 30 * learns * F.mse_loss(self.text(text * self.unit), asked),
        }


def sampling_weights(faces: data.Faces) -> Tensor:
    """How often each face is drawn, ``[N]``: rare expressions and colour photographs more often."""
    common = {"happiness", "neutral", ""}
    rare = torch.tensor([1.0 if label in common else 4.0 for label in faces.label])
    portrait = torch.tensor([kind == "portraits" for kind in faces.kind])
    return torch.where(portrait, 8.0, rare * torch.where(faces.color, 4.0, 1.0))


def auc(score: Tensor, truth: Tensor) -> float:
    """Area under the ROC curve by ranks."""
    if truth.all() or not truth.any():
        return float("nan")
    rank = score.argsort().argsort().float() + 1
    pos = truth.sum()
    return ((rank[truth].sum() - pos * (pos + 1) / 2) / (pos * (~truth).sum())).item()


def correlation(a: Tensor, b: Tensor) -> float:
    """Pearson's correlation of two vectors."""
    return torch.corrcoef(torch.stack([a, b]))[0, 1].item()
