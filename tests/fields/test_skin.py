import math

import torch

from flow_core.fields.skin import skin_offsets
from flow_core.geometry.grid import pixel_centers

SIZE = 192


def test_what_lies_beside_a_face_goes_with_its_outline_and_not_with_the_neck_that_is_seen_there() -> None:
    """A round face goes aside, and the mesh shows a rim of neck around it that stays."""
    middle = torch.tensor([0.5, 0.5])
    far = (pixel_centers(SIZE, SIZE)[0] - middle).norm(dim=-1)
    index = torch.where(far < 0.3, 0, torch.where(far < 0.32, 1, -1))
    shift = torch.tensor([[0.03, 0.0]]).repeat(6, 1) * (torch.arange(6) < 3)[:, None]
    turn = torch.linspace(0, 2 * math.pi, 73)[:-1]
    outline = middle + 0.3 * torch.stack([turn.cos(), turn.sin()], -1)
    seen = index, torch.full((SIZE, SIZE, 3), 1 / 3)
    offset = skin_offsets(shift, torch.tensor([[0, 1, 2], [3, 4, 5]]), seen, outline)[0, 0]
    beside = (far > 0.3) & (far < 0.315)
    assert offset[beside].min() > 0.9 * 0.03
    assert offset[far > 0.47].abs().max() < 1e-4
