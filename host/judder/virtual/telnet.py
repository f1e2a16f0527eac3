"""Telnet and its COM-PORT-OPTION (RFC 854, RFC 2217): bytes in, events out, and back. No I/O.

Both ends use it: the virtual board's server and the quick client handler. Serial data with a 0xFF in it is doubled on
the wire, so everything else here is found by looking for 0xFF; a chunk without one is passed on whole.
"""

from __future__ import annotations

from dataclasses import dataclass

SE, SB, WILL, WONT, DO, DONT, IAC = 0xF0, 0xFA, 0xFB, 0xFC, 0xFD, 0xFE, 0xFF
BINARY, ECHO, SGA, COM_PORT = 0, 1, 3, 44

# COM-PORT-OPTION, client to server; the server answers with the number + 100.
SET_BAUDRATE, SET_DATASIZE, SET_PARITY, SET_STOPSIZE, SET_CONTROL = 1, 2, 3, 4, 5
NOTIFY_LINESTATE, NOTIFY_MODEMSTATE = 6, 7
SET_LINESTATE_MASK, SET_MODEMSTATE_MASK, PURGE_DATA = 10, 11, 12
FROM_SERVER = 100

# SET_CONTROL values.
FLOW_ASK, FLOW_NONE = 0, 1
DTR_ASK, DTR_ON, DTR_OFF = 7, 8, 9
RTS_ASK, RTS_ON, RTS_OFF = 10, 11, 12
PURGE_RECEIVE, PURGE_TRANSMIT, PURGE_BOTH = 1, 2, 3

MODEM_CTS_DSR_CD = 0x10 | 0x20 | 0x80


@dataclass(frozen=True)
class Data:
    """Serial bytes, undoubled."""

    data: bytes


@dataclass(frozen=True)
class Negotiate:
    """verb: WILL, WONT, DO or DONT."""

    verb: int
    option: int


@dataclass(frozen=True)
class ComPort:
    """A COM-PORT-OPTION subnegotiation."""

    command: int
    value: bytes


Event = Data | Negotiate | ComPort

# Longer subnegotiations do not exist in RFC 2217 (the signature is free text, nobody sends a kilobyte of it).
_LIMIT = 1024


class Decoder:
    """Network bytes as they come -> events in order."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> list[Event]:
        """Events that `data` completed; what is cut off in the middle waits for the next call."""
        if self._rest:
            data, self._rest = self._rest + data, b""
        if IAC not in data:
            return [Data(data)] if data else []
        events: list[Event] = []
        serial = bytearray()
        position = 0
        while position < len(data):
            mark = data.find(IAC, position)
            if mark < 0:
                serial += data[position:]
                break
            serial += data[position:mark]
            position = mark
            if len(data) - mark < 2:
                self._rest = data[mark:]
                break
            verb = data[mark + 1]
            if verb == IAC:
                serial.append(IAC)
                position = mark + 2
                continue
            length = self._command_length(data, mark)
            if length == 0:
                self._rest = data[mark:]
                break
            position = mark + length
            event = _command(data[mark:position])
            if event is not None:
                if serial:
                    events.append(Data(bytes(serial)))
                    serial.clear()
                events.append(event)
        if serial:
            events.append(Data(bytes(serial)))
        return events

    @staticmethod
    def _command_length(data: bytes, mark: int) -> int:
        """Bytes of the command at `mark`, 0 while it is incomplete."""
        verb = data[mark + 1]
        if verb in (WILL, WONT, DO, DONT):
            return 3 if len(data) - mark >= 3 else 0
        if verb != SB:
            return 2
        position = mark + 2
        while True:
            end = data.find(IAC, position)
            if end < 0 or end + 1 >= len(data):
                # Never closed: drop the introducer and carry on, else one bad client fills memory.
                return 2 if len(data) - mark > _LIMIT else 0
            if data[end + 1] == SE:
                return end + 2 - mark
            position = end + 2


def _command(raw: bytes) -> Event | None:
    if raw[1] in (WILL, WONT, DO, DONT):
        return Negotiate(raw[1], raw[2])
    if raw[1] == SB and len(raw) >= 6 and raw[2] == COM_PORT:
        body = raw[3:-2].replace(b"\xff\xff", b"\xff")
        return ComPort(body[0], body[1:])
    return None


def escape(data: bytes) -> bytes:
    """Serial bytes -> network bytes."""
    return data.replace(b"\xff", b"\xff\xff")


def negotiate(verb: int, option: int) -> bytes:
    """IAC WILL/WONT/DO/DONT option."""
    return bytes((IAC, verb, option))


def com_port(command: int, value: bytes) -> bytes:
    """A COM-PORT-OPTION subnegotiation."""
    return bytes((IAC, SB, COM_PORT, command)) + escape(value) + bytes((IAC, SE))
