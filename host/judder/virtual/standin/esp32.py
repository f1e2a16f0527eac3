# esp32.Partition over the flash file, with the rules of a NOR flash: erase sets a 4 KB sector to ones, programming
# only clears bits. Losing power can be made to happen at any erase or program.
import struct

import _bus
import _wire

SECTOR = 4096
WAKEUP_ALL_LOW = False
WAKEUP_ANY_HIGH = True

_file = None
_table = []
_running = None
_cut_after = 0  # the flash operation at which power goes, 1 is the next one; 0 never
_cut_mode = ""
_operations = 0
_ONES = b"\xff" * SECTOR


def setup(file, config):
    global _file, _table, _cut_after, _cut_mode, _running
    _file = file
    _cut_after, _cut_mode = config["cut_after"], config["cut_mode"]
    _table = _read_table()
    for entry in _table:
        if entry[0] == 0:
            _running = entry
            break


def _read(offset, view):
    _file.seek(offset)
    done = 0
    while done < len(view):
        k = _file.readinto(view[done:])
        if not k:
            raise OSError(5)
        done += k


def _put(offset, view):
    _file.seek(offset)
    while len(view):
        view = view[_file.write(view) :]


def _read_table():
    raw = bytearray(0xC00)
    _read(0x8000, memoryview(raw))
    table = []
    for at in range(0, len(raw), 32):
        magic, kind, subtype, offset, size, label, flags = struct.unpack("<HBBII16sI", raw[at : at + 32])
        if magic != 0x50AA:
            break
        table.append((kind, subtype, offset, size, label.split(b"\0")[0].decode(), bool(flags & 1)))
    return table


def _last():
    """Count a flash operation; True if power goes at this one."""
    global _operations
    _operations += 1
    if _operations != _cut_after:
        return False
    if _cut_mode == "drop":
        _bus.call(_wire.POWER_CUT)
    return True


def _note(kind, offset, count, over):
    _bus.post(_wire.FLASH_OP, struct.pack("<BIII", kind, offset, count, over))
    _bus.flush()


def _erase(offset):
    last = _last()
    _note(0, offset, SECTOR, 0)
    # A torn erase: the sector is neither what it was nor blank.
    _put(offset, memoryview(_ONES)[: SECTOR // 2 if last and _cut_mode == "torn" else SECTOR])
    if last:
        _bus.call(_wire.POWER_CUT)


def _program(offset, view):
    n = len(view)
    if not n:
        return
    last = _last()
    if last and _cut_mode == "torn":
        # Half of it, and the last byte of that half not fully programmed.
        n = max(1, n // 2)
        torn = bytearray(view[:n])
        torn[n - 1] |= 0x0F
        view = memoryview(torn)
    old = bytearray(n)
    _read(offset, memoryview(old))
    over = 0
    if old == _ONES[:n] if n <= SECTOR else old == b"\xff" * n:
        _put(offset, view)
    else:
        for i in range(n):
            want = view[i]
            got = old[i] & want
            if got != want and want != 0xFF:
                over += 1
            old[i] = got
        _put(offset, memoryview(old))
    _note(1, offset, n, over)
    if last:
        _bus.call(_wire.POWER_CUT)


class Partition:
    TYPE_APP = 0
    TYPE_DATA = 1
    BOOT = 0
    RUNNING = 1

    def __init__(self, which, block_size=SECTOR):
        if which in (Partition.BOOT, Partition.RUNNING):
            entry = _running
        else:
            entry = None
            for e in _table:
                if e[4] == which:
                    entry = e
                    break
        if entry is None:
            raise OSError(2)
        self._set(entry, block_size)

    def _set(self, entry, block_size):
        self._entry = entry
        self._base = entry[2]
        self._size = entry[3]
        self._block = block_size

    @staticmethod
    def find(type=TYPE_APP, subtype=0xFF, label=None, block_size=SECTOR):
        found = []
        for e in _table:
            if e[0] == type and subtype in (0xFF, e[1]) and label in (None, e[4]):
                found.append(Partition(e[4], block_size))
        return found

    def info(self):
        return self._entry

    def __repr__(self):
        return "<Partition type=%d, subtype=%d, address=%d, size=%d, label=%s, encrypted=%d>" % self._entry

    def _span(self, block, count, offset):
        at = block * self._block + offset
        if at < 0 or at + count > self._size:
            raise OSError(-260, "ESP_ERR_INVALID_SIZE")
        return self._base + at

    def readblocks(self, block, buf, offset=0):
        view = memoryview(buf)
        _read(self._span(block, len(view), offset), view)

    def writeblocks(self, block, buf, offset=None):
        view = memoryview(buf)
        at = self._span(block, len(view), offset or 0)
        if offset is None:
            # Without an offset: erase, then program, sector by sector.
            if at % SECTOR or len(view) % SECTOR:
                raise OSError(-258, "ESP_ERR_INVALID_ARG")
            for i in range(0, len(view), SECTOR):
                _erase(at + i)
        for i in range(0, len(view), SECTOR):
            _program(at + i, view[i : i + SECTOR])

    def ioctl(self, op, arg=0):
        if op in (1, 2, 3):
            return 0
        if op == 4:
            return self._size // self._block
        if op == 5:
            return self._block
        if op == 6:
            if self._block != SECTOR:
                return -22
            _erase(self._span(arg, SECTOR, 0))
            return 0
        return None


def raw_temperature():
    # Degrees Fahrenheit, of the die; the classic ESP32 only.
    return 128


def mcu_temperature():
    # Degrees Celsius, of the die; the newer chips.
    return 42
