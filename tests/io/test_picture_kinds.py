"""Pictures of phones, scanners, games and other programs: nothing of them is lost or misread without a word."""

from __future__ import annotations

import io
import struct
import tracemalloc
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageCms, PngImagePlugin

from flow_core.io.picture import MOST_PIXELS, RASTER, Picture, read, write

RNG = np.random.default_rng(9)
RGB = RNG.integers(0, 256, (24, 32, 3), dtype=np.uint8)
DEEP = RNG.integers(0, 65536, (24, 32, 4), dtype=np.uint16)
AVIF = pytest.mark.skipif("AVIF" not in RASTER, reason="this Pillow has no AVIF")


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(path: Path, values: np.ndarray, *more: bytes, size: tuple[int, int] | None = None) -> Path:
    """A PNG of big-endian numbers, by the specification, with further chunks before its pixels."""
    h, w, channels = values.shape
    wide, high = size or (w, h)
    kind = {1: 0, 2: 4, 3: 2, 4: 6}[channels]
    rows = np.frombuffer(values.astype(values.dtype.newbyteorder(">")).tobytes(), np.uint8).reshape(h, -1)
    data = zlib.compress(np.concatenate([np.zeros((h, 1), np.uint8), rows], 1).tobytes())
    head = struct.pack(">IIBBBBB", wide, high, 8 * values.itemsize, kind, 0, 0, 0)
    parts = [chunk(b"IHDR", head), *more, chunk(b"IDAT", data), chunk(b"IEND", b"")]
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(parts))
    return path


def tiff(path: Path, values: np.ndarray, order: str = "<", **tags: int | tuple[int, ...]) -> Path:
    """A TIFF of one strip, by the specification."""
    h, w, channels = values.shape
    data = values.astype(values.dtype.newbyteorder(order)).tobytes()
    given = {256: w, 257: h, 258: (8 * values.itemsize,) * channels, 259: 1, 262: 2 if channels > 2 else 1, 273: 8,
             277: channels, 278: h, 279: len(data)}  # fmt: skip
    given |= {int(k[1:]): v for k, v in tags.items()}
    at, entries, beside = 8 + len(data), b"", b""
    for tag, value in sorted(given.items()):
        numbers = value if isinstance(value, tuple) else (value,)
        packed = struct.pack(f"{order}{len(numbers)}I", *numbers)
        where = packed if len(numbers) == 1 else struct.pack(f"{order}I", at + 6 + 12 * len(given) + len(beside))
        beside += b"" if len(numbers) == 1 else packed
        entries += struct.pack(f"{order}HHI", tag, 4, len(numbers)) + where
    mark = b"II*\0" if order == "<" else b"MM\0*"
    ifd = struct.pack(f"{order}H", len(given)) + entries + struct.pack(f"{order}I", 0)
    path.write_bytes(mark + struct.pack(f"{order}I", at) + data + ifd + beside)
    return path


def numbers(picture: Picture) -> np.ndarray:
    return (picture.pixels[0].permute(1, 2, 0) * picture.depth).round().numpy().astype(np.int64)


@pytest.mark.parametrize("suffix", [".png", ".tif"])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_16_bits_are_kept(tmp_path: Path, suffix: str, channels: int) -> None:
    cv2 = pytest.importorskip("cv2")
    values = DEEP[..., :channels]
    flipped = values if channels == 1 else values[..., [2, 1, 0, 3][:channels]]
    cv2.imwrite(str(tmp_path / f"in{suffix}"), flipped)
    picture = read(tmp_path / f"in{suffix}")
    assert picture.depth == 65535
    np.testing.assert_array_equal(numbers(picture), values)
    for other in (".png", ".tif"):
        assert write(picture, tmp_path / f"out{other}") == []
        back = cv2.imread(str(tmp_path / f"out{other}"), cv2.IMREAD_UNCHANGED)
        assert back.dtype == np.uint16
        np.testing.assert_array_equal(back.reshape(flipped.shape), flipped)


