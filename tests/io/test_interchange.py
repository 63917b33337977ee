"""Fields leave and enter: files that independent programs read alike, and that come back as they were."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers import constant_field, smooth_field, square_crop
from torch import Tensor

from flow_core.fields.base import FieldError
from flow_core.fields.raster import Field
from flow_core.geometry.crop import Crop
from flow_core.geometry.grid import pixel_centers
from flow_core.io import interchange, rasters
from flow_core.warping.warp import warp


def picture(size: int = 256) -> Tensor:
    """Smooth, so that two cubic kernels with slightly different coordinates agree."""
    coarse = torch.rand(1, 3, 12, 12, generator=torch.Generator().manual_seed(3))
    return torch.nn.functional.interpolate(coarse, (size, size), mode="bicubic").clamp(0, 1)


def remap(image: Tensor, x: np.ndarray, y: np.ndarray) -> Tensor:
    """OpenCV's cubic warp; its pixel centres lie at whole numbers."""
    cv2 = pytest.importorskip("cv2")
    array = image[0].permute(1, 2, 0).contiguous().numpy()
    maps = (x - 0.5).astype(np.float32), (y - 0.5).astype(np.float32)
    out = cv2.remap(array, *maps, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    return torch.from_numpy(out).permute(2, 0, 1)[None]


# OpenCV rounds coordinates to 1/32 pixel: at most 1/64 px along each axis, times the steepest slope, which is about 0.1 per
# pixel here. Files of 16 bits add as much again.
TOLERANCE = 5e-3


def test_flo_of_the_face_square_is_the_warp(tmp_path: Path) -> None:
    cv2 = pytest.importorskip("cv2")
    face, field = picture(), smooth_field(0.05, color=0)
    path = interchange.write(field, tmp_path / "edit.flo", size=256)
    flow = cv2.readOpticalFlow(str(path))
    assert flow.shape == (256, 256, 2)
    centers = pixel_centers(256, 256)[0].numpy() * 256
    mine = warp(face, Crop.whole(face), field)[0]
    theirs = remap(face, centers[..., 0] + flow[..., 0], centers[..., 1] + flow[..., 1])
    assert (mine - theirs).abs().max() < TOLERANCE
    assert (face - theirs).abs().max() > 50 * TOLERANCE
    # it is the flow from the edited picture to the original, and not the other way round
    assert (remap(face, centers[..., 0] - flow[..., 0], centers[..., 1] - flow[..., 1]) - mine).abs().max() > 0.1


@pytest.mark.parametrize(("suffix", "tolerance"), [(".exr", TOLERANCE), (".png", 2 * TOLERANCE)])
def test_st_map_of_the_face_square_is_the_warp(tmp_path: Path, suffix: str, tolerance: float) -> None:
    face, field = picture(), smooth_field(0.05, color=0)
    u, v = as_u_v(interchange.write(field, tmp_path / f"map{suffix}", 256, st=True))
    theirs = remap(face, u * 256, (1 - v) * 256)
    assert (warp(face, Crop.whole(face), field)[0] - theirs).abs().max() < tolerance


def test_st_map_of_a_photo_is_the_warp(tmp_path: Path) -> None:
    photo = picture(400)[..., :330, :]
    crop, field = square_crop((330, 400), (210, 150), 260, 17.0), smooth_field(0.05, color=0)
    path = interchange.write(field, tmp_path / "map.exr", st=True, crop=crop)
    u, v = as_u_v(path)
    assert u.shape == (330, 400)
    mine, changed = warp(photo, crop, field)
    assert (mine - remap(photo, u * 400, (1 - v) * 330)).abs().max() < TOLERANCE
    # the identity elsewhere: u from the left, v from the bottom, at pixel centres
    still = changed[0].numpy() == 0
    y, x = np.mgrid[:330, :400] + 0.5
    assert still.mean() > 0.2
    assert np.abs(u - x / 400)[still].max() < 1.1e-3 / 400  # of a pixel: less is left alone
    assert np.abs(v - (1 - y / 330))[still].max() < 1.1e-3 / 330


def as_u_v(path: Path) -> tuple[np.ndarray, np.ndarray]:
    if path.suffix == ".exr":
        channels = rasters.read_exr(path)
        assert not channels["B"].any()
        return channels["R"], channels["G"]
    values = rasters.read_png16(path) / 65535
    return values[..., 0], values[..., 1]


def test_layout_of_every_flow_file(tmp_path: Path) -> None:
    """Content 3 px up and 2 px left of a 64 px raster: it comes from 2 px further right and 3 px further down."""
    field = constant_field(2 / 64, 3 / 64, (0.1, -0.2, 0.05))
    paths = {s: interchange.write(field, tmp_path / f"edit{s}", 64, feather=0) for s in interchange.FLOWS}
    data = paths[".flo"].read_bytes()
    assert struct.unpack("<fii", data[:12]) == (202021.25, 64, 64)
    assert struct.unpack("<2f", data[12:20]) == pytest.approx((2, 3), abs=1e-4)
    png = rasters.read_png16(paths[".png"])
    assert png[10, 20].tolist() == [32768 + 128, 32768 + 192, 1]
    exr = rasters.read_exr(paths[".exr"])
    assert {k: round(float(v[10, 20]), 3) for k, v in exr.items()} == {
        "R": 2.0, "G": 3.0, "color.R": 0.1, "color.G": -0.2, "color.B": 0.05,
    }  # fmt: skip
    npy = np.load(paths[".npy"])
    assert (npy.shape, npy.dtype) == ((1, 5, 64, 64), np.float32)
    assert npy[0, :, 5, 5] == pytest.approx([2 / 64, 3 / 64, 0.1, -0.2, 0.05], abs=1e-6)


@pytest.mark.parametrize(
    ("name", "as_map", "error", "color"),
    [("a.flo", False, 1e-6, False), ("a.png", False, 0.5 / 64 / 96 + 1e-6, False), ("a.exr", False, 1e-6, True),
     ("a.npy", False, 1e-6, True), ("a.exr", True, 1e-6, False), ("a.png", True, 2e-5, False), ("A.FLO", False, 1e-6, False)],
)  # fmt: skip
def test_there_and_back(tmp_path: Path, name: str, as_map: bool, error: float, color: bool) -> None:
    field = smooth_field(0.04, 0.05)
    back = interchange.read(interchange.write(field, tmp_path / name, 96, st=as_map, feather=0), st=as_map)
    assert back.size == (96, 96)
    assert back.meta["source"] == name
    points = pixel_centers(96, 96)[:, 8:-8, 8:-8]  # a map of 16 bits cannot say what lies beyond the border
    for (a, b), kept in zip(zip(field.sample(points), back.sample(points), strict=True), (True, color), strict=True):
        assert (a - b).abs().max() < error if kept else not b.any()
    if name == "a.npy":  # the same edit of the same picture, through a file
        assert (back.flow()(points).offset - field.flow()(points).offset).abs().max() < 1e-6


def test_npy_holds_a_batch_and_the_others_do_not(tmp_path: Path) -> None:
    fields = smooth_field(batch=3)
    assert interchange.read(interchange.write(fields, tmp_path / "a.npy", 16)).batch == 3
    with pytest.raises(ValueError, match="one field, got 3"):
        interchange.write(fields, tmp_path / "a.flo")


@pytest.mark.parametrize(("size", "seed"), [(2, 0), (3, 1), (17, 2), (64, 3)])
def test_png_and_exr_keep_every_bit(tmp_path: Path, size: int, seed: int) -> None:
    rng, path = np.random.default_rng(seed), tmp_path / "a"
    values = rng.integers(0, 65536, (size, size + 3, 3), np.uint16)
    rasters.write_png16(path, values)
    assert (rasters.read_png16(path) == values).all()
    channels = {n: rng.normal(size=(size, size + 3)).astype(np.float32) for n in ("G", "R", "deep.Z")}
    rasters.write_exr(path, channels)
    back = rasters.read_exr(path)
    assert back.keys() == channels.keys()
    assert all((back[n] == channels[n]).all() for n in channels)


@pytest.mark.parametrize("row_filter", range(5))
def test_png_of_every_row_filter(tmp_path: Path, row_filter: int) -> None:
    """Filtered by the text of the specification: Filt(x) = Orig(x) - prediction(a, b, c)."""
    values = np.random.default_rng(row_filter).integers(0, 65536, (7, 5, 3), np.uint16)
    rows = np.frombuffer(values.astype(">u2").tobytes(), np.uint8).reshape(7, 30).astype(int)
    data = b""
    for y in range(7):
        data += bytes([row_filter])
        for x in range(30):
            a, b = rows[y, x - 6] if x > 5 else 0, rows[y - 1, x] if y else 0
            c = rows[y - 1, x - 6] if y and x > 5 else 0
            p = a + b - c
            paeth = min((abs(p - a), 0, a), (abs(p - b), 1, b), (abs(p - c), 2, c))[2]
            data += bytes([(rows[y, x] - (0, a, b, (a + b) // 2, paeth)[row_filter]) % 256])
    path = tmp_path / "a.png"
    rasters.write_png16(path, values)
    plain = path.read_bytes()
    packed = zlib.compress(data)
    body = b"IDAT" + packed
    path.write_bytes(
        plain[:33] + struct.pack(">I", len(packed)) + body + struct.pack(">I", zlib.crc32(body)) + plain[-12:]
    )
    assert (rasters.read_png16(path) == values).all()


def test_opencv_reads_and_writes_the_same_png(tmp_path: Path) -> None:
    cv2 = pytest.importorskip("cv2")
    values = np.random.default_rng(0).integers(0, 65536, (40, 30, 3), np.uint16)
    values[10:20] = np.arange(30, dtype=np.uint16)[None, :, None] * 900  # smooth rows get other filters
    rasters.write_png16(tmp_path / "mine.png", values)
    assert (cv2.imread(str(tmp_path / "mine.png"), cv2.IMREAD_UNCHANGED)[..., ::-1] == values).all()
    cv2.imwrite(str(tmp_path / "theirs.png"), values[..., ::-1])
    assert (rasters.read_png16(tmp_path / "theirs.png") == values).all()


@pytest.mark.parametrize("compression", ["NO", "ZIPS", "ZIP"])
@pytest.mark.parametrize("kind", [np.float16, np.float32])
def test_openexr_reads_and_writes_the_same(tmp_path: Path, compression: str, kind: type) -> None:
    openexr = pytest.importorskip("OpenEXR")
    rng = np.random.default_rng(1)
    channels = {n: rng.normal(size=(37, 21)).astype(kind) for n in ("R", "G", "color.R")}
    rasters.write_exr(tmp_path / "mine.exr", {n: c.astype(np.float32) for n, c in channels.items()})
    with openexr.File(str(tmp_path / "mine.exr"), separate_channels=True) as file:
        assert all((file.channels()[n].pixels == c).all() for n, c in channels.items())
    header = {"compression": getattr(openexr, f"{compression}_COMPRESSION"), "type": openexr.scanlineimage}
    with openexr.File(header, dict(channels)) as file:
        file.write(str(tmp_path / "theirs.exr"))
    back = rasters.read_exr(tmp_path / "theirs.exr")
    assert all((back[n] == c).all() for n, c in channels.items())


def test_bad_files_are_told_apart(tmp_path: Path) -> None:
    field = constant_field(0.01, 0)

    def refused(name: str, content: bytes | None, message: str, as_map: bool = False) -> None:
        path = tmp_path / name
        if content is not None:
            path.write_bytes(content)
        with pytest.raises(FieldError, match=message):
            interchange.read(path, as_map)

    def good(name: str, as_map: bool = False) -> bytes:
        return interchange.write(field, tmp_path / name, 16, st=as_map).read_bytes()

    refused("gone.flo", None, "no file at")
    refused("a.tif", b"", r"\.flo, \.png, \.exr, \.npy")
    refused("a.flo", b"", r"ST-map .*\.exr, \.png", as_map=True)
    refused("a.flo", b"RIFF" + good("b.flo")[4:], "begins with b'RIFF'")
    refused("a.flo", b"PIEH", "header")
    refused("a.flo", good("b.flo")[:-4], "2060 bytes .* it has 2056")
    refused("a.flo", struct.pack("<4sii", b"PIEH", -1, 5), "claims -1x5")
    refused("a.flo", struct.pack("<4sii4f", b"PIEH", 2, 1, 0, 0, 0, 0), "2x1 pixels")
    flow = np.zeros((4, 4, 2), np.float32)
    for value, message in ((np.nan, "NaN"), (np.inf, "unknown flow"), (1.7e9, "unknown flow")):
        flow[1, 2] = value
        rasters.write_flo(tmp_path / "n.flo", flow)
        refused("n.flo", None, message)
    refused("a.png", b"GIF89a", "no PNG")
    refused("a.png", good("b.png")[:-40], "damaged")
    values = np.full((4, 4, 3), 32768, np.uint16)
    values[..., 2] = np.eye(4)
    rasters.write_png16(tmp_path / "v.png", values)
    refused("v.png", None, "invalid")
    refused("a.exr", b"nothing", "no OpenEXR")
    refused("a.exr", good("b.exr")[:-9], "damaged")
    refused("a.exr", good("b.exr")[:60], "damaged")
    rasters.write_exr(tmp_path / "z.exr", {"Z": np.zeros((4, 4), np.float32)})
    refused("z.exr", None, "lacks the channels R and G; it has Z")
    refused("a.npy", b"nothing", r"(?i)pickle|magic|npy")
    np.save(tmp_path / "c.npy", np.zeros((3, 8, 8), np.float32))
    refused("c.npy", None, r"expected floats \[B,5,N,N\]")


def test_8_bit_png_is_not_taken_for_flow(tmp_path: Path) -> None:
    from PIL import Image

    Image.new("RGB", (8, 8)).save(tmp_path / "a.png")
    with pytest.raises(FieldError, match="8 bits"):
        interchange.read(tmp_path / "a.png")


def test_what_cannot_be_written_is_said(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="512 px"):
        interchange.write(constant_field(0.3, 0), tmp_path / "a.png", 2048)
    with pytest.raises(ValueError, match=r"2\.\.8192"):
        interchange.write(constant_field(0.3, 0), tmp_path / "a.flo", 1)
    with pytest.raises(ValueError, match="ST-map"):
        interchange.write(constant_field(0.3, 0), tmp_path / "a.flo", st=True)
    with pytest.raises(ValueError, match="one face, got 2"):
        interchange.write(
            constant_field(0, 0), tmp_path / "a.exr", st=True, crop=square_crop((9, 9), (4, 4), 5, batch=2)
        )
    bad = Field(torch.full((1, 2, 4, 4), float("nan")), torch.zeros(1, 3, 4, 4))
    with pytest.raises(FieldError, match="NaN"):
        interchange.write(bad, tmp_path / "a.flo")
    assert not list(tmp_path.iterdir())
