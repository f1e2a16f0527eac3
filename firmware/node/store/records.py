"""One record kept in two flash sectors, written whole or not at all.

The older of the two sectors is erased and rewritten; the newer one is not touched until a later save. So a power cut
at any moment leaves the record before it or the one after it, never neither.

    records = Records(flash)           flash: read(offset, length), erase(sector), program(offset, data)
    records.load() -> payload or None
    records.save(payload)
"""

from judder_core import record

SECTOR_BYTES = 4096
MAX_PAYLOAD_BYTES = SECTOR_BYTES - record.HEADER_BYTES


class Records:
    """A record in sectors `first` and `first + 1` of a raw partition.

    generation: of the record last loaded or saved, None when there is none.
    """

    def __init__(self, flash, first: int = 0) -> None:
        self._flash = flash
        self._first = first
        self.generation = None

    def load(self) -> "bytes | None":
        """Payload of the newest whole record, None when there is none. OSError when flash can't be read."""
        found = self._newest()
        self.generation = None if found is None else found[1]
        return None if found is None else found[2]

    def save(self, payload: bytes) -> None:
        """Replace the record. When this returns, load() gives `payload`, whatever happens to the power afterwards.

        Raises ValueError when the payload is empty or does not fit a sector, and OSError when flash refuses or reads
        back something else; the previous record is then still in force.
        """
        if not 0 < len(payload) <= MAX_PAYLOAD_BYTES:
            raise ValueError("a record holds 1 to %d bytes, not %d" % (MAX_PAYLOAD_BYTES, len(payload)))
        # Looked up each time: which slot is older is flash's word, not a variable's.
        found = self._newest()
        slot, generation = (0, 0) if found is None else (1 - found[0], record.following(found[1]))
        offset = (self._first + slot) * SECTOR_BYTES
        framed = record.frame(generation, bytes(payload))
        self._flash.erase(self._first + slot)
        self._flash.program(offset, framed)
        if bytes(self._flash.read(offset, len(framed))) != framed:
            raise OSError("flash sector %d does not hold what was written" % (self._first + slot))
        self.generation = generation

    def take_back(self) -> bool:
        """Erase the newest record, so that the one before it is in force again. False, and nothing done, when there is
        none before it. A power cut leaves the newest or the one before it. Raises OSError.
        """
        found = self._newest()
        if found is None or record.parse(self._slot(1 - found[0])) is None:
            return False
        self._flash.erase(self._first + found[0])
        return True

    def wipe(self) -> None:
        """Erase the record: older sector first, so that a power cut between the two can't bring an older one back."""
        found = self._newest()
        newer = 0 if found is None else found[0]
        self._flash.erase(self._first + 1 - newer)
        self._flash.erase(self._first + newer)
        self.generation = None

    def _newest(self):
        return record.newest(self._slot(0), self._slot(1))

    def _slot(self, slot):
        sector = self._flash.read((self._first + slot) * SECTOR_BYTES, SECTOR_BYTES)
        found = record.parse(sector)
        # Generation all ones, length 0, CRC all ones is a frame to CRC-32, and two torn erases can leave just that.
        return b"" if found is None or not found[1] else sector
