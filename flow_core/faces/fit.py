"""Fit the rig to faces: from landmarks to pose, shape, the units that a face shows, and a correction onto the landmarks.

Scaled orthographic projection; maximum a posteriori by Gauss-Newton steps over all unknowns at once, with shapes of
people and mixtures of units as priors (after Blanz and Vetter, A Morphable Model for the Synthesis of 3D Faces, 1999). What
is left between the projected mesh and the landmarks is carried over the mesh by Gaussian-process regression on its
surface (kriging), in a pose of the rig in which the lips and the lids lie apart.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass, fields, replace

import torch
import torch.nn.functional as F
from torch import Tensor

from .landmarks import AT, IRISES, OVAL, POINTS
from .rig import Rig, load_rig

NOISE = 0.12  # how far landmarks lie from the mesh's, centimetres
READ = 0.08  # how far the units of a reader may be off
ROUNDS, WARM_ROUNDS = 4, 2
BRIDGE = 6.0  # centimetres, over which a shift of lips would fade if no other landmark held the skin
CHIN = (148, 152, 377, 176, 400)
# The unknowns' own spread, beside what faces show: units that the prior's teacher does not see, or sees badly
UNSEEN = (
    "browDown",
    "browInnerUp",
    "browTogether",
    "noseSneer",
    "mouthFrown",
    "cheekSquint",
    "mouthShrugLower",
    "eyeWide",
)
DEPTH_ONLY = ("tongueOut", "jawForward", "cheekPuff")  # front views do not show them


@dataclass(frozen=True)
class FittedFace:
    """Rigs fitted to faces; the first axis of all tensors counts faces.

    Attributes:
        rotation: ``[B,3,3]`` of the head, in the rig's axes.
        scale: ``[B]`` crop sides per centimetre.
        translation: ``[B,2]`` where the rig's origin lies, crop points.
        shape: ``[B,S]`` standard deviations along the rig's shapes.
        units: ``[B,U]`` what the face shows already, up to 1; below 0 where it shows less than faces at rest do.
        correction: ``[B,V,2]`` crop fractions, added to projected vertices: makes the mesh meet the landmarks.
        error: ``[B]`` how far the mesh misses the landmarks without it: root mean square, centimetres (contour left out).
        rig: the rig.
    """

    rotation: Tensor
    scale: Tensor
    translation: Tensor
    shape: Tensor
    units: Tensor
    correction: Tensor
    error: Tensor
    rig: Rig

    @property
    def batch(self) -> int:
        return len(self.scale)

    def vertices(self, units: Tensor | None = None, controls: Tensor | None = None) -> Tensor:
        """The head ``[B,V,3]`` in centimetres, unturned.

        Args:
            units: ``[B or 1,U]`` amounts, instead of those that the face shows.
            controls: ``[B or 1,C]`` amounts of shape controls; none where None.
        """
        rig = self.rig
        units = self.units if units is None else units
        moved = self.shape @ rig.shape.flatten(1) + (units * rig.gain) @ rig.units.flatten(1)
        if controls is not None:
            moved = moved + controls @ rig.controls.flatten(1)
        return rig.neutral + moved.unflatten(1, (-1, 3))

    def project(self, vertices: Tensor) -> tuple[Tensor, Tensor]:
        """Vertices ``[B,V,3]`` of :meth:`vertices` -> crop points ``[B,V,2]``, correction included, and depth ``[B,V]`` in
        crop fractions, larger towards the viewer."""
        turned = self.turned(vertices)
        return turned[..., :2] + self.translation[:, None] + self.correction, turned[..., 2]

    def turned(self, vectors: Tensor) -> Tensor:
        """Vectors ``[B,N,3]`` of the unturned head, in centimetres, as they are seen: ``[B,N,3]`` in crop fractions."""
        # a product with a few long rows is quicker than one with many short ones
        return ((self.rotation * self.scale[:, None, None]) @ vectors.mT).mT

    def select(self, index: int) -> FittedFace:
        return self._each(lambda t: t[index : index + 1])

    def to(self, device: torch.device | str) -> FittedFace:
        return replace(self._each(lambda t: t.to(device)), rig=self.rig.to(device))

    def _each(self, change) -> FittedFace:
        values = {f.name: getattr(self, f.name) for f in fields(self)}
        return replace(self, **{k: change(v) for k, v in values.items() if isinstance(v, Tensor)})


@torch.no_grad()
def fit_faces(
    landmarks: Tensor,
    warm: FittedFace | None = None,
    units: Tensor | None = None,
    rig: Rig | None = None,
) -> FittedFace:
    """Fit the rig to landmarks.

    Args:
        landmarks: ``[B,161,2]`` crop points, upright within 60 degrees, yaw to about 45.
        warm: the fit of the same faces a frame earlier: where the search starts, and a shape to stay near.
        units: ``[B,U]`` what the faces show as somebody else reads it; the fit stays near, and goes below 0 only as far as
            this does. None: found from landmarks alone.
        rig: None for the built-in one.

    Returns:
        The fitted faces, float32 on the landmarks' device.

    Raises:
        ValueError: landmarks of another shape, or not finite.
    """
    if landmarks.ndim != 3 or landmarks.shape[1:] != (len(POINTS), 2):
        raise ValueError(f"Landmarks are [faces, {len(POINTS)}, 2] crop points; these are {list(landmarks.shape)}.")
    if not torch.isfinite(landmarks).all():
        raise ValueError("Landmarks must be finite numbers; these hold NaN or infinity.")
    rig = rig or _on(landmarks.device)
    model = _model(rig)
    x = landmarks.float()
    count, shapes = len(x), len(rig.shape)
    mean = torch.zeros(count, shapes + len(rig.units), device=x.device)
    precision = _precision(rig, units is not None, warm is not None)
    if units is not None:
        mean[:, shapes:] = units.to(mean)
    if warm is None:
        found = mean.clone()
        rotation, scale, translation = _pose(x, model.base + _mix(model, found), model.weight)
    else:
        found = torch.cat([warm.shape, warm.units], 1)
        mean[:, :shapes] = warm.shape
        rotation, scale, translation = warm.rotation, warm.scale, warm.translation
    low, high = mean.clamp(max=0), torch.ones_like(mean)
    low[:, :shapes], high[:, :shapes] = -4.0, 4.0
    for step in range(ROUNDS if warm is None else WARM_ROUNDS):
        turned = (model.base + _mix(model, found)) @ rotation.mT
        miss = (x - translation[:, None]) / scale[:, None, None] - turned[..., :2]  # centimetres
        # outliers pull less, but the curvature stays that of plain least squares (Huber's modified residuals)
        pull = miss * (model.weight * (_robust(miss, model.sure) if step > 1 else 1.0))[..., None] / NOISE**2
        normal, right = _normal(model, rotation, turned, pull)
        normal[:, 6:, 6:] += precision
        right[:, 6:] += (mean - found) @ precision
        held = ((found <= low) & (right[:, 6:] < 0)) | ((found >= high) & (right[:, 6:] > 0))
        delta = _solve(normal, right, held)
        after = found + delta[:, 6:]
        leaves = (after < low) | (after > high)
        if leaves.any():  # what would leave its bounds goes as far as they
            delta = _solve(normal, right, held | leaves)
        rotation = _turn(delta[:, :3]) @ rotation
        translation = translation + delta[:, 4:6] * scale[:, None]
        scale = scale * delta[:, 3].clamp(-0.5, 0.5).exp()
        found = torch.where(leaves, after, found + delta[:, 6:]).clamp(low, high)
    turned = (model.base + _mix(model, found)) @ rotation.mT
    left = x - translation[:, None] - turned[..., :2] * scale[:, None, None]
    error = (left.index_select(1, model.inner) / scale[:, None, None]).square().sum(-1).mean(1).sqrt()
    return FittedFace(
        rotation,
        scale,
        translation,
        found[:, :shapes],
        found[:, shapes:],
        (left.mT @ _spread(rig)).mT,  # a product with two long rows is quicker than one with many short ones
        error,
        rig,
    )


@functools.lru_cache(maxsize=2)
def _on(device: torch.device) -> Rig:
    return load_rig().to(device)


@dataclass(frozen=True)
class _Model:
    """The rig at the landmarks: base [161,3], modes [K,161*3] (shapes, then units), products [9,K*K] of them by pairs of axes, weight
    [161], which of them are inner (not of the contour) and sure (of much weight), and the precision [U,U] of the units."""

    base: Tensor
    modes: Tensor
    products: Tensor
    weight: Tensor
    inner: Tensor
    sure: Tensor
    precision: Tensor


@functools.lru_cache(maxsize=2)
def _model(rig: Rig) -> _Model:
    with torch.inference_mode(False):
        weight = _landmark_weights(rig)
        inner = torch.tensor([i not in OVAL for i in POINTS]).nonzero()[:, 0]
        spread = torch.full((len(rig.units),), 0.05)
        for i, name in enumerate(rig.unit_names):
            if name.startswith(UNSEEN):
                spread[i] = 0.2
            elif name.startswith(DEPTH_ONLY):
                spread[i] = 0.01
        covariance = rig.covariance.cpu().double() + torch.diag(spread.double().square())
        modes = rig.landmarks(torch.cat([rig.shape, rig.units * rig.gain[:, None, None]])).cpu().double()
        products = torch.einsum("n,kna,lnb->abkl", weight.cpu().to(modes), modes, modes)
        return _Model(
            rig.landmarks(rig.neutral),
            modes.flatten(1).to(rig.device, torch.float32),
            products.flatten(2).flatten(0, 1).to(rig.device, torch.float32),
            weight,
            inner.to(rig.device),
            (weight > 0.5).nonzero()[:, 0],
            torch.linalg.inv(covariance).to(rig.device, torch.float32),
        )


@functools.lru_cache(maxsize=4)
def _precision(rig: Rig, read: bool, warm: bool) -> Tensor:
    """``[K,K]`` of shapes and units around their means: of units that were ``read``, or as faces show them together, and of shapes that are those
    of a frame earlier where the search starts ``warm``."""
    with torch.inference_mode(False):
        of_shapes, of_units = torch.eye(len(rig.shape)), _model(rig).precision
        of_units = torch.eye(len(of_units)) / READ**2 if read else of_units.cpu()
        return torch.block_diag(of_shapes * (9 if warm else 1), of_units).to(rig.device)


@functools.lru_cache(maxsize=2)
def _landmark_weights(rig: Rig) -> Tensor:
    """``[161]`` how much each landmark counts: those of the contour slide along it, and an iris is known by its middle."""
    with torch.inference_mode(False):
        weight = torch.ones(len(POINTS))
        weight[[AT[i] for i in OVAL]] = 0.1
        weight[[AT[i] for i in CHIN]] = 0.25
        weight[[AT[i] for side in IRISES for i in side[1:]]] = 0.1
        return weight.to(rig.device)


def _mix(model: _Model, found: Tensor) -> Tensor:
    return (found @ model.modes).unflatten(1, (-1, 3))


def _normal(model: _Model, rotation: Tensor, turned: Tensor, pull: Tensor) -> tuple[Tensor, Tensor]:
    """Normal matrix ``[B,6+K,6+K]`` and right side ``[B,6+K]`` of a Gauss-Newton step: pose (turns, growth, shifts), then
    modes."""
    rows = rotation[:, :2]
    count, k = len(rotation), len(model.modes)
    jacobian = _pose_jacobian(turned)  # [B,161,2,6]
    weighted = jacobian * (model.weight / NOISE**2)[:, None, None]
    normal = jacobian.new_empty(count, 6 + k, 6 + k)
    normal[:, :6, :6] = weighted.flatten(1, 2).mT @ jacobian.flatten(1, 2)
    # the projection of modes is linear in their axes: products of modes are summed over landmarks once for all faces
    seen = (rows.mT @ rows).flatten(1) / NOISE**2  # [B,9]
    normal[:, 6:, 6:] = (seen @ model.products).unflatten(1, (k, k))
    across = (weighted.permute(0, 3, 1, 2) @ rows[:, None]).flatten(2) @ model.modes.T
    normal[:, :6, 6:], normal[:, 6:, :6] = across, across.mT
    right = jacobian.new_empty(count, 6 + k)
    right[:, :6] = (jacobian * pull[..., None]).sum((1, 2))
    right[:, 6:] = (pull @ rows).flatten(1) @ model.modes.T
    return normal, right


def _solve(normal: Tensor, right: Tensor, held: Tensor) -> Tensor:
    """The step, in which held modes stay."""
    free = F.pad((~held).to(normal), (6, 0), value=1.0)
    matrix = normal * free[:, None] * free[:, :, None]
    matrix.diagonal(dim1=1, dim2=2).add_(1 - free)
    return torch.cholesky_solve((right * free)[..., None], torch.linalg.cholesky(matrix))[..., 0]


def _pose_jacobian(turned: Tensor) -> Tensor:
    """How turned points ``[B,N,3]`` move in the picture, in centimetres, with a turn about each axis, growth, and shifts:
    ``[B,N,2,6]``."""
    return (F.pad(turned, (0, 1), value=1.0) @ _constants(turned.device)[0]).unflatten(-1, (2, 6))


def _turn(vector: Tensor) -> Tensor:
    """Rotations ``[B,3,3]`` about ``vector [B,3]`` by its length in radians."""
    vector = vector.clamp(-0.6, 0.6)
    angle = torch.linalg.vector_norm(vector, dim=-1).clamp(min=1e-9)[:, None, None]
    _, about, still = _constants(vector.device)
    skew = (vector @ about).unflatten(-1, (3, 3))
    return still + angle.sin() / angle * skew + (1 - angle.cos()) / angle**2 * (skew @ skew)


@functools.lru_cache(maxsize=2)
def _constants(device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
    """How x, y, z and 1 of a point make its row of :func:`_pose_jacobian` ``[4,12]``, how a vector makes the matrix of its cross product ``[3,9]``, and
    the identity: a product is quicker than to lay out numbers one by one."""
    with torch.inference_mode(False):
        jacobian, about = torch.zeros(4, 2, 6), torch.zeros(3, 3, 3)
        jacobian[[2, 1, 0, 3], 0, [1, 2, 3, 4]] = torch.tensor([1.0, -1.0, 1.0, 1.0])
        jacobian[[2, 0, 1, 3], 1, [0, 2, 3, 5]] = torch.tensor([-1.0, 1.0, 1.0, 1.0])
        about[[0, 1, 2], [2, 0, 1], [1, 2, 0]], about[[0, 1, 2], [1, 2, 0], [2, 0, 1]] = 1.0, -1.0
        return jacobian.flatten(1).to(device), about.flatten(1).to(device), torch.eye(3, device=device)


def _robust(miss: Tensor, sure: Tensor) -> Tensor:
    """Cauchy weights ``[B,N]``: a landmark that lies five times as far off as most of the ``sure`` ones counts half."""
    far = miss.square().sum(-1)
    usual = far.index_select(1, sure).median(1).values.clamp(min=NOISE**2)[:, None]
    return 1 / (1 + far / (25 * usual))


def _pose(x: Tensor, solid: Tensor, weight: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Rotation, scale and translation that take ``solid [B,N,3]`` nearest to ``x [B,N,2]``: an affine camera made
    orthographic."""
    w = weight[:, None] / weight.sum()
    center, at = (w * solid).sum(-2, keepdim=True), (w * x).sum(-2, keepdim=True)
    a, b = solid - center, x - at
    camera = torch.linalg.solve((w * a).mT @ a, (w * a).mT @ b).mT  # [B,2,3]
    u, s, vt = torch.linalg.svd(camera, full_matrices=False)
    scale = s.mean(-1).clamp(min=1e-6)  # landmarks all in one place still give finite numbers
    rows = u @ vt
    rotation = torch.cat([rows, torch.linalg.cross(rows[:, 0], rows[:, 1])[:, None]], 1)
    translation = at[:, 0] - scale[:, None] * (center @ rotation.mT)[:, 0, :2]
    return rotation, scale, translation


