"""judder.js, the payload codec that network servers run, from codec.template.js and the contract's tables.

    source(packed=False)  -> the template with the tables filled in: plain ES5.1, readable
    source(packed=True)   -> the same, what repeats in the tables written once
    shrink(...)           -> the same with short names, by terser (npm)

The tables go in as texts of rows, described at the top of the template.
"""

from __future__ import annotations

import functools
import hashlib
import json
import re
import subprocess
from pathlib import Path

from judder.decode import words
from judder.decode.command import COMMAND_PORT
from judder.errors import InputError
from judder.integrate import layout
from judder.integrate.pack import pack
from judder_core import cbor, codec, schema, settings

TEMPLATE = Path(__file__).with_name("codec.template.js")

# The Things Stack takes 40,960 bytes of script, but ChirpStack compiles it anew for every uplink.
MAX_BYTES = 8192

# What may stand in the texts; the class is that of the template's unpack(). Everything else can stand for a piece.
_TEXT = " C,-;_a-z|"
_LETTERS = "".join(
    letter for letter in map(chr, range(0x21, 0x7F)) if not re.match(f"[{_TEXT}]", letter) and letter not in "'^\\"
)

_LINE = 108

_BYTES_OF = {0xFF: "1", 0xFFFF: "2", 0xFFFFFFFF: "4"}
_PARTS = {None: "", "frequency": "f", "velocity": "v", "band": "b"}
_MAJOR_TYPES = {layout.BYTES: "2", layout.SETTINGS: "5"}


def _range(low: int, high: int) -> str:
    return _BYTES_OF[high] if low == 0 and high in _BYTES_OF else f"{low},{high}"


def _how(field: layout.Field) -> str:
    if field.how == layout.NUMBER:
        return "" if field.divisor == 1 else str(field.divisor)
    if field.how == layout.METRIC:
        names = [f"{name}:{unit}:{divisor}" for _number, name, unit, divisor in schema.METRICS]
        return ",".join(["m", *names])
    letter = {
        layout.VERSION: "v0" if field.zero_is_none else "v",
        layout.WORD: "w",
        layout.FLAGS: "g",
        layout.STATE: "s",
        layout.IN_METRIC: "d",
    }.get(field.how, "")
    flags = words.STATE_ATTRIBUTES[words.STATE_FLAGS_AT :]
    return letter + ",".join(flags if field.how == layout.STATE else field.words)


def rows(name: str) -> str:
    """The rows of a kind as text."""
    merged: list[list[str]] = []
    for field in layout.LAYOUT[name]:
        part = _PARTS.get(field.part, field.part or "")
        row = [_range(field.low, field.high), _how(field), _MAJOR_TYPES.get(field.how, "")]
        spelled = ";".join(row).rstrip(";")
        if merged and part and merged[-1][0] == field.attribute and merged[-1][2] == spelled:
            merged[-1][1] += part
        else:
            merged.append([field.attribute, part, spelled])
    return "|".join([name, *(f"{name}{'.' + parts if parts else ''};{row}" for name, parts, row in merged)])


def setting_rows() -> str:
    """The settings as text. Raises InputError for a setting the codec has no form for."""
    out = []
    previous = 0
    for key, name, kind, low, high, _default, secret, _meaning in settings.SETTINGS:
        form = ""
        if key not in settings.OVER_THE_AIR_REFUSED:
            if kind == "choice" and isinstance(low, tuple):
                form = " w" + ",".join(low)
            elif kind == "int" and isinstance(low, int):
                form = " " + _range(low, high)
            elif kind == "text" and low == 0:
                form = f" t{high}"
            else:
                raise InputError(f"setting {name}: codec.template.js cannot send {kind}")
        out.append(("" if key == previous + 1 else str(key)) + name + ("-" if secret else "") + form)
        previous = key
    return "|".join(out)


