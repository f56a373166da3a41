"""One rule for which way up a picture is, whatever holds it and on every way: that of Pillow's exif_transpose."""

import io
import struct
import zlib

import numpy as np
import PIL
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps, UnidentifiedImageError

from pictures import encoded, smooth
from regnety.images.decoding import load_image
from regnety.images.formats import PIXEL_WAYS
from regnety.images.jpeg import read_jpeg_header
from regnety.images.orientation import orientation_of
from regnety.images.pixels import load_pixels
from regnety.preprocessing import Preprocessing

ORIENTATION = 0x0112
HEADER = b"Exif\0\0"
NO_RESOLUTION = (
    HEADER + b"II*\0\x08\0\0\0\x02\0\x1a\x01\x01\0\x01\0\0\0\xff\xff\0\0(\x01\x03\0\x01\0\0\0\xff\xff\0\0" + bytes(44)
)
XMP_HEADER = b"http://ns.adobe.com/xap/1.0/\0"
STORED = smooth(6, 4)
as_pillow_13 = pytest.mark.skipif(
    int(PIL.__version__.partition(".")[0]) < 13, reason="needs Pillow 13: earlier ones read damaged EXIF otherwise"
)
JPEG, PNG, WEBP = (encoded(STORED, file_format) for file_format in ("JPEG", "PNG", "WEBP"))
SHOWN = Preprocessing(image_size=32, crop_pct=1.0)


Line = tuple[int, int, int, bytes]
"""Of a directory: tag, kind, count, and four bytes, which are the value or say where it is."""


def tiff(lines: list[Line], *, order: str = "<", magic: bytes = b"", start: int = 8, data: bytes = b"") -> bytes:
    head = magic or {"<": b"II*\0", ">": b"MM\0*"}[order]
    packed = [struct.pack(f"{order}HHI", *line[:3]) + line[3].ljust(4, b"\0")[:4] for line in lines]
    directory = struct.pack(f"{order}H", len(packed)) + b"".join(packed) + bytes(4)
    return head + struct.pack(f"{order}I", start) + bytes(max(0, start - 8)) + directory + data


def short(value: int, *, order: str = "<", tag: int = ORIENTATION) -> Line:
    return tag, 3, 1, struct.pack(f"{order}H", value)


def app1(payload: bytes) -> bytes:
    return b"\xff\xe1" + struct.pack(">H", len(payload) + 2) + payload


def xmp(text: str) -> bytes:
    return XMP_HEADER + text.encode()


def jpeg_with(*payloads: bytes, before: bytes = b"") -> bytes:
    """A JPEG with APP1 segments behind its start, or before the first marker `before`."""
    place = JPEG.index(before) if before else 2
    return JPEG[:place] + b"".join(map(app1, payloads)) + JPEG[place:]


def turned(image: Image.Image, orientation: object) -> np.ndarray:
    """By Pillow, whatever it was told."""
    plain = Image.fromarray(np.asarray(image.convert("RGB")))
    plain.getexif()[ORIENTATION] = orientation
    return np.asarray(ImageOps.exif_transpose(plain))


def pillows(data: bytes) -> np.ndarray:
    """What exif_transpose makes of a file, where it does not fail to write the rest of the EXIF back into it."""
    image = Image.open(io.BytesIO(data))
    image.load()
    try:
        orientation = image.getexif().get(ORIENTATION, 1)
    except Exception:
        orientation = 1
    return turned(image, orientation)


def by_header(data: bytes) -> np.ndarray:
    """What the fast way turns a JPEG to."""
    header = read_jpeg_header(data)
    assert header is not None
    return turned(Image.open(io.BytesIO(data)), header.orientation)


@st.composite
def blocks(draw: st.DrawFn) -> bytes:
    """EXIF as cameras write it, and as nobody should."""
    order = draw(st.sampled_from("<>"))
    tags = st.sampled_from([ORIENTATION] * 3 + [0x010E, 0x011A, 0x0128, 0x8769])
    kinds = st.sampled_from([3] * 6 + list(range(18)))
    counts = st.sampled_from([1] * 6 + [0, 2, 3, 9, 40, 2**31, 2**32 - 1])
    values = st.builds(
        lambda width, value: struct.pack(order + width, value),
        st.sampled_from("HI"),
        st.integers(0, 10) | st.integers(8, 100) | st.just(65535),
    )
    lines = draw(st.lists(st.tuples(tags, kinds, counts, values), max_size=5))
    magics = [b""] * 8 + [b"II*\0", b"MM\0*", b"II\0*", b"MM*\0", b"II+\0", b"MM\0+", b"XX*\0", b"II", b"MM\0\0"]
    block = tiff(
        lines,
        order=order,
        magic=draw(st.sampled_from(magics)),
        start=draw(st.sampled_from([8] * 8 + [0, 7, 9, 14, 40, 5000])),
        data=struct.pack(f"{order}8I", *draw(st.lists(st.integers(0, 8), min_size=8, max_size=8))),
    )
    block = HEADER * draw(st.sampled_from([1] * 6 + [0, 2, 3])) + block
    return block[: len(block) - draw(st.sampled_from([0] * 6 + [1, 4, 9, 30, 36, 40, 60]))]


