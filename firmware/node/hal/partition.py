"""Raw flash partitions: read any span, program without erasing, erase by the sector. No file system, no wear levelling.

cfg = find("cfg"); cfg.read(0, 16); cfg.erase(1); cfg.program(4096, data)
"""

import esp32

SECTOR_BYTES = 4096

_ERASE = 6  # block-device ioctl of MicroPython: erase one block
_COUNT = 4  # number of blocks


class Raw:
    """One partition. Offsets count from its start, in bytes."""

    def __init__(self, partition):
        self._partition = partition
        self.size = partition.ioctl(_COUNT, 0) * SECTOR_BYTES

    def read(self, offset: int, length: int) -> bytearray:
        """`length` bytes at `offset`."""
        buffer = bytearray(length)
        self._partition.readblocks(offset // SECTOR_BYTES, buffer, offset % SECTOR_BYTES)
        return buffer

    def erase(self, sector: int) -> None:
        """All ones in sector `sector` of the partition."""
        self._partition.ioctl(_ERASE, sector)

    def program(self, offset: int, data) -> None:
        """Clear bits: what is there AND `data`. The three-argument call is the one that does not erase first."""
        self._partition.writeblocks(offset // SECTOR_BYTES, data, offset % SECTOR_BYTES)


def find(label: str):
    """The data partition of that name. OSError when the partition table has none."""
    found = esp32.Partition.find(esp32.Partition.TYPE_DATA, label=label)
    if not found:
        raise OSError("no partition '%s' on this board; flash it again with judder" % label)
    return Raw(found[0])
