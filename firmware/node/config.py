"""Settings of this node: the record in the cfg partition, checked, or the defaults of a node nobody has provisioned.

Settings that come over the air are on trial: the record says so, and the one before it stays in the other slot. The
first word from the other side ends the trial for good (`prove`); too many failures bring the old settings back
(`take_back`). A power cut leaves the one or the other. One that comes while `prove` writes may cost the settings
before, which are not needed any more: the new ones have worked.
"""

import binascii

from judder_core import cbor, settings
from judder_core.errors import JudderError


class Config:
    """values: every setting by name. provisioned: whether a record was found. payload: the record without its trial.

    crc: of the payload, 0 without one. trial: tag of the COMMAND whose settings are on trial, None when none are.
    """

    def __init__(self, records):
        self.records = records
        self.fault = ""
        self.load()

    def load(self) -> None:
        """Read the record again. One that does not check out counts as none; `fault` says why."""
        self._hold(b"", settings.defaults(), None)
        try:
            payload = self.records.load()
            if payload is not None:
                values, unknown = settings.unpack(payload)
                trial = unknown.get(settings.ON_TRIAL)
                self._hold(bytes(payload) if trial is None else _without_trial(payload), values, trial)
        except (OSError, JudderError) as error:
            self.fault = str(error)

    def change(self, record: dict, tag: int) -> None:
        """New settings over the air, checked already: key -> value. On trial when revert_after is not 0.

        Raises OSError and ValueError as Records.save does; the old settings are then still in force.
        """
        payload = cbor.encode(record)
        values, _unknown = settings.unpack(payload)
        # The record before this one has to be one that worked.
        self.prove()
        trial = None
        kept = payload
        if values["revert_after"]:
            trial = tag
            record[settings.ON_TRIAL] = tag
            kept = cbor.encode(record)
        self.records.save(kept)
        self._hold(payload, values, trial)

    def prove(self) -> None:
        """The settings on trial work: keep them. Raises OSError."""
        if self.trial is not None:
            self.records.save(self.payload)
            self.trial = None

    def take_back(self) -> bool:
        """The settings on trial do not work: those before them are in force again. False when they are not there any
        more; the trial is over all the same. Raises OSError.
        """
        if not self.records.take_back():
            self.prove()
            return False
        self.load()
        return True

    def _hold(self, payload: bytes, values: dict, trial) -> None:
        self.payload = payload
        self.values = values
        self.trial = trial
        self.provisioned = bool(payload)
        self.crc = binascii.crc32(payload) & 0xFFFFFFFF if payload else 0


def _without_trial(payload: bytes) -> bytes:
    record = cbor.decode(payload)
    del record[settings.ON_TRIAL]
    return cbor.encode(record)
