"""Picture files: read upright, written as they were, and readable complaints."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageCms

from flow_core.io.picture import RASTER, WRITTEN, Picture, read, write

RNG = np.random.default_rng(5)
RGB = RNG.integers(0, 256, (24, 32, 3), dtype=np.uint8)
GREY16 = RNG.integers(0, 65536, (24, 32), dtype=np.uint16)


def png(path: Path, image: Image.Image, **options: object) -> Path:
    image.save(path, **options)
    return path


@pytest.mark.parametrize(
    ("image", "channels", "depth"),
    [
        (Image.fromarray(RGB), 3, 255),
        (Image.fromarray(RGB[..., 0]), 1, 255),
        (Image.fromarray(np.dstack([RGB, RGB[..., :1]])), 4, 255),
        (Image.fromarray(GREY16), 1, 65535),
    ],
    ids=["RGB", "grey", "RGBA", "16 bit"],
)
@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_round_trip_is_exact(tmp_path: Path, image: Image.Image, channels: int, depth: int, suffix: str) -> None:
    picture = read(png(tmp_path / f"in{suffix}", image))
    assert picture.pixels.shape == (1, channels, 24, 32)
    assert picture.pixels.dtype == torch.float32
    assert picture.depth == depth
    assert 0 <= picture.pixels.min() < 0.1
    assert 0.9 < picture.pixels.max() <= 1
    write(picture, tmp_path / "new" / f"out{suffix}")
    with Image.open(tmp_path / "new" / f"out{suffix}") as out:
        assert out.mode == image.mode
        np.testing.assert_array_equal(np.asarray(out), np.asarray(image))


def test_rgb_view(tmp_path: Path) -> None:
    grey = read(png(tmp_path / "g.png", Image.fromarray(RGB[..., 0])))
    assert grey.rgb.shape == (1, 3, 24, 32)
    assert torch.equal(grey.rgb[:, 2:], grey.pixels)
    rgba = read(png(tmp_path / "a.png", Image.fromarray(np.dstack([RGB, RGB[..., :1]]))))
    assert torch.equal(rgba.rgb, rgba.pixels[:, :3])


def test_palette_and_other_modes(tmp_path: Path) -> None:
    colors = Image.fromarray(RGB).quantize(16)
    picture = read(png(tmp_path / "p.png", colors))
    np.testing.assert_array_equal(picture.pixels[0].permute(1, 2, 0) * 255, np.asarray(colors.convert("RGB")))
    clear = read(png(tmp_path / "t.gif", colors, transparency=0))
    assert clear.pixels.shape[1] == 4
    assert set(clear.pixels[0, 3].unique().tolist()) == {0.0, 1.0}
    assert read(png(tmp_path / "la.png", Image.fromarray(RGB).convert("LA"))).pixels.shape[1] == 4
    assert read(png(tmp_path / "bw.png", Image.fromarray(RGB).convert("1"))).pixels.unique().tolist() == [0, 1]


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp"])
def test_exif_orientation_is_applied_once(tmp_path: Path, suffix: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by 90 degrees to look upright
    exif[0x010E] = "a portrait"
    array = np.zeros((24, 32, 3), np.uint8)
    array[:, :16] = 255
    path = tmp_path / f"camera{suffix}"
    Image.fromarray(array).save(path, exif=exif, quality=95)
    picture = read(path)
    assert picture.pixels.shape == (1, 3, 32, 24)
    assert picture.pixels[0, :, :12].mean() > 0.9
    assert picture.pixels[0, :, 20:].mean() < 0.1
    write(picture, tmp_path / f"out{suffix}")
    again = read(tmp_path / f"out{suffix}")
    assert again.pixels.shape == (1, 3, 32, 24)
    assert (again.pixels - picture.pixels).abs().max() < 0.1
    with Image.open(tmp_path / f"out{suffix}") as out:
        assert out.getexif().get(0x010E) == "a portrait"
        assert out.getexif().get(0x0112, 1) == 1


def test_color_profile_is_kept(tmp_path: Path) -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    picture = read(png(tmp_path / "in.png", Image.fromarray(RGB), icc_profile=profile))
    for name in ("out.png", "out.jpg"):
        write(picture, tmp_path / name)
        with Image.open(tmp_path / name) as out:
            assert out.info["icc_profile"] == profile


def test_profile_of_another_color_space_is_not_kept(tmp_path: Path) -> None:
    ink = b"\0" * 16 + b"CMYK" + b"Lab " + b"\0" * 104  # the part of a header that names the space
    Image.fromarray(RGB).convert("CMYK").save(tmp_path / "ink.jpg", icc_profile=ink)
    picture = read(tmp_path / "ink.jpg")
    assert picture.pixels.shape[1] == 3
    write(picture, tmp_path / "out.jpg")
    with Image.open(tmp_path / "out.jpg") as out:
        assert out.mode == "RGB"
        assert b"CMYK" not in out.info.get("icc_profile", b"")


def test_values_are_rounded_and_clipped(tmp_path: Path) -> None:
    pixels = torch.tensor([-0.5, 0.0019, 0.0020, 0.5, 1.7]).view(1, 1, 1, 5)
    write(Picture(pixels), tmp_path / "x.png")
    with Image.open(tmp_path / "x.png") as out:
        assert np.asarray(out)[0].tolist() == [0, 0, 1, 128, 255]


def test_jpeg_keeps_fine_colors(tmp_path: Path) -> None:
    pixels = torch.zeros(1, 3, 32, 32)
    pixels[:, 0, :, ::2] = 1  # colour changes from pixel to pixel
    write(Picture(pixels), tmp_path / "x.jpg")
    assert (read(tmp_path / "x.jpg").pixels - pixels).abs().mean() < 0.03


def test_missing(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"no picture at .*gone\.png"):
        read(tmp_path / "gone.png")


def test_not_a_picture(tmp_path: Path) -> None:
    (tmp_path / "notes.png").write_text("hello " * 100)
    with pytest.raises(ValueError, match="cannot be read as a picture"):
        read(tmp_path / "notes.png")
    with pytest.raises(ValueError, match="is a folder; name a picture in it"):
        read(tmp_path)


@pytest.mark.filterwarnings("ignore::UserWarning")  # of Pillow, about the damage
@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".gif", ".tif", ".bmp"])
def test_damaged_files_are_value_errors(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"x{suffix}"
    Image.fromarray(RGB).save(path)
    whole = path.read_bytes()
    rng = np.random.default_rng(1)
    complaints = []
    for i in range(60):
        data = bytearray(whole[: len(whole) // 2] if i < 3 else whole)
        for at in rng.integers(0, len(data), 1 + i):
            data[at] = rng.integers(0, 256)
        path.write_bytes(bytes(data))
        try:
            read(path)
        except ValueError as e:
            complaints.append(str(e))
    assert complaints
    assert all(str(path) in complaint for complaint in complaints)


def test_formats_that_cannot_hold_it(tmp_path: Path) -> None:
    for picture, name in (
        (Picture(torch.zeros(1, 4, 8, 8)), "a.jpg"),
        (Picture(torch.zeros(1, 4, 8, 8)), "b.bmp"),
        (Picture(torch.zeros(1, 4, 8, 8)), "b.ppm"),
        (Picture(torch.full((1, 4, 8, 8), 0.5)), "b.gif"),
        (Picture(torch.zeros(1, 3, 8, 8)), "b.pgm"),
        (Picture(torch.zeros(1, 3, 8, 8)), "c.docx"),
        (Picture(torch.zeros(1, 3, 8, 8)), "d"),
    ):
        with pytest.raises(ValueError, match=r"cannot be written.*\.png"):
            write(picture, tmp_path / name)
        assert not (tmp_path / name).exists()


def test_failed_write_leaves_the_older_picture(tmp_path: Path) -> None:
    path = tmp_path / "out.jpg"
    write(Picture(torch.rand(1, 3, 8, 8)), path)
    before = path.read_bytes()
    with pytest.raises(ValueError, match="cannot be written"):
        write(Picture(torch.zeros(1, 4, 8, 8)), path)
    assert path.read_bytes() == before


def test_no_picture_runs_a_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """PostScript in a file that calls itself a picture would be handed to Ghostscript."""
    ran = []
    monkeypatch.setattr("subprocess.check_call", lambda *a, **k: ran.append(a))
    monkeypatch.setattr("PIL.EpsImagePlugin.Ghostscript", lambda *a, **k: ran.append(a))
    eps = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EndComments\n{} loop\n%%EOF\n"
    for name in ("photo.jpg", "photo.png", "photo.eps"):
        (tmp_path / name).write_bytes(eps)
        with pytest.raises(ValueError, match="cannot be read as a picture"):
            read(tmp_path / name)
    assert not ran


def test_only_raster_formats_are_tried(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Image.init()
    tried = []
    for kind, (factory, _accept) in list(Image.OPEN.items()):

        def note(prefix: bytes, kind: str = kind) -> bool:
            tried.append(kind)
            return False

        monkeypatch.setitem(Image.OPEN, kind, (factory, note))
    (tmp_path / "a.png").write_bytes(b"anything" * 10)
    with pytest.raises(ValueError, match="cannot be read as a picture"):
        read(tmp_path / "a.png")
    assert {"PNG", "JPEG", "WEBP", "TIFF"} <= set(tried)
    assert not {"EPS", "WMF", "PDF", "PSD", "FITS", "HDF5", "IM"} & set(tried)


@pytest.mark.parametrize("suffix", WRITTEN)
def test_every_ending_that_is_offered_can_be_written(tmp_path: Path, suffix: str) -> None:
    if suffix == ".avif" and "AVIF" not in RASTER:
        pytest.skip("this Pillow has no AVIF")
    channels = 1 if suffix == ".pgm" else 3
    write(Picture(torch.rand(1, channels, 16, 16)), tmp_path / f"a{suffix}")
    assert read(tmp_path / f"a{suffix}").pixels.shape[2:] == (16, 16)