@pytest.mark.parametrize(
    "make",
    [
        lambda p: png(p / "la.png", DEEP[..., [0, 3]]),
        lambda p: tiff(p / "big.tif", DEEP[..., :3], ">"),
        lambda p: tiff(p / "alpha.tif", DEEP, ">", _338=2),
        lambda p: tiff(p / "unused.tif", DEEP, _338=0),
        lambda p: tiff(p / "white.tif", DEEP[..., :1], _262=0),
    ],
    ids=["grey alpha", "big endian", "big endian alpha", "unused fourth", "white is zero"],
)
def test_16_bits_of_other_layouts(tmp_path: Path, make: object) -> None:
    path = make(tmp_path)
    expected = {
        "la.png": DEEP[..., [0, 0, 0, 3]], "big.tif": DEEP[..., :3], "alpha.tif": DEEP, "unused.tif": DEEP[..., :3],
        "white.tif": 65535 - DEEP[..., :1],
    }[path.name]  # fmt: skip
    np.testing.assert_array_equal(numbers(read(path)), expected)


def test_16_bits_multiplied_by_alpha(tmp_path: Path) -> None:
    alpha = np.maximum(DEEP[..., 3:], 20000)
    plain = np.concatenate([DEEP[..., :3], alpha], 2)
    packed = np.concatenate([np.round(DEEP[..., :3] / 65535 * alpha).astype(np.uint16), alpha], 2)
    assert np.abs(numbers(read(tiff(tmp_path / "a.tif", packed, _338=1))) - plain).max() <= 2


def test_interlaced_16_bits(tmp_path: Path) -> None:
    """Adam7, by the specification."""
    rows = b""
    for x, y, dx, dy in (
        (0, 0, 8, 8),
        (4, 0, 8, 8),
        (0, 4, 4, 8),
        (2, 0, 4, 4),
        (0, 2, 2, 4),
        (1, 0, 2, 2),
        (0, 1, 1, 2),
    ):
        for row in DEEP[y::dy, x::dx, :3]:
            rows += b"\0" + row.astype(">u2").tobytes()
    head = struct.pack(">IIBBBBB", 32, 24, 16, 2, 0, 0, 1)
    parts = [chunk(b"IHDR", head), chunk(b"IDAT", zlib.compress(rows)), chunk(b"IEND", b"")]
    (tmp_path / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(parts))
    np.testing.assert_array_equal(numbers(read(tmp_path / "a.png")), DEEP[..., :3])


def test_16_bit_ppm(tmp_path: Path) -> None:
    body = DEEP[..., :3].astype(">u2").tobytes()
    (tmp_path / "a.ppm").write_bytes(b"P6 32 24 65535\n" + body)
    picture = read(tmp_path / "a.ppm")
    np.testing.assert_array_equal(numbers(picture), DEEP[..., :3])
    write(picture, tmp_path / "b.ppm")
    assert (tmp_path / "b.ppm").read_bytes().endswith(body)
    (tmp_path / "c.ppm").write_bytes(b"P6 32 24 1023\n" + (DEEP[..., :3] % 1024).astype(">u2").tobytes())
    expected = np.minimum(DEEP[..., :3] % 1024 / 1023, 1).transpose(2, 0, 1)
    np.testing.assert_allclose(read(tmp_path / "c.ppm").pixels[0], expected, atol=1e-6)


@pytest.mark.parametrize("suffix", [".jpg", ".webp", ".gif", ".bmp", ".tga", pytest.param(".avif", marks=AVIF)])
@pytest.mark.parametrize("channels", [1, 3])
def test_16_bits_become_the_same_8(tmp_path: Path, suffix: str, channels: int) -> None:
    smooth = np.linspace(0, 65535, 64 * 64).reshape(64, 64, 1).repeat(channels, 2)
    said = write(
        Picture(torch.from_numpy(smooth / 65535).float().permute(2, 0, 1)[None], 65535), tmp_path / f"a{suffix}"
    )
    assert "8 bits a channel" in said[0]
    with Image.open(tmp_path / f"a{suffix}") as out:
        assert np.abs(np.asarray(out.convert("RGB"), float) - smooth / 257).mean() < 3


@pytest.mark.parametrize("values", [np.ones((4, 4, 1), np.float32), np.full((4, 4, 1), 70000, np.int32)])
def test_numbers_without_a_white_are_refused(tmp_path: Path, values: np.ndarray) -> None:
    path = tiff(tmp_path / "a.tif", values, _339=3 if values.dtype == np.float32 else 2)
    with pytest.raises(ValueError, match="which of them is white"):
        read(path)


def test_transparent_colors_of_a_png(tmp_path: Path) -> None:
    for channels, key in ((1, struct.pack(">H", 7)), (3, struct.pack(">3H", 7, 7, 7))):
        for kind in (np.uint8, np.uint16):
            values = np.full((4, 6, channels), 9, kind)
            values[1, 2] = 7
            picture = read(png(tmp_path / "t.png", values, chunk(b"tRNS", key)))
            assert picture.pixels.shape == (1, 4, 4, 6)
            assert (picture.pixels[0, 3] == 0).nonzero().tolist() == [[1, 2]]
            write(picture, tmp_path / "out.png")
            assert torch.equal(read(tmp_path / "out.png").pixels, picture.pixels)