packets = st.builds(
    lambda form, value: form.format(value),
    st.sampled_from(['<x tiff:Orientation="{}"/>', "<tiff:Orientation>{}</tiff:Orientation>", "<x:Orientation={}"]),
    st.integers(0, 12),
)
payloads = st.one_of(
    blocks(), blocks(), packets.map(xmp), packets.map(str.encode), st.binary(max_size=40).map(lambda b: HEADER + b)
)


SIX = short(6)
SINGLE = {
    "plain": ([HEADER + tiff([SIX])], 6),
    "big-endian": ([HEADER + tiff([short(6, order=">")], order=">")], 6),
    "a doubled header": ([HEADER * 2 + tiff([SIX])], 6),
    "a header three times": ([HEADER * 3 + tiff([SIX])], 1),
    "no header but the marker's": ([HEADER + b"\0" + tiff([SIX])], 1),
    "a byte": ([HEADER + tiff([(ORIENTATION, 1, 1, b"\6")])], 1),
    "text": ([HEADER + tiff([(ORIENTATION, 2, 2, b"6\0")])], 1),
    "a long": ([HEADER + tiff([(ORIENTATION, 4, 1, b"\6")])], 6),
    "a signed byte": ([HEADER + tiff([(ORIENTATION, 6, 1, b"\6")])], 6),
    "a fraction": ([HEADER + tiff([(ORIENTATION, 5, 1, b"\x1a")], data=struct.pack("<II", 12, 2))], 6),
    "a fraction of nothing": ([HEADER + tiff([(ORIENTATION, 5, 1, b"\x1a")], data=struct.pack("<II", 6, 0))], 1),
    "a float": ([HEADER + tiff([(ORIENTATION, 11, 1, struct.pack("<f", 6))])], 6),
    "no value": ([HEADER + tiff([(ORIENTATION, 3, 0, b"\6")])], 1),
    "two values": ([HEADER + tiff([(ORIENTATION, 3, 2, struct.pack("<HH", 6, 3))])], 6),
    "an unknown kind": ([HEADER + tiff([(ORIENTATION, 99, 1, b"\6")])], 1),
    "twice": ([HEADER + tiff([short(6), short(3)])], 6),
    "0": ([HEADER + tiff([short(0)])], 1),
    "9": ([HEADER + tiff([short(9)])], 1),
    "BigTIFF": ([HEADER + tiff([SIX], magic=b"II+\0")], 1),
    "bytes of the magic swapped": ([HEADER + tiff([SIX], magic=b"II\0*")], 6),
    "another magic": ([HEADER + tiff([SIX], magic=b"XX*\0")], 1),
    "a directory elsewhere": ([HEADER + tiff([SIX], start=14)], 6),
    "a directory that is cut off": ([HEADER + tiff([SIX, short(1, tag=0x0128)])[:-10]], 6),
    "of the thumbnail alone": (
        [HEADER + b"II*\0\x08\0\0\0\0\0" + struct.pack("<I", 14) + tiff([SIX], start=8)[8:]],
        1,
    ),
    "behind a tag that is too long": ([HEADER + tiff([(0x010E, 2, 2**31, b"\x08"), SIX])], 6),
    "behind a tag that is elsewhere": ([HEADER + tiff([(0x010E, 2, 9, b"\xff\xff"), SIX])], 1),
    "a second block": ([HEADER + tiff([SIX]), HEADER + tiff([short(3)])], 6),
    "a second block, the first with none": ([HEADER + tiff([]), HEADER + tiff([SIX])], 1),
    "an empty block": ([HEADER], 1),
    "an empty block and another": ([HEADER, HEADER + tiff([SIX])], 6),
    "a block in two halves": ([HEADER + tiff([SIX])[:12], HEADER + tiff([SIX])[12:]], 6),
    "XMP": ([xmp('<x tiff:Orientation="6"/>')], 6),
    "XMP, as an element": ([xmp("<tiff:Orientation>6</tiff:Orientation>")], 6),
    "XMP beside EXIF without the tag": ([HEADER + tiff([]), xmp('<x tiff:Orientation="6"/>')], 6),
    "XMP beside EXIF that says 0": ([HEADER + tiff([short(0)]), xmp('<x tiff:Orientation="6"/>')], 1),
    "XMP beside EXIF": ([xmp('<x tiff:Orientation="6"/>'), HEADER + tiff([short(3)])], 3),
    "XMP beside EXIF that is none": ([xmp('<x tiff:Orientation="6"/>'), HEADER + b"XX*\0\x08\0\0\0"], 1),
    "two packets of XMP": ([xmp('<x tiff:Orientation="3"/>'), xmp('<x tiff:Orientation="6"/>')], 6),
    "XMP under no header": ([b'<x tiff:Orientation="6"/>'], 1),
}
"""APP1 segments of a JPEG, and which orientation they say."""


