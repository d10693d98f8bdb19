"""Pictures of every format that Pillow opens, built from the rules of the format.

Some are sound, most claim what they do not hold: sizes, counts, offsets, tags and blocks are drawn
from numbers that readers trip over.
"""

import io
import random
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from tests.fuzz.mutations import damaged_bytes

_SIDES = (1, 16, 31, 40, 40, 40, 64)
_ODD = (0, 1, 2, 7, 255, 256, 32767, 32768, 65535, 65536, 2**24, 2**31 - 1, 2**31, 2**32 - 1)


def make(folder: Path, chance: random.Random) -> Path:
    """Writes a picture of any format, under its own ending or another's."""
    name = chance.choice(tuple(FORMATS))
    content = FORMATS[name](chance)
    if chance.random() < 0.3:
        content = damaged_bytes(content, chance)
    path = folder / f"picture.{chance.choice((name.lower(), 'jpg', 'png', 'tif'))}"
    path.write_bytes(content)
    return path


def _odd(chance: random.Random, sound: int, most: int = 2**32 - 1, how_often: float = 0.2) -> int:
    """The sound number, or sometimes another one."""
    if chance.random() >= how_often:
        return sound
    return chance.choice([number for number in _ODD if number <= most])


def _side(chance: random.Random, most: int = 65535) -> int:
    return _odd(chance, chance.choice(_SIDES), most, 0.1)


def _image(chance: random.Random, mode: str) -> Image.Image:
    width, height = chance.choice(_SIDES), chance.choice(_SIDES)
    noise = np.random.default_rng(chance.randrange(99)).integers(0, 255, (height, width, 4))
    image = Image.fromarray(noise.astype(np.uint8))
    if mode in ("I", "F", "I;16"):
        return image.convert("L").convert("I").convert(mode)
    return image.convert("RGB").convert(mode) if mode != "RGBA" else image


def _saved(form: str, modes: tuple[str, ...], **choices: tuple) -> Callable:
    """What Pillow writes itself: any mode, any of the options."""

    def build(chance: random.Random) -> bytes:
        image = _image(chance, chance.choice(modes))
        options = {name: chance.choice(values) for name, values in choices.items()}
        options = {name: value for name, value in options.items() if value is not None}
        if options.get("append_images"):
            options["append_images"] = [_image(chance, image.mode) for _ in range(2)]
        file = io.BytesIO()
        image.save(file, form, **options)
        return file.getvalue()

    return build


def _exif(chance: random.Random) -> bytes:
    return b"Exif\x00\x00" + _ifd(chance, chance.choice("<>"))


def _ifd(chance: random.Random, order: str, tags: dict[int, tuple[int, int, int]] | None = None):
    """TIFF: a directory of tags, each of any type, count and place."""
    entries = {274: (3, 1, chance.choice((0, 1, 5, 6, 8, 9, 65535)))} if tags is None else tags
    for _ in range(chance.randrange(3)):
        kind, count = chance.choice((0, 1, 2, 3, 4, 5, 7, 12, 13, 99)), chance.choice(_ODD)
        tag = chance.choice((274, 282, 306, 330, 34665, 34853, 33723, 700, 37500, 1, 65535))
        entries[tag] = (kind, count, chance.choice(_ODD))
    made = struct.pack(f"{order}H", _odd(chance, len(entries), 65535, 0.05))
    for tag, (kind, count, value) in sorted(entries.items()):
        form = f"{order}HHIH2x" if kind == 3 and count == 1 and value < 65536 else f"{order}HHII"
        made += struct.pack(form, tag, kind, count, value)
    made += struct.pack(f"{order}I", chance.choice((0, 0, 0, 8, 9, 2**31)))  # 8 is itself
    mark = b"II*\x00" if order == "<" else b"MM\x00*"
    return mark + struct.pack(f"{order}I", 8) + made


def tiff(chance: random.Random) -> bytes:
    width, height = _side(chance, 2**31), _side(chance, 2**31)
    bands = chance.choice((1, 3, 4))
    tags = {
        256: (4, 1, width),
        257: (4, 1, height),
        258: (3, 1, _odd(chance, 8, 65535)),
        259: (3, 1, chance.choice((1, 1, 2, 3, 4, 5, 6, 7, 8, 32773, 34925, 50000, 9))),
        262: (3, 1, _odd(chance, 2 if bands > 2 else 1, 65535)),
        273: (4, 1, _odd(chance, 300)),
        277: (3, 1, _odd(chance, bands, 65535)),
        278: (4, 1, _odd(chance, height)),
        279: (4, 1, _odd(chance, 4000)),
        **({322: (4, 1, _odd(chance, 16)), 323: (4, 1, 16)} if chance.random() < 0.2 else {}),
    }
    return _ifd(chance, chance.choice("<>"), tags).ljust(300, b"\x00") + chance.randbytes(4000)


