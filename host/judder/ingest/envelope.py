"""What the envelopes of servers have in common: JSON, base64, RFC 3339 times, EUIs, data rates.

What a payload needs is checked and refused with InputError; what is said about its link is left out where it is not as
expected, so that it never costs a payload.
"""

from __future__ import annotations

import binascii
import functools
import json
import math
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from judder import flow
from judder.errors import InputError

# With msgspec (the extra `gateway`) at a third of the price. What it refuses goes to the standard library, which
# decides; so results do not depend on it, and tests hold the two against each other.
_quick: Callable[[bytes], Any] | None
try:
    import msgspec

    _quick = msgspec.json.Decoder().decode
except ImportError:
    _quick = None

Body = bytes | bytearray | memoryview | str | Mapping[str, Any]

MAX_COUNTER = (1 << 32) - 1
# Where the seventh digit of a second stands in an RFC 3339 text.
_SEVENTH = len("2026-07-18T09:34:15.123456")
_HEX = re.compile(r"[0-9a-fA-F]+")
_BETWEEN_HEX = re.compile(r"0[xX]|[\s:,;-]")
_SURROGATE = re.compile(r"\\u[dD][89abAB]")


def load(body: Body) -> Mapping[str, Any]:
    """A JSON object. Broken UTF-8 in some name does not cost a payload: it becomes U+FFFD, and half of a surrogate pair
    a question mark. Raises InputError."""
    if isinstance(body, Mapping):
        return body
    if _quick is not None and isinstance(body, bytes):
        try:
            value = _quick(body)
        except (ValueError, RecursionError):  # msgspec's errors are ValueErrors
            value = None
        if isinstance(value, dict):
            return value
    text = (body if isinstance(body, str) else bytes(body).decode("utf-8", "replace")).removeprefix("\ufeff")
    try:
        value = json.loads(text)
        if "\\u" in text and _SURROGATE.search(text):
            value = json.loads(json.dumps(value, ensure_ascii=False).encode("utf-8", "replace"))
    except RecursionError:
        raise InputError("not an event: JSON nested too deeply") from None
    except ValueError as error:
        raise InputError(f"not JSON ({error}): {shown(text)}") from None
    if not isinstance(value, dict):
        raise InputError(f"a JSON object is expected: {shown(text)}")
    return value


def shown(text: str) -> str:
    """The beginning of a text, for a message of one line."""
    return repr(text if len(text) <= 60 else text[:57] + "...")


def payload(text: object, key: str) -> bytes:
    """Bytes of a base64 text, either alphabet, padding optional; none for None. Raises InputError."""
    if text is None:
        return b""
    if not isinstance(text, str):
        raise InputError(f"{key}: a text is expected, not {type(text).__name__}")
    try:
        return binascii.a2b_base64(text, strict_mode=True)
    except ValueError:
        return from_base64(text)


def from_base64(text: str) -> bytes:
    """As payload(), spaces and line ends allowed; no bytes are no payload. Raises InputError."""
    letters = "".join(text.split()).replace("-", "+").replace("_", "/").rstrip("=")
    try:
        if letters:
            return binascii.a2b_base64(letters + "=" * (-len(letters) % 4), strict_mode=True)
    except ValueError:
        pass
    raise InputError(f"not base64: {shown(text)}")


def hex_or_base64(text: str) -> bytes:
    """Bytes of one payload in hex (spaces, colons and 0x allowed) or base64 (either alphabet, padding optional).

    The two cannot be mistaken for each other: a message starts with a byte of 0x80..0x9f, and base64 of that starts
    with a letter of g..n, which is no hex digit. Raises InputError.
    """
    digits = _BETWEEN_HEX.sub("", text)
    if _HEX.fullmatch(digits):
        if len(digits) % 2:
            raise InputError(f"an odd number of hex digits ({len(digits)}): {shown(text.strip())}")
        return bytes.fromhex(digits)
    try:
        return from_base64(text)
    except InputError:
        raise InputError(f"not hex or base64: {shown(text.strip())}") from None


