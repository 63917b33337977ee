"""The objective of an edit: its gain for the guide, and the cost of its priors (paper, section 3.3).

The optimiser minimises it for one face or a few (:mod:`flow_core.editing.optimize`); the predictor is trained on it with many
(:mod:`flow_core.train.predictor`). To add a prior, add a weight to :class:`Priors` and a line to :meth:`Objective.__call__`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

from torch import Tensor

from ..fields.base import FlowField
from ..guides.prompts import logit_change, weighted_gain
from ..warping.jacobian import jacobian_determinant
from . import losses

LEAST_UNIT_GAIN = (
    0.01  # least gain for one unit of change, as a share of the logits between the two texts; less is noise
)
MOST_POINTS = 128  # points a side, at most, at which folds are looked for


@dataclass(frozen=True)
class Priors:
    """Weights of the priors, which keep an edit natural; ``preserve`` of :class:`flow_core.editing.optimize.Settings` scales them.

    Attributes:
        modes: squared coefficients of the modes of motion, in standard deviations over people.
        bending: thin-plate energy of the offsets.
        magnitude: squared length of the offsets, weighted by :func:`flow_core.editing.losses.face_importance`.
        fold: Jacobian determinants near 0 and below.
        symmetry: difference between left and right, as far as the face is frontal.
        drift: change of the guide's embedding that no text asked for.
        color: squared colour shifts of the regions.
    """

    modes: float = 0.02
    bending: float = 0.002
    magnitude: float = 2000.0
    fold: float = 20.0
    symmetry: float = 1000.0
    drift: float = 1.0
    color: float = 2.0

    def scaled(self, preserve: float) -> Priors:
        """``preserve`` 0..1: 0.5 leaves the weights, 0 divides them by 8, 1 multiplies them by 8. The fold prior stays."""
        factor = 64 ** (preserve - 0.5)
        return replace(self, **{n: v * factor for n, v in vars(self).items() if n != "fold"})


@dataclass(frozen=True)
class Edit:
    """An edit during optimisation, differentiable in what is optimised.

    Attributes:
        field: what moves the pixels, batch B.
        offset: ``[B,2,h,w]`` its offsets at control points; None = there are none, and no prior on them applies.
        modes: ``[B,M]`` coefficients of the modes of motion.
        colors: ``[B,R,3]`` colour shifts of regions; None = the edit does not paint.
        painted: ``[B,R]`` 1 for the regions that a face may use; None = all.
    """

    field: FlowField
    offset: Tensor | None = None
    modes: Tensor | None = None
    colors: Tensor | None = None
    painted: Tensor | None = None


class Verdict(NamedTuple):
    """The value of the :class:`Objective` for an edit.

    Attributes:
        losses: name -> weighted value; their sum is to be minimised.
        gain: ``[B]`` change of logit along the prompt, mean over the views and the weighted parts.
        progress: ``[B]`` the same in units of change (gain over unit gain); it stops rising when an edit has settled.
    """

    losses: dict[str, Tensor]
    gain: Tensor
    progress: Tensor

    @property
    def total(self) -> Tensor:
        return sum(self.losses.values())


@dataclass(frozen=True)
class Objective:
    """What is asked of B faces.

    Attributes:
        scale: logit scale of the guide.
        directions: ``[B,K,D]`` text directions of the parts of each prompt; those of length 0 are padding.
        weight: ``[B,K]`` of the parts; negative = away from it.
        unit_gain: ``[B,K]`` gain for one unit of :func:`flow_core.editing.losses.rms_change` at the start, above 0.
        margin: units of change up to which a part of weight 1 pulls.
        priors: weights, scaled already.
        importance: ``[B,1,h,w]`` cost of movement, see :func:`flow_core.editing.losses.face_importance`.
        frontality: ``[B]`` 0..1, see :attr:`flow_core.geometry.crop.Crop.frontality`.
        inverse: ``[B,D,K]`` pseudo-inverse of the directions, if it is known already.
    """

    scale: float
    directions: Tensor
    weight: Tensor
    unit_gain: Tensor
    margin: float
    priors: Priors
    importance: Tensor
    frontality: Tensor
    inverse: Tensor | None = None

    def gain(self, change: Tensor) -> Tensor:
        """Logits ``[B,V,K]`` along the parts of the prompt, for changes ``[B,V,D]`` of the embeddings of views."""
        return logit_change(self.scale, change, self.directions)

    def __call__(self, edit: Edit, change: Tensor) -> Verdict:
        """Evaluate an edit by the changes ``[B,V,D]`` of the embeddings of views."""
        p, offset, weight = self.priors, edit.offset, self.weight[:, None]
        gain = self.gain(change)
        unit = self.unit_gain[:, None]
        if offset is not None or edit.colors is not None:
            moved = gain.new_zeros(len(gain), 2, 2, 2) if offset is None else offset
            unit = losses.secant_gain(self.unit_gain, gain, losses.rms_change(moved, edit.colors), self.weight)
        terms = {"guide": losses.guidance(gain / unit, weight, self.margin)}
        if edit.modes is not None:
            terms["modes"] = p.modes * edit.modes.square().sum(1).mean()
        if offset is not None:
            size = min(max(offset.shape[2:]), MOST_POINTS)
            terms["bending"] = p.bending * losses.bending_energy(offset)
            terms["magnitude"] = p.magnitude * losses.magnitude(offset, self.importance)
            terms["fold"] = p.fold * losses.fold_hinge(jacobian_determinant(edit.field, size))
            terms["symmetry"] = p.symmetry * losses.asymmetry(offset, self.frontality)
        if p.drift:
            terms["drift"] = p.drift * losses.drift(change, self.directions, self.inverse)
        if edit.colors is not None:
            terms["color"] = p.color * losses.color_energy(edit.colors, edit.painted)
        progress = ((gain / unit) * weight).detach().mean((1, 2))
        return Verdict(terms, weighted_gain(gain, weight).detach().mean(1), progress)


def least_unit_gain(scale: float, directions: Tensor) -> Tensor:
    """Lower bound ``[...,K]`` of the unit gain along ``directions [...,K,D]``: smaller values are taken for noise."""
    return LEAST_UNIT_GAIN * scale * directions.norm(dim=-1)