@functools.lru_cache(maxsize=2)
def _spread(rig: Rig) -> Tensor:
    """``[161,V]``: how much of what each landmark is off goes to each vertex."""
    with torch.inference_mode(False):
        apart, at = _apart(rig)

        def kernel(a: Tensor, b: Tensor) -> Tensor:
            far = torch.cdist(a, b)
            return _matern(far / 6.0) * 1.0 + _matern(far / 1.6) * 0.35

        noise = torch.full((len(POINTS),), 1e-3, dtype=torch.double)
        noise[[AT[i] for i in OVAL]] = 0.05
        noise[[AT[i] for side in IRISES for i in side]] = 1e4  # they are of the eyeballs
        # the inverse of a small matrix: to solve for thousands of columns takes twice as long
        operator = (torch.linalg.inv(kernel(at, at) + torch.diag(noise)) @ kernel(at, apart)).T
        for side, points in zip(("right", "left"), IRISES, strict=True):
            rows = torch.zeros(len(POINTS), dtype=torch.double)
            rows[AT[points[0]]] = 1
            operator[rig.vertices_of(f"eyeball_{side}").cpu()] = rows
        # teeth are bone: all of a row go with the nose's base, or with the chin
        for parts, points in ((("teeth_upper",), (2, 98, 327)), (("teeth_lower", "tongue"), CHIN)):
            at_points = (operator[rig.landmark_index.cpu()] * rig.landmark_weight.cpu()[..., None]).sum(1)
            rows = at_points[[AT[i] for i in points]].mean(0)
            operator[rig.vertices_of(*parts).cpu()] = rows
        return operator.float().T.contiguous().to(rig.device)