def test_alpha_that_lets_nothing_through_does_not_matter(tmp_path: Path) -> None:
    opaque = torch.cat([torch.rand(1, 3, 8, 8), torch.ones(1, 1, 8, 8)], 1)
    for suffix in (".jpg", ".bmp", ".ppm"):
        write(Picture(opaque), tmp_path / f"a{suffix}")
        with pytest.raises(ValueError, match="no transparency"):
            write(Picture(opaque * 0.5), tmp_path / f"b{suffix}")


@pytest.mark.parametrize("name", ["a.gif", "a.webp", "a.png", pytest.param("a.avif", marks=AVIF)])
def test_animations_are_refused(tmp_path: Path, name: str) -> None:
    frames = [Image.fromarray(np.roll(RGB, i, 0)) for i in range(3)]
    frames[0].save(tmp_path / name, save_all=True, append_images=frames[1:])
    with pytest.raises(ValueError, match=r"an animation.*faceflow video"):
        read(tmp_path / name)


def test_pages_and_further_pictures(tmp_path: Path) -> None:
    pages = [Image.fromarray(np.roll(RGB, i, 0)) for i in range(3)]
    pages[0].save(tmp_path / "scan.tif", save_all=True, append_images=pages[1:])
    with pytest.raises(ValueError, match="several pages"):
        read(tmp_path / "scan.tif")
    small = pages[0].resize((8, 6))
    small.encoderinfo = {"tiffinfo": {254: 1}}  # a smaller version of the page before
    pages[0].save(tmp_path / "thumb.tif", save_all=True, append_images=[small])
    np.testing.assert_array_equal(numbers(read(tmp_path / "thumb.tif")), RGB)
    pages[0].save(tmp_path / "phone.jpg", "MPO", save_all=True, append_images=[small], quality=95)
    picture = read(tmp_path / "phone.jpg")
    assert picture.pixels.shape == (1, 3, 24, 32)
    assert "second picture" in picture.notes[0]


def test_what_a_file_says_is_kept(tmp_path: Path) -> None:
    """ComfyUI's workflow, dots per inch, profile, EXIF and gamma: of 8 and of 16 bits."""
    text = PngImagePlugin.PngInfo()
    text.add_text("workflow", '{"nodes": []}')
    text.add_text("prompt", "雪" * 3, zip=True)
    text.add(b"gAMA", struct.pack(">I", 45455))
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = 6, "a camera"
    Image.fromarray(RGB).save(tmp_path / "in.png", pnginfo=text, dpi=(300, 300), icc_profile=profile, exif=exif)
    for depth in (255, 65535):
        picture = read(tmp_path / "in.png")
        picture = Picture(picture.pixels, depth, picture.extra)
        assert write(picture, tmp_path / "out.png") == []
        with Image.open(tmp_path / "out.png") as out:
            assert out.size == (24, 32)
            out.load()
            assert out.text["workflow"] == '{"nodes": []}'
            assert out.text["prompt"] == "雪" * 3
            assert out.info["dpi"] == pytest.approx((300, 300), abs=0.1)
            assert out.info["icc_profile"] == profile
            assert out.info["gamma"] == pytest.approx(0.45455)
            assert out.getexif()[0x010F] == "a camera"
            assert 0x0112 not in out.getexif()
        write(picture, tmp_path / "out.tif")
        with Image.open(tmp_path / "out.tif") as out:
            assert out.info["dpi"] == pytest.approx((300, 300), abs=0.1)
            assert out.info["icc_profile"] == profile
            assert out.getexif()[0x010F] == "a camera"
        again = read(tmp_path / "out.tif")
        assert torch.equal(again.pixels, picture.pixels)
        write(again, tmp_path / "again.jpg")
        with Image.open(tmp_path / "again.jpg") as out:
            assert out.getexif()[0x010F] == "a camera"
            assert out.info["dpi"] == (300, 300)
        assert any("no texts" in line for line in write(picture, tmp_path / "out.jpg"))


