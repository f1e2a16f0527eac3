"""Settings of this node: the record in the cfg partition, checked, or the defaults of a node nobody has provisioned."""

import binascii

from judder_core import settings
from judder_core.errors import JudderError


class Config:
    """values: every setting by name. provisioned: whether a record was found. crc: of the record, 0 without one."""

    def __init__(self, records):
        self.records = records
        self.fault = ""
        self.load()

    def load(self) -> None:
        """Read the record again. One that does not check out counts as none; `fault` says why."""
        self.payload = b""
        self.values = settings.defaults()
        try:
            payload = self.records.load()
            if payload is not None:
                self.values = settings.unpack(payload)[0]
                self.payload = bytes(payload)
        except (OSError, JudderError) as error:
            self.fault = str(error)
        self.provisioned = bool(self.payload)
        self.crc = binascii.crc32(self.payload) & 0xFFFFFFFF if self.provisioned else 0