@functools.lru_cache(maxsize=2)
def going_along(rig: Rig) -> Tensor:
    """``[161,V]``: how much of a shift of each landmark, of which its neighbours know nothing, goes to each vertex.

    Less and less of it from one landmark to the next, as on a bridge, and nowhere more than at a landmark: a smoother spread would carry on
    beyond lips what differs between their two edges.
    """
    with torch.inference_mode(False):
        apart, at = _apart(rig)
        near, all_ = ((-torch.cdist(at, other) / BRIDGE).exp() for other in (at, apart))
        noise = torch.full((len(POINTS),), 1e-3, dtype=torch.double)
        noise[[AT[i] for side in IRISES for i in side]] = 1e4
        return torch.linalg.solve(near + torch.diag(noise), all_).float().contiguous().to(rig.device)


def _apart(rig: Rig) -> tuple[Tensor, Tensor]:
    """Vertices ``[V,3]`` and landmarks ``[161,3]`` of the rig with lips and lids apart: so their two sides are no neighbours."""
    amounts = rig.unit_vector({"jawOpen": 0.6, "eyeWide": 1.0}).cpu()
    apart = (rig.neutral.cpu() + torch.tensordot(amounts, rig.units.cpu(), 1)).double()
    return apart, (apart[rig.landmark_index.cpu()] * rig.landmark_weight.cpu()[..., None].double()).sum(-2)


def _matern(r: Tensor) -> Tensor:
    r = r * 5**0.5
    return (1 + r + r * r / 3) * (-r).exp()


__all__ = ["FittedFace", "fit_faces", "going_along"]
