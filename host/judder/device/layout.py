"""The partition layout as data (DESIGN section 3): our table over the stock one, the same application at 0x10000.

nvs, phy_init and factory stay where the stock MicroPython image expects them. `ring` takes what a larger flash leaves.
"""

from __future__ import annotations

from dataclasses import dataclass

from judder.errors import BoardError

SECTOR_BYTES = 4096
TABLE_OFFSET = 0x8000
MINIMUM_FLASH_BYTES = 4 << 20

TYPE_APP, TYPE_DATA = 0, 1
SUBTYPE_FACTORY = 0x00
SUBTYPE_PHY, SUBTYPE_NVS = 0x01, 0x02
SUBTYPE_RAW = 0x40  # cfg and ring: first of the numbers ESP-IDF leaves to applications
SUBTYPE_VFS = 0x81  # "fat" to ESP-IDF; MicroPython mounts it whatever is inside
SUBTYPE_SLOT = 0x82


@dataclass(frozen=True)
class Partition:
    """One row of the table. keep: its contents outlive a flashing unless everything is erased on request."""

    label: str
    type: int
    subtype: int
    offset: int
    size: int
    keep: bool = False

    @property
    def end(self) -> int:
        """First byte after it."""
        return self.offset + self.size


# fmt: off
_FIXED = (
    Partition("nvs",      TYPE_DATA, SUBTYPE_NVS,     0x009000, 0x006000, keep=True),
    Partition("phy_init", TYPE_DATA, SUBTYPE_PHY,     0x00F000, 0x001000, keep=True),
    Partition("factory",  TYPE_APP,  SUBTYPE_FACTORY, 0x010000, 0x1F0000),
    Partition("vfs",      TYPE_DATA, SUBTYPE_VFS,     0x200000, 0x020000),
    Partition("app_a",    TYPE_DATA, SUBTYPE_SLOT,    0x220000, 0x0A0000),
    Partition("app_b",    TYPE_DATA, SUBTYPE_SLOT,    0x2C0000, 0x0A0000, keep=True),
    Partition("cfg",      TYPE_DATA, SUBTYPE_RAW,     0x360000, 0x006000, keep=True),
)
# fmt: on
_RING_OFFSET = _FIXED[-1].end


def layout(flash_bytes: int) -> tuple[Partition, ...]:
    """Partitions for a flash chip of this size. Raises BoardError below 4 MB."""
    if flash_bytes < MINIMUM_FLASH_BYTES:
        raise BoardError(
            f"a flash of {flash_bytes} bytes is too small: the layout needs {MINIMUM_FLASH_BYTES >> 20} MB or more"
        )
    ring = Partition("ring", TYPE_DATA, SUBTYPE_RAW, _RING_OFFSET, flash_bytes - _RING_OFFSET, keep=True)
    return (*_FIXED, ring)


def find(partitions: tuple[Partition, ...], label: str) -> Partition:
    """Partition by label; KeyError when there is none."""
    for partition in partitions:
        if partition.label == label:
            return partition
    raise KeyError(label)