def test_orientation_in_xmp_is_applied_once(tmp_path: Path) -> None:
    text = PngImagePlugin.PngInfo()
    text.add_itxt("XML:com.adobe.xmp", '<x tiff:Orientation="6" dc:title="me"/>')
    Image.fromarray(RGB).save(tmp_path / "in.png", pnginfo=text)
    picture = read(tmp_path / "in.png")
    write(picture, tmp_path / "out.png")
    assert picture.pixels.shape[2:] == (32, 24)
    assert torch.equal(read(tmp_path / "out.png").pixels, picture.pixels)
    with Image.open(tmp_path / "out.png") as out:
        out.load()
        assert 'dc:title="me"' in out.text["XML:com.adobe.xmp"]


def test_profile_of_grey_does_not_go_to_colors(tmp_path: Path) -> None:
    grey = b"\0" * 16 + b"GRAY" + b"XYZ " + b"\0" * 104
    picture = Picture(torch.rand(1, 1, 8, 8), 255, {"icc_profile": grey})
    assert write(picture, tmp_path / "a.png") == []
    assert "colour profile" in write(Picture(picture.rgb, 255, picture.extra), tmp_path / "b.png")[0]


@pytest.mark.parametrize(
    ("suffix", "least"), [(".webp", np.inf), (".jp2", np.inf), pytest.param(".avif", 49.5, marks=AVIF)]
)
def test_little_is_lost_outside_the_face(tmp_path: Path, suffix: str, least: float, astronaut: torch.Tensor) -> None:
    write(Picture(astronaut), tmp_path / f"a{suffix}")
    with Image.open(tmp_path / f"a{suffix}") as out:
        error = (np.asarray(out, float) / 255 - astronaut[0].permute(1, 2, 0).numpy()).round(6)
    with np.errstate(divide="ignore"):
        assert -10 * np.log10((error**2).mean()) >= least


@pytest.mark.parametrize(
    ("quality", "sampling", "mode"), [(98, 0, "RGB"), (90, 2, "RGB"), (75, 1, "RGB"), (60, 2, "RGB"), (85, 0, "L")]
)
@pytest.mark.parametrize("turn", [1, 6])
def test_a_jpeg_of_a_jpeg_is_compressed_in_the_same_way(
    tmp_path: Path, astronaut: torch.Tensor, quality: int, sampling: int, mode: str, turn: int
) -> None:
    """Nothing is lost a second time, and the file grows no larger, upright or turned by a camera's note."""
    exif = Image.Exif()
    exif[0x0112] = turn
    photo = (astronaut[0].permute(1, 2, 0)[:256, :320] * 255).byte().numpy()
    Image.fromarray(photo).convert(mode).save(tmp_path / "in.jpg", quality=quality, subsampling=sampling, exif=exif)
    picture = read(tmp_path / "in.jpg")
    write(picture, tmp_path / "out.jpg")
    error = (read(tmp_path / "out.jpg").pixels - picture.pixels).square().mean()
    assert -10 * error.log10() > (47 if sampling == 1 and turn > 1 else 50)
    size = (tmp_path / "out.jpg").stat().st_size / (tmp_path / "in.jpg").stat().st_size
    assert size < (1.6 if sampling == 1 and turn > 1 else 1.05)


def test_tables_of_grey_are_not_for_colors(tmp_path: Path) -> None:
    Image.fromarray(RGB).convert("L").save(tmp_path / "in.jpg", quality=40)
    grey = read(tmp_path / "in.jpg")
    write(Picture(grey.rgb, jpeg=grey.jpeg), tmp_path / "out.jpg")
    with Image.open(tmp_path / "out.jpg") as out:
        assert out.mode == "RGB"
        assert max(map(max, out.quantization.values())) < 30


def test_size_is_known_before_memory_is_asked_for(tmp_path: Path) -> None:
    path = png(tmp_path / "bomb.png", np.zeros((1, 12000, 3), np.uint8), size=(12000, 12000))
    assert MOST_PIXELS < 12000**2
    tracemalloc.start()
    with pytest.raises(ValueError, match=r"12000x12000 pixels \(144 megapixels\); .* 128 are read"):
        read(path)
    with pytest.raises(ValueError, match="more than 179 megapixels"):
        read(png(tmp_path / "more.png", np.zeros((1, 20000, 3), np.uint8), size=(20000, 20000)))
    assert tracemalloc.get_traced_memory()[1] < 4e6
    tracemalloc.stop()


