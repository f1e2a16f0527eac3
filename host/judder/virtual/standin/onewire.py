# onewire as MicroPython's frozen module offers it, over the socket: a reset pulse, bits and bytes on a pin's line.
# Durations are those of the slots (60 us and a gap) and of the reset sequence.
import struct

import _bus
import _clock
import _wire

_RESET_US = 960
_SLOT_US = 70


class OneWireError(Exception):
    pass


class OneWire:
    SEARCH_ROM = 0xF0
    MATCH_ROM = 0x55
    SKIP_ROM = 0xCC

    def __init__(self, pin):
        self.pin = pin

    def reset(self, required=False):
        present = bool(_bus.call(_wire.OW_RESET, bytes((self.pin.id,)))[0])
        _clock.advance(_RESET_US)
        if required and not present:
            raise OneWireError
        return present

    def _get(self, bits):
        value = _bus.call(_wire.OW_READ, bytes((self.pin.id, bits)))[0]
        _clock.advance(bits * _SLOT_US)
        return value

    def _put(self, bits, value):
        _bus.post(_wire.OW_WRITE, bytes((self.pin.id, bits, value)))
        _clock.advance(bits * _SLOT_US)

    def readbit(self):
        return self._get(1)

    def readbyte(self):
        return self._get(8)

    def readinto(self, buf):
        for i in range(len(buf)):
            buf[i] = self._get(8)

    def writebit(self, value):
        self._put(1, value & 1)

    def writebyte(self, value):
        self._put(8, value)

    def write(self, buf):
        for value in buf:
            self._put(8, value)

    def select_rom(self, rom):
        self.reset()
        self.writebyte(self.MATCH_ROM)
        self.write(rom)

    def crc8(self, data):
        crc = 0
        for value in data:
            for _ in range(8):
                odd = (crc ^ value) & 1
                crc >>= 1
                value >>= 1
                if odd:
                    crc ^= 0x8C
        return crc

    def scan(self):
        # Search ROM: at each of 64 places the chips say bit and complement; where both appear, both ways are gone.
        found = []
        ways = [0]
        while ways:
            path = ways.pop()
            rom = self._search(path, ways)
            if rom is not None:
                found.append(rom)
        return found

    def _search(self, path, ways):
        # path: the bits to choose at forks, lowest place first, above a 1 that says how many are given.
        if not self.reset():
            return None
        self.writebyte(self.SEARCH_ROM)
        chosen = 0
        for place in range(64):
            bit = self.readbit()
            complement = self.readbit()
            if bit and complement:
                return None
            if not bit and not complement:
                bit = path >> place & 1
                if not bit and place > self._fixed(path):
                    ways.append(chosen | 1 << place | 1 << 64 + place)
            chosen |= bit << place
            self.writebit(bit)
        return bytearray(struct.pack("<II", chosen & 0xFFFFFFFF, chosen >> 32))

    def _fixed(self, path):
        # The last place where the path was chosen for us; -1 for the first search.
        mark = path >> 64
        place = -1
        while mark:
            mark >>= 1
            place += 1
        return place