@pytest.mark.filterwarnings("ignore")  # Pillow's, of EXIF that is damaged
@pytest.mark.parametrize(
    "before", [b"", b"\xff\xc0", b"\xff\xda"], ids=["first", "before the frame", "before the scan"]
)
@pytest.mark.parametrize(("payloads", "orientation"), SINGLE.values(), ids=SINGLE)
def test_a_jpeg_is_turned_alike_on_every_way(payloads: list[bytes], orientation: int, before: bytes) -> None:
    data = jpeg_with(*payloads, before=before)
    wanted = turned(Image.open(io.BytesIO(data)), orientation)
    np.testing.assert_array_equal(load_image(data), wanted)
    np.testing.assert_array_equal(by_header(data), wanted)
    shown = load_pixels(wanted, SHOWN).astype(int)
    for way in PIXEL_WAYS:
        assert np.abs(load_pixels(data, SHOWN, way=way, exif_orientation=True) - shown).mean() < 3


@as_pillow_13
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("payloads", [payloads for payloads, _ in SINGLE.values()], ids=SINGLE)
def test_that_is_what_pillow_says(payloads: list[bytes]) -> None:
    data = jpeg_with(*payloads)
    np.testing.assert_array_equal(pillows(data), by_header(data))


@pytest.mark.parametrize("before", [b"\xff\xd9"])
def test_what_stands_behind_the_pixels_of_a_jpeg_does_not_count(before: bytes) -> None:
    data = jpeg_with(HEADER + tiff([SIX]), before=before)
    assert by_header(data).shape == np.asarray(load_image(data)).shape == pillows(data).shape == (4, 6, 3)


@pytest.mark.filterwarnings("ignore")  # Pillow's, of EXIF that is damaged
@as_pillow_13
@settings(max_examples=200, deadline=None)
@given(st.lists(payloads, max_size=3), st.sampled_from([b"", b"\xff\xc0", b"\xff\xc4", b"\xff\xda", b"\xff\xd9"]))
@example([HEADER + tiff([short(6)])], b"\xff\xda")
@example([HEADER * 2 + tiff([short(6)])], b"")
@example([NO_RESOLUTION], b"")
def test_every_way_turns_a_jpeg_as_pillow_does(payloads: list[bytes], before: bytes) -> None:
    data = jpeg_with(*payloads, before=before)
    try:
        wanted = pillows(data)
    except UnidentifiedImageError:  # it stumbles over a resolution that its EXIF announces and lacks
        header = read_jpeg_header(data)
        assert header is not None
        np.testing.assert_array_equal(load_image(data), turned(load_image(jpeg_with()), header.orientation))
        return
    np.testing.assert_array_equal(load_image(data), wanted)
    np.testing.assert_array_equal(by_header(data), wanted)


def png_with(*chunks: tuple[bytes, bytes], behind: bool = False) -> bytes:
    """A PNG with chunks before its pixels, or behind them."""
    packed = b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )
    place = PNG.index(b"IEND" if behind else b"IDAT") - 4
    return PNG[:place] + packed + PNG[place:]