def _quoted(text: str) -> str:
    """A string of JavaScript, over as many lines as its rows need."""
    lines = [""]
    for row in text.replace("\\", "\\\\").split("|"):
        if lines[-1] and len(lines[-1]) + len(row) > _LINE:
            lines.append("")
        lines[-1] += row + "|"
    lines[-1] = lines[-1][:-1]
    return " +\n    ".join(f"'{line}'" for line in lines)


@functools.cache
def source(packed: bool) -> str:
    """The codec before it is made small."""
    texts = [*(rows(name) for _kind, name, _rows in schema.KINDS), setting_rows()]
    pieces: list[str] = []
    if packed:
        texts, pieces = pack(texts, _LETTERS)
    kinds = [f"{kind}: {_quoted(text)}" for (kind, _name, _rows), text in zip(schema.KINDS, texts[:-1], strict=True)]
    fill = {
        "KINDS": ",\n    ".join(kinds),
        "SETTINGS": _quoted(texts[-1]),
        "PIECES": _quoted("^".join(pieces)),
        "UNPACK": "unpack" if packed else "",
        "LETTERS": _quoted(_LETTERS[: len(pieces)]),
        "MAX_ITEMS": cbor.MAX_ITEMS,
        "DEEPEST": cbor.MAX_DEPTH - 1,
        "MAX_FRAME_BYTES": schema.MAX_FRAME_BYTES,
        "MAX_KIND": codec.MAX_KIND,
        "ZONE_MASK": schema.STATE_ZONE_MASK,
        "ALARM_SHIFT": schema.STATE_ALARM_SHIFT,
        "ALARM_MASK": schema.STATE_ALARM_MASK,
        "AXIS_SHIFT": schema.STATE_AXIS_SHIFT,
        "AXIS_MASK": schema.STATE_AXIS_MASK,
        "NO_ZONE": schema.STATE_CLIPPED | schema.STATE_LOST | schema.STATE_SENSOR_FAULT,
        "LAST_ZONE": len(schema.ZONES) - 1,
        "LAST_LEVEL": len(schema.ALARM_LEVELS) - 1,
        "ZONES": "".join(schema.ZONES[1:]),
        "AXES": "".join(schema.AXES[1:]),
        "LEVELS": json.dumps(schema.ALARM_LEVELS),
        "FIRST_FLAG": schema.STATE_CLIPPED,
        "ACTIONS": json.dumps(schema.COMMAND_ACTIONS),
        "REQUESTS": json.dumps(schema.REQUESTS),
        "COMMAND_PORT": COMMAND_PORT,
        "COMMAND": schema.COMMAND,
        # A frame may hold an empty map; encode_command() makes none.
        "SETTINGS_RANGE": f"1,{schema.COMMAND_FIELDS[3][5]}",
    }
    text = TEMPLATE.read_text(encoding="utf-8")
    if not packed:
        text = re.sub(r"^ *// only packed\n(.*\n)*? *// end\n", "", text, flags=re.MULTILINE)
    return re.sub(r"\$([A-Z_]+)", lambda name: str(fill[name[1]]), text)


def digest(text: str) -> str:
    """What the first line of judder.js names its source by."""
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def shrink(text: str, terser: Path) -> str:
    """judder.js. terser: its bin/terser. Raises InputError where it or Node is missing or fails, or makes too much."""
    options = ["--compress", "ecma=5,passes=3", "--mangle", "--ecma", "5"]
    try:
        done = subprocess.run(
            ["node", terser, *options], input=text, capture_output=True, text=True, timeout=60, check=True
        )
    except FileNotFoundError as error:
        raise InputError("judder.js is made small by terser: install Node.js 18 or newer and run this again") from error
    except subprocess.CalledProcessError as error:
        raise InputError(f"terser failed: {error.stderr.strip()}") from error
    head = f"// Judder's payload codec (TS013, ES5.1), by `make generate` from {digest(text)}. Fields: docs/wire.md\n"
    made = head + done.stdout
    if len(made.encode()) > MAX_BYTES:
        raise InputError(
            f"judder.js has {len(made.encode())} bytes, {MAX_BYTES} are allowed: shorten codec.template.js"
        )
    return made
