"""judder.cddl: the contract in CDDL (RFC 8610)."""

from __future__ import annotations

from judder_core import cbor, codec, schema

_HEAD = """\
; Judder's messages in CDDL (RFC 8610). Made from the contract by `make generate`.
;
; A message is one array of integers: the kind, then its fields in order of importance. It may end after any of them;
; null stands for a field that is absent in the middle; items after the last are of a newer node. A rule's number is the
; place of its field in the array, from 0.
;
; What CDDL does not say, and a decoder checks: the one deterministic encoding (RFC 8949 section 4.2), at most
; {items} items, {depth} levels and {size} bytes; a zone and an alarm level that exist, no zone in a clipped, lossy or
; faulty reading; a fragment of a capture that lies within it. docs/wire.md has all of it.

message = {kinds} / unknown

; A kind that is not in here: of a newer node.
unknown = [kind: {others}, * item]

; Integers of -2^64..2^64-1; no floats, no tags.
item = int / bstr / tstr / bool / nil / [* item] / {{* (uint / tstr) => item}}

"""


def page() -> str:
    """The whole file."""
    known = {kind for kind, _name, _rows in schema.KINDS}
    parts = [
        _HEAD.format(
            items=cbor.MAX_ITEMS,
            depth=cbor.MAX_DEPTH,
            size=schema.MAX_FRAME_BYTES,
            kinds=" / ".join(name for _kind, name, _rows in schema.KINDS),
            others=" / ".join(_ranges([kind for kind in range(codec.MAX_KIND + 1) if kind not in known])),
        )
    ]
    parts += ["\n".join(_kind(kind, name)) + "\n" for kind, name, _rows in schema.KINDS]
    return "\n".join(part.rstrip("\n") + "\n" for part in parts)


def _ranges(numbers: list[int]) -> list[str]:
    """[1, 2, 3, 9] -> ["1..3", "9"]."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    return [f"{low}..{high}" if low < high else str(low) for low, high in runs]


def _kind(kind: int, name: str) -> list[str]:
    """A rule for each field, which brings those after it along: without one there is none of the next."""
    rows = schema.fields(kind) or ()
    lines = []
    for i, (field, type_, unit, divisor, low, high, meaning) in enumerate(rows):
        wire = {"bytes": f"bstr .size ({low}..{high})", "map": f"{{{low}*{high} uint => int / tstr / bstr}}"}
        form = wire.get(type_, f"{low}..{high}")
        rest = f"? {name}-{i + 2}" if i + 1 < len(rows) else "* item"
        if i == 0:
            spelled = f"{name} = [kind: {kind}, {field}: {form}, {rest}]"
        else:
            spelled = f"{name}-{i + 1} = ({field}: {form} / nil, {rest})"
        scale = "" if (unit, divisor) in (("1", 1), ("bits", 1), ("metric", 1)) else step(unit, divisor)
        lines.append(f"{spelled:<82} ; {scale}{', ' if scale else ''}{meaning}")
    return lines


def step(unit: str, divisor: int) -> str:
    """What one count on air is: ("mm/s", 100) -> "0.01 mm/s"."""
    return f"{1 / divisor:g}" if unit == "1" else f"{1 / divisor:g} {unit}"