def webp_with(*chunks: tuple[bytes, bytes]) -> bytes:
    """A WebP in the extended form, with chunks behind its pixels."""
    flags = {b"EXIF": 8, b"XMP ": 4}
    extended = struct.pack("<4sIB3x", b"VP8X", 10, sum({flags[kind] for kind, _ in chunks}))
    extended += (STORED.width - 1).to_bytes(3, "little") + (STORED.height - 1).to_bytes(3, "little")
    packed = b"".join(kind + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2) for kind, data in chunks)
    body = b"WEBP" + extended + WEBP[12:] + packed
    return b"RIFF" + struct.pack("<I", len(body)) + body


def raw_profile(exif: bytes) -> bytes:
    """As ImageMagick writes EXIF into a PNG's text."""
    return f"\nexif\n{len(exif):8}\n{exif.hex()}\n".encode()


texts = st.one_of(
    blocks().map(lambda exif: (b"eXIf", exif.removeprefix(HEADER))),
    blocks().map(lambda exif: (b"tEXt", b"Raw profile type exif\0" + raw_profile(exif))),
    blocks().map(lambda exif: (b"zTXt", b"Raw profile type exif\0\0" + zlib.compress(raw_profile(exif)))),
    packets.map(lambda packet: (b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + packet.encode())),
    packets.map(lambda packet: (b"iTXt", b"XML:com.adobe.xmp\0\1\0en\0\0" + zlib.compress(packet.encode()))),
    packets.map(lambda packet: (b"tEXt", b"Comment\0" + packet.encode())),
)


@pytest.mark.filterwarnings("ignore")
@as_pillow_13
@settings(max_examples=100, deadline=None)
@given(st.lists(texts, max_size=3), st.booleans())
@example([(b"eXIf", tiff([short(6)]))], True)
def test_a_png_is_turned_as_pillow_does(chunks: list[tuple[bytes, bytes]], behind: bool) -> None:
    data = png_with(*chunks, behind=behind)
    np.testing.assert_array_equal(load_image(data), pillows(data))


@pytest.mark.filterwarnings("ignore")
@as_pillow_13
@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        blocks().map(lambda exif: (b"EXIF", exif)) | packets.map(lambda text: (b"XMP ", text.encode())), max_size=3
    )
)
def test_a_webp_is_turned_as_pillow_does(chunks: list[tuple[bytes, bytes]]) -> None:
    data = webp_with(*chunks)
    np.testing.assert_array_equal(load_image(data), pillows(data))


@pytest.mark.parametrize("tagged", [1, 3, 6, 8, 9])
@pytest.mark.parametrize("packet", [b"", b'<x tiff:Orientation="6"/>'])
def test_a_tiff_is_turned_once(tagged: int, packet: bytes) -> None:
    exif = Image.Exif()
    exif[ORIENTATION] = tagged
    if packet:
        exif[700] = packet
    data = encoded(STORED, "TIFF", exif=exif)
    wanted = turned(STORED, tagged)
    for source in (data, Image.open(io.BytesIO(data))):
        np.testing.assert_array_equal(load_image(source), wanted)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_an_avif_is_turned_as_pillow_does(orientation: int) -> None:
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    data = encoded(smooth(48, 32), "AVIF", exif=exif)
    np.testing.assert_array_equal(load_image(data), pillows(data))
    assert load_image(data).size == ((48, 32) if orientation < 5 else (32, 48))


def test_a_picture_that_its_owner_turned_is_taken_at_their_word() -> None:
    image = Image.open(io.BytesIO(jpeg_with(HEADER + tiff([short(3)]))))
    image.getexif()[ORIENTATION] = 6
    assert load_image(image).size == (4, 6)


@pytest.mark.parametrize("way", PIXEL_WAYS)
def test_nothing_is_turned_where_it_is_not_asked_for(way: str) -> None:
    files = (jpeg_with(HEADER + tiff([SIX])), png_with((b"eXIf", tiff([SIX]))), webp_with((b"EXIF", tiff([SIX]))))
    for data, plain in zip(files, (JPEG, PNG, WEBP), strict=True):
        for exif_orientation in (False, None):  # None is the model's: those of timm do not
            found = load_pixels(data, SHOWN, way=way, exif_orientation=exif_orientation)  # type: ignore[arg-type]
            np.testing.assert_array_equal(found, load_pixels(plain, SHOWN, way=way))  # type: ignore[arg-type]


@pytest.mark.parametrize("exif", [b"", HEADER, b"\0", b"II*\0", b"MM\0*\xff\xff\xff\xff", HEADER * 9])
def test_no_block_makes_it_fail(exif: bytes) -> None:
    assert orientation_of(exif, None) == 1
