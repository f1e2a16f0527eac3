"""How records show the rows of the contract, as data: what generators for other languages walk.

    LAYOUT["reading"][8]  -> Field(row=8, name="acceleration_rms_x", attribute="acceleration_rms_mg", part="x", ...)

Everything is derived from judder_core.schema: the unit gives the attribute's suffix, and a row whose meaning says
"index into TABLE", "bits of TABLE" or "major * 10000 + ..." is shown in words. `judder.decode` builds the same records
with code of its own; tests hold the two against each other on every vector and on random messages.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from judder_core import schema

# Unit on air -> end of the attribute's name. None: in words, no unit of its own.
SUFFIX: dict[str, str] = {
    "mm/s": "_mm_s",
    "mg": "_mg",
    "ug": "_ug",
    "degC": "_c",
    "mV": "_mv",
    "s": "_s",
    "Hz": "_hz",
    "mJ": "_mj",
    "dBm": "_dbm",
    "dB": "_db",
    "1": "",
    "bits": "",
    "metric": "",
    "int16 little-endian": "",
}

# How a value is shown.
NUMBER, VERSION, WORD, FLAGS, STATE, METRIC, IN_METRIC, BYTES, SETTINGS = (
    "number",
    "version",
    "word",
    "flags",
    "state",
    "metric",
    "in metric",
    "bytes",
    "settings",
)


@dataclass(frozen=True, slots=True)
class Field:
    """One row. attribute: of the record. part: "x", "y", "z" of Axes; of a spectrum's lists "frequency", "velocity" (a
    line's) and "band"; None where the attribute is one value. words: of a WORD or FLAGS. zero_is_none: 0 is shown as
    None.
    """

    row: int
    name: str
    attribute: str
    part: str | None
    how: str
    divisor: int
    low: int
    high: int
    unit: str
    meaning: str
    words: tuple[str, ...] = ()
    zero_is_none: bool = False


def _field(kind: int, row: int) -> Field:
    name, type_, unit, divisor, low, high, meaning = (schema.fields(kind) or ())[row]
    attribute, part = name, None
    how = NUMBER
    words: tuple[str, ...] = ()
    table = re.match(r"(index into|bits of) ([A-Z_]+)", meaning)
    line = re.fullmatch(r"(line|band)\d+_(frequency|velocity_rms)", name)
    if type_ == "bytes":
        how = BYTES
    elif type_ == "map":
        how = SETTINGS
    elif name == "state":
        how = STATE
    elif unit == "metric":
        how = IN_METRIC
    elif meaning.endswith("METRICS"):
        how = METRIC
    elif "major * 10000 + minor * 100 + patch" in meaning:
        how = VERSION
    elif table:
        how, words = (WORD if table[1] == "index into" else FLAGS), getattr(schema, table[2])
    elif name == "axis":
        how, words = WORD, schema.AXES
    if kind == schema.SPECTRUM and line:
        attribute = "lines" if line[1] == "line" else "bands_velocity_rms" + SUFFIX[unit]
        part = {"frequency": "frequency", "velocity_rms": "velocity"}[line[2]] if line[1] == "line" else "band"
    elif name[-2:] in ("_x", "_y", "_z"):
        attribute, part = name[:-2] + SUFFIX[unit], name[-1]
    else:
        attribute += SUFFIX[unit]
    zero_is_none = how == VERSION and meaning.endswith("0 when absent")
    return Field(row, name, attribute, part, how, divisor, low, high, unit, meaning, words, zero_is_none)


# Name of a kind -> a Field for each row.
LAYOUT: dict[str, tuple[Field, ...]] = {
    name: tuple(_field(kind, row) for row in range(len(rows))) for kind, name, rows in schema.KINDS
}