@functools.lru_cache(maxsize=1 << 16)
def node_id(text: str) -> str:
    """flow.node_id, remembered: a gateway hears the same nodes again and again."""
    return flow.node_id(text)


def unix_s(text: str) -> float:
    """Unix time of an RFC 3339 text, rounded to the microsecond; without an offset it is UTC.

    Raises ValueError, or OverflowError at the end of the year 9999.
    """
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = datetime.fromisoformat(text.upper())
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    if len(text) > _SEVENTH and "5" <= text[_SEVENTH] <= "9" and text[_SEVENTH - 7] == ".":  # Python cuts it off
        moment += timedelta(microseconds=1)
    return moment.timestamp()


def arrival(times: tuple[object, ...], received_at: float | None) -> float:
    """The first of the times that is one, else received_at. Raises InputError where there is none."""
    for text in times:
        if isinstance(text, str) and text:
            try:
                return unix_s(text)
            except (ValueError, OverflowError):
                continue
    if received_at is None:
        raise InputError("the event says no time; hand in received_at")
    return received_at


def counter(value: object, key: str) -> int:
    """A LoRaWAN counter; servers leave a zero out. Raises InputError."""
    if value is None:
        return 0
    if type(value) is not int or not 0 <= value <= MAX_COUNTER:
        raise InputError(f"{key}: a number of 0..{MAX_COUNTER} is expected, not {value!r:.40}")
    return value


def port(value: object, key: str) -> int:
    """FPort; servers leave a zero out. Raises InputError."""
    if value is None:
        return 0
    if type(value) is not int or not 0 <= value <= 255:
        raise InputError(f"{key}: a port of 0..255 is expected, not {value!r:.40}")
    return value


# About the link, from here on.


def number(value: object) -> float | None:
    """A finite number, else None."""
    if type(value) is float or type(value) is int:
        try:
            found = float(value)
        except OverflowError:
            return None
        return found if math.isfinite(found) else None
    return None


def word(value: object) -> str | None:
    """A text that says something, else None."""
    return value if isinstance(value, str) and value else None


def table(value: object) -> Mapping[str, Any]:
    """An object, else an empty one."""
    return value if isinstance(value, dict) else {}


def tags(value: object) -> dict[str, str]:
    """Names and texts; a value that is no text is left out."""
    return {name: text for name, text in value.items() if isinstance(text, str)} if isinstance(value, dict) else {}


def best(heard: object) -> Mapping[str, Any]:
    """Of the gateways that heard an uplink, the one with the best SNR, then RSSI; empty where none is named."""
    if not isinstance(heard, list):
        return {}
    if len(heard) == 1:
        return table(heard[0])
    copies = [copy for copy in heard if isinstance(copy, dict)]
    return max(copies, key=_quality, default={})


def _quality(copy: Mapping[str, Any]) -> tuple[float, float]:
    rssi = number(copy.get("rssi"))
    return number(copy.get("snr")) or 0.0, -math.inf if rssi is None else rssi


def link(copy: Mapping[str, Any], *, is_lora: bool) -> tuple[float | None, float | None]:
    """(RSSI, SNR) of one gateway. Servers leave an SNR of 0 out; FSK has none."""
    rssi = number(copy.get("rssi"))
    if rssi is None or not is_lora:
        return rssi, None
    snr = copy.get("snr")
    return rssi, 0.0 if snr is None else number(snr)


@functools.lru_cache(maxsize=256)
def lora_rate(spreading: int, bandwidth_hz: int) -> str:
    """As "SF7BW125"."""
    return f"SF{spreading}BW{bandwidth_hz // 1000}"


def lora(spreading: object, bandwidth_hz: object) -> str | None:
    """lora_rate where both are numbers, else None."""
    if type(spreading) is int and type(bandwidth_hz) is int:
        return lora_rate(spreading, bandwidth_hz)
    return None


def fsk(rate_bit_s: object) -> str | None:
    """As "FSK50", else None."""
    return f"FSK{rate_bit_s // 1000}" if type(rate_bit_s) is int else None


def hertz(value: object) -> int | None:
    """A frequency as a number, or a text of digits."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 12:
        value = int(value)
    return value if type(value) is int and value > 0 else None
