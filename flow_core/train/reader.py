"""Train the reader of face units: ``python -m flow_core.train reader --data DIR``.

The truth is what MediaPipe's face landmarker says of the training faces (``expressions_blendshapes.npz``). The network
learns it from MediaPipe's landmarks and from those that the built-in network finds in moved and spoilt views of the same
faces, so that it forgives that network's errors. ``DIR`` holds the files of :mod:`flow_core.train.data` and that one.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..faces.landmarks import AT, EYES, IRISES, MIRROR, SIZE, WIDEN, Landmarks, load_landmarks
from ..faces.read import BUILTIN, OTHER_SIDE, READ, UNITS, UnitReader, load_reader
from . import data, loop
from .landmarks import JITTER, spoil
from .views import Views

VIEWS = 2  # of each face, in which the built-in network finds landmarks
BLENDSHAPES = "expressions_blendshapes.npz"


def blendshapes(folder: Path) -> Tensor:
    """``[N,52]`` of the files of ``expressions``, in the order of :data:`UNITS`; NaN where nothing is known.

    Raises:
        SystemExit: the file is missing.
    """
    if not (folder / BLENDSHAPES).is_file():
        raise SystemExit(
            f"{folder} holds no {BLENDSHAPES}: what each expression shows (blendshapes [N,52], names [52])."
        )
    stored = np.load(folder / BLENDSHAPES)
    names = [str(n) for n in stored["names"]]
    values = torch.from_numpy(stored["blendshapes"].astype(np.float32))
    known = torch.stack([values[:, names.index(n)] for n in UNITS[:READ]], 1)
    return F.pad(known, (0, 1))


@torch.no_grad()
def found(net: Landmarks, views: Views, jitter: float, worse: bool) -> Tensor:
    """Landmarks ``[N,161,2]`` in the pictures, as the network finds them; ``worse``: in bad light, covered, or small."""
    parts = []
    for index in torch.arange(len(views.points), device=views.points.device).split(64):
        picture = F.avg_pool2d(views.view(index, False, jitter, WIDEN, mirror=False)[0], 2)
        if worse:
            picture = spoil(views.light(picture), views.generator)
        parts.append(net(picture.contiguous(memory_format=torch.channels_last)))
    return torch.cat(parts)


def winking(points: Tensor, units: Tensor, other: Tensor, theirs: Tensor) -> tuple[Tensor, Tensor]:
    """Faces ``[B,161,2]`` and their units ``[B,52]`` with the eye on the viewer's left as another face has it.

    Hardly a training face winks, so that a network learns to read each eye off both.
    """
    corners = [AT[EYES[0][i]] for i in (0, 8)]
    eye = [AT[i] for i in (*EYES[0], *IRISES[0])]

    def frame(p: Tensor) -> tuple[Tensor, Tensor]:
        one, two = (torch.view_as_complex(p[:, i].contiguous())[:, None] for i in corners)
        return (one + two) / 2, two - one

    (at, along), (their_at, their_along) = frame(points), frame(other)
    shape = (torch.view_as_complex(other[:, eye].contiguous()) - their_at) / their_along
    points, units = points.clone(), units.clone()
    points[:, eye] = torch.view_as_real(at + shape * along)
    mine = [i for i, name in enumerate(UNITS) if name.startswith("eye") and name.endswith("Right")]
    units[:, mine] = theirs[:, mine]
    return points, units


class _Objective(nn.Module):
    def __init__(self, net: UnitReader, deviation: Tensor) -> None:
        super().__init__()
        self.net = net
        self.register_buffer("weight", 0.3 / deviation.clamp(min=0.03))

    def forward(self, points: Tensor, units: Tensor) -> dict[str, Tensor]:
        off = (self.net.one_sided(points) - units)[:, :READ] * self.weight
        return {"units": F.smooth_l1_loss(off, torch.zeros_like(off), beta=0.3)}


def correlation(one: Tensor, other: Tensor) -> Tensor:
    """Pearson's correlation of two tensors ``[N,...]`` over the first axis, ``[...]``."""
    one, other = one - one.mean(0), other - other.mean(0)
    return (one * other).sum(0) / (one.norm(dim=0) * other.norm(dim=0)).clamp(min=1e-9)


