"""How far the proportions of a face are a baby's or a toddler's, whose teeth are small or not there yet.

An iris hardly grows after birth, while all around it does: most of all noses, and the face below the eyes. The weights are those of a
linear discriminant (Fisher, 1936) between babies and toddlers on one side, teenagers and adults on the other: 80 portraits of the SFHQ
dataset whose file name has an even number. Landmarks alone are asked; nothing here looks at skin, hair or clothes.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from ..geometry.ramp import ramp
from .landmarks import AT, IRISES, pose

# Ends of the distances that tell: of the eyes, the width and the height of the face, the length of the nose and its width, both irises;
# and the chin.
WAYS, CHIN = ((33, 263), (234, 454), (10, 152), (168, 2), (98, 327), *(eye[1:] for eye in IRISES)), 152
# Weights of the logarithms of: an iris and the height of the face over the width of the face; the lengths of the nose, its width, and
# the way from the eyes to the chin over the distance of the outer corners of the eyes; and a constant.
WEIGHTS = (65.2, -120.5, -28.0, 30.7, 41.6)
CONSTANT = 178.9
CHILD = 4.0, 10.0  # of the sum: up to which a face is no small child's, and from which on it surely is a baby's
# Yaw and pitch as of :func:`flow_core.faces.landmarks.pose`, from which on proportions tell less, and nothing
TURNED = 0.12, 0.3
# Rows of the landmarks: the first ends of WAYS, the last ones, and the chin
_ENDS = [AT[i] for i in (*(first for first, _ in WAYS), *(last for _, last in WAYS), CHIN)]


def childlike(places: Tensor) -> Tensor:
    """``[B]`` 0..1 for landmarks ``[B,161,2]``: 0 for faces of adults and of children at school."""
    # A few numbers, which NumPy takes a third of the time for.
    first, last, chin = np.split(places.detach().cpu().numpy()[:, _ENDS], [len(WAYS), 2 * len(WAYS)], 1)
    # from the middle between the eyes to the chin, too
    across = np.concatenate([last - first, chin - (first[:, :1] + last[:, :1]) / 2], 1)
    eyes, width, height, nose, nostrils, left, right, chin = np.hypot(*across.T).clip(1e-6)
    shares = np.stack([(left + right) / 2 / width, height / width, nose / eyes, nostrils / eyes, chin / eyes], 1)
    score = torch.from_numpy(np.log(shares.clip(1e-6)) @ np.array(WEIGHTS) + CONSTANT).to(places)
    if not (score > CHILD[0]).any():  # most people are grown up
        return torch.zeros_like(score)
    aside = pose(places)[:, :2].abs().amax(1)
    return ramp(score, *CHILD) * (1 - ramp(aside, *TURNED))
