import math

import torch

from flow_core.fields.skin import skin_offsets
from flow_core.geometry.grid import pixel_centers

SIZE = 192


def test_what_lies_beside_a_face_that_gets_narrower_goes_with_its_outline_and_not_with_the_neck_behind() -> None:
    """A round face gets smaller, and the mesh shows a rim of neck around it that moves less."""
    away = pixel_centers(SIZE, SIZE)[0] - 0.5
    far = away.norm(dim=-1)
    index = torch.where(far < 0.3, 0, torch.where(far < 0.32, 1, -1))
    turn = torch.linspace(0, 2 * math.pi, 73)[:-1]
    outline = 0.5 + 0.3 * torch.stack([turn.cos(), turn.sin()], -1)
    # a triangle's corners are as far as they are from the middle, at every pixel
    corners = torch.tensor([[-0.5, -0.5], [1.5, -0.5], [-0.5, 1.5]])
    x, y = ((pixel_centers(SIZE, SIZE)[0] + 0.5) / 2).unbind(-1)
    seen = index, torch.stack([1 - x - y, x, y], -1)
    shift = torch.cat([0.1 * (corners - 0.5), 0.01 * (corners - 0.5)])
    offset = skin_offsets(shift, torch.tensor([[0, 1, 2], [3, 4, 5]]), seen, outline)[0]
    outward = (offset.movedim(0, -1) * away).sum(-1) / far
    assert outward[(far > 0.3) & (far < 0.315)].min() > 0.8 * 0.03
    assert outward[far > 0.47].abs().max() < 1e-4