@torch.no_grad()
def validate(net: UnitReader, points: dict[str, Tensor], units: Tensor) -> list[str]:
    """How units read from each kind of landmarks ``[N,161,2]`` agree with the true ones ``[N,52]``."""
    rows = [
        f"| unit | deviation | {' | '.join(f'{name}: r | slope' for name in points)} |",
        "|---|" + "---|" * (1 + 2 * len(points)),
    ]
    read = {name: net(p) for name, p in points.items()}
    spread = units.std(0)
    for i, unit in enumerate(UNITS[:READ]):
        if spread[i] < 0.01:  # the teacher does not see it
            continue
        cells = []
        for r in read.values():
            x, y = units[:, i] - units[:, i].mean(), r[:, i] - r[:, i].mean()
            cells.append(f"{correlation(r, units)[i]:.2f} | {(x * y).sum() / x.square().sum():.2f}")
        rows.append(f"| {unit} | {spread[i]:.2f} | {' | '.join(cells)} |")
    seen = (spread >= 0.01).nonzero()[:, 0]
    means = [f"{correlation(r, units)[seen].mean():.3f} | " for r in read.values()]
    return [*rows, f"| mean of {len(seen)} | | {' | '.join(means)} |"]


def main(argv: list[str] | None = None) -> None:
    o = loop.arguments("reader", __doc__.split("\n")[0], BUILTIN, 6000, 512, 2e-3).parse_args(argv)
    torch.manual_seed(o.seed)
    train, test = data.load(o.data)
    truth = blendshapes(o.data)
    out = data.held_out("expressions", len(truth))
    finder = load_landmarks(device=o.device)

    def prepared(faces: data.Faces, units: Tensor, views: int) -> tuple[list[Tensor], Tensor]:
        """Landmarks of the usable faces whose units are known: the true ones, and as found in each view."""
        known = torch.tensor([k == "expressions" for k in faces.kind])
        look = Views(faces.select(known.nonzero()[:, 0]).to(o.device), o.seed, 2 * SIZE)
        use = look.usable[~units.to(o.device).isnan().any(1)[look.usable]]
        kinds = [look.points[use]]
        kinds += [found(finder, look, JITTER[1] * bool(i), bool(i))[use] for i in range(views)]
        return kinds, units.to(o.device)[use]

    if not o.validate:
        points, units = prepared(train, truth[~out], VIEWS)
        net = UnitReader().to(o.device)
        usual = points[0] - points[0].mean(1, keepdim=True)
        usual = (usual / usual.flatten(1).norm(dim=1)[:, None, None]).mean(0)
        net.usual.copy_(usual / usual.norm())
        net.spread.copy_(net.laid(points[0]).std(0).clamp(min=1e-4))
        every = torch.stack(points)
        # what is seldom shown is seen more often
        shown = ((units / units.std(0).clamp(min=0.03)).clamp(max=6).square().mean(1)).sqrt()

        def batch(seed: int) -> tuple[Tensor, Tensor]:
            g = torch.Generator(every.device).manual_seed(seed)

            def normal(*shape: int) -> Tensor:
                return torch.randn(*shape, generator=g, device=every.device)

            index = torch.multinomial(shown, o.batch, True, generator=g)
            kind = torch.randint(len(every), (o.batch,), generator=g, device=every.device)
            p, u = every[kind, index], units[index]
            half = o.batch // 2
            p[half:], u[half:] = winking(p[half:], u[half:], p[half:].roll(1, 0), u[half:].roll(1, 0))
            # found in mirrored views, or from further aside and above, as far as the plane knows it
            flat = torch.eye(2, device=p.device) + 0.02 * normal(o.batch, 2, 2)
            p = (p - p.mean(1, keepdim=True)) @ flat + 0.001 * normal(*p.shape)
            flip = torch.rand(o.batch, generator=g, device=p.device) < 0.5
            mirrored = torch.stack([-p[..., 0], p[..., 1]], -1)[:, list(MIRROR)]
            p = torch.where(flip[:, None, None], mirrored, p)
            return p, torch.where(flip[:, None], u[:, list(OTHER_SIDE)], u)

        seconds = loop.fit(_Objective(net, units[:, :READ].std(0)), batch, o)
        if loop.rank():
            return
        loop.save(net, o.out, {"steps": str(o.steps), "seed": str(o.seed)})
        print(f"trained in {seconds:.0f} s")
    (true, own), units = prepared(test, truth[out], 1)
    print("\n".join(validate(load_reader(o.out).to(o.device), {"true landmarks": true, "found": own}, units)))