def jpeg(chance: random.Random) -> bytes:
    """Segments of any kind before a sound picture."""
    whole = _saved("JPEG", ("RGB", "L", "CMYK"), progressive=(False, True))(chance)
    made = whole[:2]
    for _ in range(chance.randrange(4)):
        mark = chance.choice((0xE0, 0xE1, 0xE1, 0xE2, 0xED, 0xEE, 0xFE, 0xDB, 0xC4, 0xDD, 0xC0))
        content = chance.choice((
            *(_exif(chance), _exif(chance), b"MPF\x00" + _ifd(chance, ">"), b"JFIF\x00" * 3),
            *(b"ICC_PROFILE\x00\x01\x09" + bytes(40), b"Adobe\x00\x64\x00\x00", bytes(70)),
            *(b"Photoshop 3.0\x008BIM\x04\x04\x00\x00" + bytes(4), chance.randbytes(20), b""),
        ))  # fmt: skip
        length = _odd(chance, len(content) + 2, 65535, 0.1)
        made += struct.pack(">BBH", 0xFF, mark, length) + content
    return made + whole[2:]


def png(chance: random.Random) -> bytes:
    """Chunks in any order and number; their checksums are right."""
    width, height = _side(chance, 2**31), _side(chance, 2**31)
    bits, colour = chance.choice((1, 2, 8, 8, 16)), chance.choice((0, 2, 2, 3, 4, 6))
    rows = zlib.compress(chance.randbytes(chance.choice((0, 5000))) + bytes(20_000))
    header = struct.pack(
        ">IIBBBBB", width, height, bits, colour, 0, 0, _odd(chance, chance.choice((0, 1)), 255)
    )
    many = zlib.compress(bytes(chance.choice((10, 10, 3_000_000))))
    others = (
        (b"PLTE", chance.randbytes(chance.choice((0, 3, 5, 768, 900)))),
        (b"tRNS", chance.randbytes(chance.choice((0, 1, 6, 256)))),
        (b"eXIf", _ifd(chance, "<")),
        (b"zTXt", b"a\x00" + bytes([chance.choice((0, 1))]) + many),
        (b"iTXt", b"a\x00\x01\x00\x00\x00" + many),
        (b"tEXt", b"XML:com.adobe.xmp\x00" + bytes(20)),
        (b"iCCP", b"icc\x00\x00" + many),
        (b"gAMA", struct.pack(">I", _odd(chance, 45455))),
        (b"pHYs", bytes(9)),
        (b"acTL", struct.pack(">II", _odd(chance, 2), 0)),
        (b"fcTL", struct.pack(">IIIIIHHBB", 0, width, height, _odd(chance, 0), 0, 1, 9, 3, 2)),
        (b"fdAT", struct.pack(">I", 1) + rows),
        (b"IDAT", rows),
        (b"IEND", b""),
        (chance.randbytes(4), b""),
    )
    chunks = [(b"IHDR", header), *chance.choices(others, k=chance.randrange(5))]
    chunks += [(b"IDAT", rows), (b"IEND", b"")]
    if chance.random() < 0.1:
        chance.shuffle(chunks)
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", _odd(chance, len(content), how_often=0.03))
        + kind
        + content
        + struct.pack(">I", zlib.crc32(kind + content))
        for kind, content in chunks
    )


def gif(chance: random.Random) -> bytes:
    made = b"GIF89a" + struct.pack("<HHBBB", _side(chance), _side(chance), 0x80, 0, 0) + bytes(6)
    for _ in range(chance.randrange(1, 5)):
        place = (_odd(chance, 0, 65535, 0.1), 0, _side(chance), _side(chance))
        block = bytes([chance.choice((0, 1, 20, 255))])
        made += chance.choice((
            b"," + struct.pack("<HHHHB", *place, chance.choice((0, 64, 128, 135)))
            + bytes([chance.choice((0, 2, 8, 12, 13))]) + block + chance.randbytes(30) + b"\x00",
            b"!\xf9\x04" + bytes([chance.randrange(32), 9, 0, chance.randrange(256), 0]),
            b"!\xff\x0bNETSCAPE2.0\x03\x01\xff\xff\x00",
            b"!\xfe" + block + bytes(20),
        ))  # fmt: skip
    return made + chance.choice((b";", b""))


