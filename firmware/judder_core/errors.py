"""The error tree of the contract; the host's tree grows from the same root.

Local faults (a value this side got wrong) and remote faults (bytes the other side got wrong) are different classes.
Runs on CPython and MicroPython, where a class has at most one built-in base: hence no ValueError beside the root.
Imports nothing.
"""


class JudderError(Exception):
    """Root of every error Judder raises on purpose."""


class EncodeError(JudderError):
    """A value that cannot be sent: wrong type or out of the range its table row allows."""


class DecodeError(JudderError):
    """Bytes that are not a frame of this contract.

    reason: what is wrong, in words. offset: byte it was found at, or None. hex: the frame, at most 64 bytes of it.
    """

    def __init__(self, reason: str, offset: "int | None" = None, data: bytes = b"") -> None:
        self.reason = reason
        self.offset = offset
        self.hex = bytes(data[:64]).hex() + ("..." if len(data) > 64 else "")
        where = "" if offset is None else " at byte %d" % offset
        shown = " in " + self.hex if self.hex else ""
        super().__init__(reason + where + shown)


class SettingsError(JudderError):
    """A setting that is unknown or out of its range. name: the setting, or None when the record itself is wrong.

    key: its number where it is known: an ACK carries it.
    """

    def __init__(self, reason: str, name: "str | None" = None, key: int = 0) -> None:
        self.name = name
        self.key = key
        super().__init__(reason)
