"""The part of CBOR that Judder speaks: deterministic encoder, strict and bounded decoder.

Values: integers of -2^64..2^64-1, byte strings, text, true, false, null, arrays, and maps whose keys are integers of
0 or more or text. The encoder writes the one deterministic form (RFC 8949 section 4.2.1: shortest heads, definite
lengths, map keys in bytewise order of their encoding); the decoder accepts that form and nothing else, so a value has
exactly one spelling and bytes after the end are an error. Floats, tags, undefined and other simple values are refused:
the contract sends scaled integers.

Runs on CPython and MicroPython (dicts have no order there, hence the sort).
"""

import struct

from judder_core.errors import DecodeError, EncodeError

# Limits on both sides, so that what one end sends the other can read without fear of a hostile frame.
MAX_DEPTH = 4
MAX_ITEMS = 256

_UINT, _NEGATIVE, _BYTES, _TEXT, _ARRAY, _MAP, _TAG, _SIMPLE = range(8)


# --- encoder: size first, then one buffer of exactly that size


def head_size(argument: int) -> int:
    """Bytes of an item's head that carries this argument (RFC 8949 section 3)."""
    if argument < 24:
        return 1
    if argument < 0x100:
        return 2
    if argument < 0x10000:
        return 3
    if argument < 0x100000000:
        return 5
    if argument < 0x10000000000000000:
        return 9
    raise EncodeError("integer outside -2^64..2^64-1")


def size(value: object, depth: int = 0) -> int:
    """Bytes `value` takes. Raises EncodeError for what cannot be sent."""
    if value is None or value is True or value is False:
        return 1
    if isinstance(value, int):
        return head_size(value if value >= 0 else -1 - value)
    if isinstance(value, (bytes, bytearray)):
        return head_size(len(value)) + len(value)
    if isinstance(value, str):
        try:
            length = len(value.encode())
        except UnicodeError:
            raise EncodeError("a text that is not Unicode cannot be sent")
        return head_size(length) + length
    if not isinstance(value, (list, tuple, dict)):
        raise EncodeError("a %s cannot be sent" % type(value).__name__)
    if depth >= MAX_DEPTH:
        raise EncodeError("nested deeper than %d" % MAX_DEPTH)
    total = head_size(len(value))
    if isinstance(value, dict):
        for key in value:
            if not _good_key(key):
                raise EncodeError("a map key is an integer of 0 or more or a text, not %r" % (key,))
            total += size(key) + size(value[key], depth + 1)
    else:
        for item in value:
            total += size(item, depth + 1)
    return total


def put_head(buffer: bytearray, at: int, major: int, argument: int) -> int:
    """Write an item's head at `at`; returns where the next byte goes."""
    major <<= 5
    if argument < 24:
        buffer[at] = major | argument
        return at + 1
    if argument < 0x100:
        buffer[at] = major | 24
        buffer[at + 1] = argument
        return at + 2
    if argument < 0x10000:
        buffer[at] = major | 25
        buffer[at + 1] = argument >> 8
        buffer[at + 2] = argument & 0xFF
        return at + 3
    if argument < 0x100000000:
        buffer[at] = major | 26
        struct.pack_into(">I", buffer, at + 1, argument)
        return at + 5
    buffer[at] = major | 27
    struct.pack_into(">Q", buffer, at + 1, argument)
    return at + 9


def put(buffer: bytearray, at: int, value: object) -> int:
    """Write a value whose size() has been taken; returns where the next byte goes."""
    if value is None:
        buffer[at] = 0xF6
        return at + 1
    if value is True or value is False:
        buffer[at] = 0xF5 if value else 0xF4
        return at + 1
    if isinstance(value, int):
        if value >= 0:
            return put_head(buffer, at, _UINT, value)
        return put_head(buffer, at, _NEGATIVE, -1 - value)
    if isinstance(value, (bytes, bytearray)):
        at = put_head(buffer, at, _BYTES, len(value))
        buffer[at : at + len(value)] = value
        return at + len(value)
    if isinstance(value, str):
        text = value.encode()
        at = put_head(buffer, at, _TEXT, len(text))
        buffer[at : at + len(text)] = text
        return at + len(text)
    if isinstance(value, dict):
        at = put_head(buffer, at, _MAP, len(value))
        for key in sorted(value, key=encode):
            at = put(buffer, at, key)
            at = put(buffer, at, value[key])
        return at
    if isinstance(value, (list, tuple)):
        at = put_head(buffer, at, _ARRAY, len(value))
        for item in value:
            at = put(buffer, at, item)
        return at
    raise EncodeError("a %s cannot be sent" % type(value).__name__)


def encode(value: object) -> bytes:
    """Deterministic CBOR of a value. Raises EncodeError for what cannot be sent."""
    buffer = bytearray(size(value))
    put(buffer, 0, value)
    return bytes(buffer)


def _good_key(key: object) -> bool:
    if isinstance(key, int):
        return not isinstance(key, bool) and key >= 0
    return isinstance(key, str)


# --- decoder