def riff(chance: random.Random) -> bytes:
    """WebP: chunks whose lengths need not be right."""
    whole = _saved("WEBP", ("RGB", "RGBA"), lossless=(True, False))(chance)
    others = (
        b"VP8X" + struct.pack("<II", 10, chance.choice((0, 2, 8, 16, 32, 63))) + bytes(6),
        b"EXIF" + struct.pack("<I", 30) + _exif(chance)[:30].ljust(30),
        b"ANIM" + struct.pack("<IIH", 6, 0, _odd(chance, 0, 65535)),
        b"ANMF" + struct.pack("<I", _odd(chance, 16)) + bytes(16),
        b"ALPH" + struct.pack("<I", 4) + bytes(4),
    )
    chunks = b"".join(chance.choices(others, k=chance.randrange(3))) + whole[12:]
    return b"RIFF" + struct.pack("<I", _odd(chance, len(chunks) + 4)) + b"WEBP" + chunks


def boxes(chance: random.Random) -> bytes:
    """AVIF, HEIC and JPEG 2000 are boxes in boxes."""
    form = chance.choice(("AVIF", "JPEG2000"))
    whole = bytearray(_saved(form, ("RGB", "L"))(chance))
    for _ in range(chance.choice((0, 1, 1, 2))):
        at = chance.choice([n for n in range(0, min(len(whole) - 8, 400), 4)])
        whole[at : at + 4] = struct.pack(">I", chance.choice(_ODD))
    if chance.random() < 0.2:
        whole[8:12] = chance.choice((b"heic", b"mif1", b"avis", b"qt  "))
    return bytes(whole)


def psd(chance: random.Random) -> bytes:
    mode = _odd(chance, chance.choice((1, 3, 4)), 65535)
    made = b"8BPS" + struct.pack(">H6xH", 1, _odd(chance, 3, 65535))
    made += struct.pack(">IIHH", _side(chance), _side(chance), _odd(chance, 8, 65535), mode)
    made += struct.pack(">I", _odd(chance, 0)) + struct.pack(">I", _odd(chance, 0))
    layers = struct.pack(">IIhIIII", 500, 200, chance.choice((0, 1, -1, 32767)), 0, 0, 40, 40)
    layers += struct.pack(">H", _odd(chance, 3, 65535)) + bytes(600)
    made += chance.choice((bytes(4), layers))
    return made + struct.pack(">H", chance.choice((0, 1, 2))) + bytes(6000)


def eps(chance: random.Random) -> bytes:
    """PostScript: a program, which nothing may run."""
    box = f"%%BoundingBox: {_side(chance)} {_side(chance)} {_side(chance)} {_side(chance)}"
    lines = ["%!PS-Adobe-3.0 EPSF-3.0", box, chance.choice(("%%EndComments", "%ImageData: 9 9"))]
    lines += [
        chance.choice(("{} loop", "showpage", "(/etc/passwd) (r) file", "%%BeginBinary: -1"))
    ]
    text = chance.choice(("\n", "\r\n", "\r")).join(lines).encode()
    if chance.random() < 0.2:
        return struct.pack("<IIIIIIIH", 0xC6D3D0C5, 30, len(text), 0, 0, 0, 0, 0xFFFF) + text
    return text


def tga(chance: random.Random) -> bytes:
    kind = chance.choice((1, 2, 3, 9, 10, 11, 0, 77))
    return struct.pack(
        "<BBBHHBHHHHBB", _odd(chance, 0, 255), chance.choice((0, 1)), kind, 0,
        _odd(chance, 0, 65535), chance.choice((8, 16, 24)), 0, 0, _side(chance), _side(chance),
        _odd(chance, chance.choice((8, 16, 24, 32)), 255), chance.choice((0, 32)),
    ) + chance.randbytes(5000)  # fmt: skip


def bmp(chance: random.Random) -> bytes:
    size = chance.choice((12, 40, 40, 52, 64, 108, 124, 9))
    made = struct.pack("<iiHHIIIIII", _side(chance, 2**31 - 1), _side(chance, 2**31 - 1), 1,
                       _odd(chance, chance.choice((1, 4, 8, 16, 24, 32)), 65535),
                       chance.choice((0, 1, 2, 3, 4, 9)), 0, 0, 0, _odd(chance, 0), 0)  # fmt: skip
    made = (struct.pack("<I", size) + made).ljust(124, b"\x00")
    return b"BM" + struct.pack("<IHHI", 0, 0, 0, _odd(chance, 138)) + made + chance.randbytes(5000)