@pytest.mark.parametrize(
    "garbage", [b"Exif\0\0II*\0" + b"\xff" * 60, b"Exif\0\0MM\0*\0\0\0\x08\xff\xff" + b"\x01" * 200, b"\0" * 9]
)
def test_garbage_exif_is_said_or_ignored(tmp_path: Path, garbage: bytes) -> None:
    for name in ("a.jpg", "a.png", "a.webp"):
        Image.fromarray(RGB).save(tmp_path / name, exif=garbage)
        picture = read(tmp_path / name)
        assert picture.pixels.shape == (1, 3, 24, 32)
        write(picture, tmp_path / f"out-{name}")


@AVIF
def test_damaged_avif_is_a_sentence(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    Image.fromarray(RGB.repeat(8, 0)).save(buffer, "AVIF")
    said = []
    for at in range(40, len(buffer.getvalue()), 23):
        data = bytearray(buffer.getvalue())
        data[at : at + 9] = b"\xff\0\xee\x11\x80\x7f\0\0\x01"
        (tmp_path / "a.avif").write_bytes(data)
        try:
            read(tmp_path / "a.avif")
        except ValueError as e:
            said.append(str(e))
    assert said
    assert all("a.avif" in line for line in said)


def test_ink_and_lab_become_srgb(tmp_path: Path) -> None:
    for mode, source in (
        ("CMYK", Image.fromarray(RGB).convert("CMYK")),
        ("LAB", Image.new("LAB", (8, 8), (128, 128, 128))),
    ):
        source.save(tmp_path / "a.tif")
        picture = read(tmp_path / "a.tif")
        assert picture.pixels.shape[1] == 3
        assert f"its {mode} colours are converted" in picture.notes[0]
        if mode == "LAB":  # the middle of its lightness, without a hue
            assert (picture.pixels - 0.47).abs().max() < 0.02


def test_a_folder_is_no_picture(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="is a folder"):
        read(tmp_path)


def test_other_kinds_are_named(tmp_path: Path) -> None:
    for head, words in (
        (b"\0\0\0\x18ftypheic", "HEIC.*JPEG or PNG"),
        (b"\0\0\0\x18ftypisom", "faceflow video"),
        (b"DDS |\0\0\0", "texture of a game"),
        (b"8BPS\0\x01", "Photoshop"),
        (b'\xe8\x03\0\0\0\0\0\0{"__metadata__"', "safetensors.*picture first"),
        (b"%PDF-1.7", "PDF"),
        (b"\x76\x2f\x31\x01\x02\0\0\0", "OpenEXR"),
        (b"\0\0\1\0\1\0", "icon"),
        (b"II*\0\x08\0\0\0", "floating-point colours"),
    ):
        (tmp_path / "a.jpg").write_bytes(head + b"\0" * 60)
        with pytest.raises(ValueError, match=words):
            read(tmp_path / "a.jpg")


def test_jpegs_of_cameras(tmp_path: Path) -> None:
    """A JPEG that calls itself .heic is read; one that was cut off is refused."""
    Image.fromarray(RGB).save(tmp_path / "a.heic", "JPEG", quality=95, progressive=True)
    assert read(tmp_path / "a.heic").pixels.shape == (1, 3, 24, 32)
    data = (tmp_path / "a.heic").read_bytes()
    (tmp_path / "half.jpg").write_bytes(data[: len(data) * 2 // 3])
    with pytest.raises(ValueError, match="truncated"):
        read(tmp_path / "half.jpg")


def test_scans_and_games(tmp_path: Path) -> None:
    bits = RGB[..., :1] > 127
    Image.fromarray(bits[..., 0]).save(tmp_path / "fax.tif", compression="group4")
    np.testing.assert_array_equal(numbers(read(tmp_path / "fax.tif")), bits * 255)
    palette = Image.fromarray(RGB).quantize(8)
    palette.save(tmp_path / "p.png", transparency=bytes([0, 64, 128, 255, 255, 255, 255, 255]))
    assert {0, 64, 128, 255} >= set((read(tmp_path / "p.png").pixels[0, 3] * 255).round().unique().tolist())
    rgba = np.dstack([RGB, RGB[..., :1]])
    Image.fromarray(rgba).save(tmp_path / "g.tga", compression="tga_rle")
    np.testing.assert_array_equal(numbers(read(tmp_path / "g.tga")), rgba)
    Image.fromarray(RGB).save(tmp_path / "y.tif", compression="jpeg", quality=95)
    assert np.abs(numbers(read(tmp_path / "y.tif")) - np.asarray(Image.open(tmp_path / "y.tif"), int)).max() == 0