class Reader:
    """Walks the items of one frame. `at` is the offset of the next byte.

    Every refusal is a DecodeError with the offset of the item's first byte, or, where the frame ends early, of the byte
    that is missing.
    """

    def __init__(self, data: bytes, max_depth: int = MAX_DEPTH, max_items: int = MAX_ITEMS) -> None:
        self.data = data if isinstance(data, bytes) else bytes(data)
        self.at = 0
        self.argument = 0
        self._max_depth = max_depth
        self._max_items = max_items
        self._items = 0

    def fail(self, reason: str, at: "int | None" = None) -> DecodeError:
        return DecodeError(reason, self.at if at is None else at, self.data)

    def head(self) -> int:
        """Major type of the next item; its argument goes to `argument`, of a simple value the value itself."""
        data = self.data
        start = self.at
        if start >= len(data):
            raise self.fail("the frame ends early" if start else "the frame is empty")
        self._items += 1
        if self._items > self._max_items:
            raise self.fail("more than %d items" % self._max_items)
        major = data[start] >> 5
        info = data[start] & 31
        if info == 31 and major >= _BYTES and major != _TAG:
            raise self.fail("a break with nothing to end" if major == _SIMPLE else "indefinite lengths are not allowed")
        if info > 27:
            raise self.fail("reserved additional information %d" % info)
        if major == _TAG:
            raise self.fail("tags are not allowed")
        if major == _SIMPLE and info > 24:
            raise self.fail("floating-point numbers are not allowed")
        if info < 24:
            self.at = start + 1
            self.argument = info
            return major
        width = 1 << (info - 24)
        if start + 1 + width > len(data):
            raise self.fail("the frame ends early", len(data))
        argument = 0
        for i in range(start + 1, start + 1 + width):
            argument = argument << 8 | data[i]
        if major != _SIMPLE and head_size(argument) != 1 + width:
            raise self.fail("an integer or a length is not in its shortest form")
        self.at = start + 1 + width
        self.argument = argument
        return major

    def count(self, start: int, per_entry: int) -> int:
        """The argument as a number of entries, each of which takes at least `per_entry` bytes."""
        count = self.argument
        if self._items + count * per_entry > self._max_items:
            raise self.fail("more than %d items" % self._max_items, start)
        if count * per_entry > len(self.data) - self.at:
            raise self.fail("the frame ends early", len(self.data))
        return count

    def span(self) -> bytes:
        """The next `argument` bytes."""
        start = self.at
        if self.argument > len(self.data) - start:
            raise self.fail("the frame ends early", len(self.data))
        self.at = start + self.argument
        return self.data[start : self.at]

    def item(self, depth: int = 0) -> "object":
        """Value of the next item and all it holds. depth: containers already around it."""
        start = self.at
        major = self.head()
        if major == _UINT:
            return self.argument
        if major == _NEGATIVE:
            return -1 - self.argument
        if major == _BYTES:
            return self.span()
        if major == _TEXT:
            text = self.span()
            if not is_utf8(text):
                raise self.fail("a text is not UTF-8", start)
            return str(text, "utf-8")
        if major == _SIMPLE:
            return self._simple(start)
        if depth >= self._max_depth:
            raise self.fail("nested deeper than %d" % self._max_depth, start)
        if major == _ARRAY:
            return [self.item(depth + 1) for _ in range(self.count(start, 1))]
        return self._map(self.count(start, 2), depth + 1)

    def end(self) -> None:
        """Refuse bytes that are left over."""
        if self.at != len(self.data):
            raise self.fail("bytes after the end of the message")

    def _simple(self, start: int) -> "bool | None":
        # In two bytes a value below 32 is not well-formed (RFC 8949 section 3.3).
        if self.at == start + 1:
            if self.argument == 22:
                return None
            if self.argument == 20 or self.argument == 21:
                return self.argument == 21
            if self.argument == 23:
                raise self.fail("undefined is not allowed", start)
        raise self.fail("simple value %d is not allowed" % self.argument, start)

    def _map(self, count: int, depth: int) -> "dict[object, object]":
        value = {}
        previous = b""
        for _ in range(count):
            start = self.at
            key = self.item(depth)
            if not _good_key(key):
                raise self.fail("a map key is neither an integer of 0 or more nor a text", start)
            spelled = self.data[start : self.at]
            if spelled == previous:
                raise self.fail("a map key is there twice", start)
            if spelled < previous:
                raise self.fail("map keys are out of order", start)
            previous = spelled
            value[key] = self.item(depth)
        return value


def decode(data: bytes, max_depth: int = MAX_DEPTH, max_items: int = MAX_ITEMS) -> object:
    """The one value `data` holds; all of it, nothing after it.

    max_depth: containers within one another. max_items: items of every level together, map keys counted.
    Raises DecodeError (reason, offset, hex) for anything that is not deterministic CBOR of the kinds above.
    """
    reader = Reader(data, max_depth, max_items)
    value = reader.item()
    reader.end()
    return value


def is_utf8(data: bytes) -> bool:
    """Whether bytes are well-formed UTF-8 (RFC 3629: no overlong form, no surrogate, nothing above U+10FFFF).

    Written out because MicroPython's own check is laxer than CPython's, and both ends must agree.
    """
    i = 0
    end = len(data)
    while i < end:
        first = data[i]
        i += 1
        if first < 0x80:
            continue
        if 0xC2 <= first <= 0xDF:
            more, low, high = 1, 0x80, 0xBF
        elif 0xE0 <= first <= 0xEF:
            more, low, high = 2, 0xA0 if first == 0xE0 else 0x80, 0x9F if first == 0xED else 0xBF
        elif 0xF0 <= first <= 0xF4:
            more, low, high = 3, 0x90 if first == 0xF0 else 0x80, 0x8F if first == 0xF4 else 0xBF
        else:
            return False
        for _ in range(more):
            if i >= end or not low <= data[i] <= high:
                return False
            low, high = 0x80, 0xBF
            i += 1
    return True