def icons(chance: random.Random) -> bytes:
    """ICO and CUR: a table of pictures."""
    count, kind = _odd(chance, 2, 65535), chance.choice((1, 2))
    inner = chance.choice((png, bmp))(chance)
    inner = inner[14:] if inner[:2] == b"BM" else inner
    entry = struct.pack("<BBBBHHII", 40, 40, 0, 0, 1, 32, _odd(chance, len(inner)), 38)
    return struct.pack("<HHH", 0, kind, count) + entry * 2 + inner


def fli(chance: random.Random) -> bytes:
    width, height = _side(chance), _side(chance)
    made = struct.pack("<IHHHHHH", 0, chance.choice((0xAF11, 0xAF12)), _odd(chance, 2, 65535),
                       width, height, 8, chance.choice((0, 3)))  # fmt: skip
    frame = b""
    for _ in range(chance.choice((1, 1, 3))):
        content = chance.randbytes(chance.choice((0, 10, 2000)))
        kind = chance.choice((4, 7, 11, 12, 13, 15, 16, 18, 99))
        frame += struct.pack("<IH", _odd(chance, len(content) + 6), kind) + content
    head = struct.pack("<IHH8x", _odd(chance, len(frame) + 16), 0xF1FA, _odd(chance, 1, 65535))
    return made.ljust(128, b"\x00") + head + frame


def _head(form: str, *fields: Callable[[random.Random], object], before=b"", body=4000):
    """A header of numbers, and noise after it."""

    def build(chance: random.Random) -> bytes:
        values = [field(chance) for field in fields]
        return before + struct.pack(form, *values) + chance.randbytes(body)

    return build


def _number(sound: int, most: int = 2**32 - 1):
    return lambda chance: _odd(chance, sound, most)


def _text(*lines: str, body: int = 4000):
    """A header of text, whose numbers are odd now and then."""

    def build(chance: random.Random) -> bytes:
        text = "\n".join(lines)
        for name in ("W", "H", "N"):
            text = text.replace(f"<{name}>", str(_odd(chance, 40)))
        return text.encode() + chance.randbytes(body)

    return build


def fits(chance: random.Random) -> bytes:
    cards = ("SIMPLE  = T", f"BITPIX  = {chance.choice((8, 16, 32, -32, -64, 9))}",
             f"NAXIS   = {_odd(chance, 2)}", f"NAXIS1  = {_side(chance)}",
             f"NAXIS2  = {_side(chance)}",
             chance.choice(("COMMENT", "XTENSION= 'BINTABLE'", "ZCMPTYPE= 'GZIP_1'")),
             "END")  # fmt: skip
    return "".join(card.ljust(80) for card in cards).encode().ljust(2880) + bytes(9000)


def iptc(chance: random.Random) -> bytes:
    def field(record, number, content):
        return struct.pack(">BBBH", 0x1C, record, number, len(content)) + content

    size = struct.pack(">H", _side(chance))
    made = field(3, 20, size) + field(3, 30, size) + field(3, 60, b"\x01\x00")
    made += field(3, 65, b"\x00") + field(3, 120, bytes([chance.choice((1, 5, 9))]))
    return made + b"\x1c\x08\x0a" + struct.pack(">H", _odd(chance, 900, 65535)) + bytes(900)


def xpm(chance: random.Random) -> bytes:
    sizes = f"{_side(chance)} {_side(chance)} {_odd(chance, 2)} {_odd(chance, 1)}"
    colours = chance.choice(('"a c #ffffff",\n"b c #000000",', '"a c red",', '"a c None",', ""))
    return f'/* XPM */\nstatic char *a[] = {{\n"{sizes}",\n{colours}\n'.encode() + b'"ab",\n' * 40


def dcx(chance: random.Random) -> bytes:
    """PCX pictures and where each begins."""
    inner = _saved("PCX", ("RGB", "L", "1"))(chance)
    return struct.pack("<IIII", 987654321, _odd(chance, 16), _odd(chance, 16), 0) + inner


def msp(chance: random.Random) -> bytes:
    words = [
        *struct.unpack("<2H", chance.choice((b"DanM", b"LinS"))),
        _side(chance),
        _side(chance),
    ]
    words += [1] * 11
    check = 0
    for word in words:
        check ^= word
    return struct.pack("<16H", *words, check) + chance.randbytes(4000)


def wmf(chance: random.Random) -> bytes:
    box = [chance.choice((0, 0, 40, 32767, -1)) for _ in range(4)]
    if chance.random() < 0.5:
        made = b"\xd7\xcd\xc6\x9a\x00\x00" + struct.pack("<4hH6x", *box, _odd(chance, 72, 65535))
        return made + b"\x01\x00\x09\x00" + bytes(200)
    return struct.pack("<II8i4s", 1, 88, *box, *box, b" EMF") + bytes(200)


_s16 = _number(40, 65535)
_s32 = _number(40)
_RGB, _GREY = ("RGB",), ("L",)
FORMATS: dict[str, Callable[[random.Random], bytes]] = {
    "AVIF": boxes,
    "BLP": _saved("BLP", ("P",), blp_version=("BLP1", "BLP2")),
    "BMP": bmp,
    "BUFR": _head(">4s", lambda chance: b"BUFR"),
    "CUR": icons,
    "DCX": dcx,
    "DIB": lambda chance: bmp(chance)[14:],
    "DDS": _saved("DDS", ("RGB", "RGBA"), pixel_format=(None, "DXT1", "DXT5")),
    "EPS": eps,
    "FITS": fits,
    "FLI": fli,
    "FTEX": _head("<4siIIIIIIII", lambda chance: b"FTEX", _number(1, 99), _s32, _s32, _number(1),
                  _number(1), _number(0), _number(0), _number(48), _number(900)),
    "GBR": _head(">IIIII4sI", _number(29), _number(2), _s32, _s32, _number(4),
                 lambda chance: b"GIMP", _number(0)),
    "GIF": gif,
    "GRIB": _head(">4s3xB", lambda chance: b"GRIB", _number(1, 255)),
    "HDF5": _head("8s", lambda chance: b"\x89HDF\r\n\x1a\n"),
    "ICNS": _saved("ICNS", ("RGBA", "RGB")),
    "ICO": icons,
    "IM": _saved("IM", ("RGB", "L", "P", "1", "I;16")),
    "IMT": _text("* pixels", "width <W>", "height <H>", "pixel n8", "\x0c"),
    "IPTC": iptc,
    "JPEG": jpeg,
    "JPEG2000": boxes,
    "MCIDAS": _head(">64I", *[_number(0), _number(4)] + [_number(n % 7 + 1) for n in range(62)]),
    "MPEG": _head(">IHB", _number(0x000001B3), _s16, _number(40, 255)),
    "MPO": _saved("MPO", _RGB, save_all=(True,), append_images=(True, None)),
    "MSP": msp,
    "PCD": _head("2048s4s1530x2sB", lambda chance: b"", lambda chance: b"PCD_", lambda chance: b"",
                 _number(1, 255), body=300_000),
    "PCX": _saved("PCX", ("RGB", "L", "P", "1")),
    "PIXAR": _head("<4s412xHH4xHH", lambda chance: b"\200\350\000\000", _s16, _s16,
                   _number(14, 65535), _number(2, 65535)),
    "PNG": png,
    "PPM": lambda chance: _text(chance.choice(("P1", "P2", "P3", "P4", "P5", "P6", "Pf", "P7")),
                                "<W> <H>", "<N>")(chance),
    "PSD": psd,
    "QOI": _head(">4sIIBB", lambda chance: b"qoif", _s32, _s32, _number(3, 255), _number(0, 255)),
    "SGI": _head(">HBBHHHHII84s4x404x", _number(474, 474), _number(0, 2), _number(1, 3),
                 _number(3, 65535), _s16, _s16, _number(3, 65535), _number(0), _number(255),
                 lambda chance: b""),
    "SPIDER": _saved("SPIDER", ("F",)),
    "SUN": _head(">IIIIIIII", _number(0x59A66A95), _s32, _s32, _number(24), _number(4800),
                 _number(1), _number(0), _number(0)),
    "TGA": tga,
    "TIFF": tiff,
    "WEBP": riff,
    "WMF": wmf,
    "XBM": _text("#define a_width <W>", "#define a_height <H>", "static char a_bits[] = {",
                 "0x00, 0xff, " * 300, body=9),
    "XPM": xpm,
    "XVTHUMB": _text("P7 332", "#END_OF_COMMENTS", "<W> <H> <N>"),
}  # fmt: skip
