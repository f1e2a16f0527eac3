"""MAC commands of L2 1.0.4: numbers, lengths, and the bytes of what a network asks and answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

LINK_CHECK = 0x02
LINK_ADR = 0x03
DUTY_CYCLE = 0x04
RX_PARAM_SETUP = 0x05
DEV_STATUS = 0x06
NEW_CHANNEL = 0x07
RX_TIMING_SETUP = 0x08
TX_PARAM_SETUP = 0x09
DL_CHANNEL = 0x0A
DEVICE_TIME = 0x0D

NAMES: Mapping[int, str] = {
    LINK_CHECK: "LinkCheck",
    LINK_ADR: "LinkADR",
    DUTY_CYCLE: "DutyCycle",
    RX_PARAM_SETUP: "RXParamSetup",
    DEV_STATUS: "DevStatus",
    NEW_CHANNEL: "NewChannel",
    RX_TIMING_SETUP: "RXTimingSetup",
    TX_PARAM_SETUP: "TxParamSetup",
    DL_CHANNEL: "DlChannel",
    DEVICE_TIME: "DeviceTime",
}

# Bytes after the command identifier.
DOWN_BYTES: Mapping[int, int] = {
    LINK_CHECK: 2, LINK_ADR: 4, DUTY_CYCLE: 1, RX_PARAM_SETUP: 4, DEV_STATUS: 0, NEW_CHANNEL: 5, RX_TIMING_SETUP: 1,
    TX_PARAM_SETUP: 1, DL_CHANNEL: 4, DEVICE_TIME: 5,
}  # fmt: skip
UP_BYTES: Mapping[int, int] = {
    LINK_CHECK: 0, LINK_ADR: 1, DUTY_CYCLE: 0, RX_PARAM_SETUP: 1, DEV_STATUS: 2, NEW_CHANNEL: 1, RX_TIMING_SETUP: 0,
    TX_PARAM_SETUP: 0, DL_CHANNEL: 1, DEVICE_TIME: 0,
}  # fmt: skip

# Answers to these are repeated until a downlink comes (L2 1.0.4 sections 5.5, 5.7, 5.8, 5.9).
STICKY = frozenset((RX_PARAM_SETUP, RX_TIMING_SETUP, TX_PARAM_SETUP, DL_CHANNEL))
# Questions of a device.
ASKED_BY_DEVICE = frozenset((LINK_CHECK, DEVICE_TIME))

Command = tuple[int, bytes]


def split(data: bytes, lengths: Mapping[int, int]) -> tuple[list[Command], bytes]:
    """Commands, and what is left from the first unknown or cut-off one on."""
    found: list[Command] = []
    at = 0
    while at < len(data):
        length = lengths.get(data[at])
        if length is None or at + 1 + length > len(data):
            break
        found.append((data[at], data[at + 1 : at + 1 + length]))
        at += 1 + length
    return found, data[at:]


def join(commands: Sequence[Command]) -> bytes:
    """The bytes of commands in a row."""
    return b"".join(bytes((cid,)) + payload for cid, payload in commands)


def _frequency(frequency_hz: int) -> bytes:
    return (frequency_hz // 100).to_bytes(3, "little")


def link_adr(dr: int = 15, power: int = 15, mask: int = 0, control: int = 0, nb_trans: int = 0) -> Command:
    """LinkADRReq. 15: keep. mask: 16 bits; control: ChMaskCntl."""
    return LINK_ADR, bytes((dr << 4 | power,)) + mask.to_bytes(2, "little") + bytes((control << 4 | nb_trans,))


def duty_cycle(exponent: int) -> Command:
    """DutyCycleReq: all bands together at most 1 / 2**exponent."""
    return DUTY_CYCLE, bytes((exponent,))


def rx_param_setup(rx2_hz: int, rx2_dr: int, rx1_offset: int = 0) -> Command:
    """RXParamSetupReq."""
    return RX_PARAM_SETUP, bytes((rx1_offset << 4 | rx2_dr,)) + _frequency(rx2_hz)


def dev_status() -> Command:
    """DevStatusReq."""
    return DEV_STATUS, b""


def new_channel(index: int, frequency_hz: int, min_dr: int = 0, max_dr: int = 5) -> Command:
    """NewChannelReq; frequency 0 takes the channel away."""
    return NEW_CHANNEL, bytes((index,)) + _frequency(frequency_hz) + bytes((max_dr << 4 | min_dr,))


def rx_timing_setup(delay_s: int) -> Command:
    """RXTimingSetupReq."""
    return RX_TIMING_SETUP, bytes((delay_s,))


MAX_EIRP_DBM = (8, 10, 12, 13, 14, 16, 18, 20, 21, 24, 26, 27, 29, 30, 33, 36)


def tx_param_setup(dwell_up: bool, dwell_down: bool, eirp_index: int) -> Command:
    """TxParamSetupReq; eirp_index: position in MAX_EIRP_DBM."""
    return TX_PARAM_SETUP, bytes((dwell_down << 5 | dwell_up << 4 | eirp_index,))


def dl_channel(index: int, frequency_hz: int) -> Command:
    """DlChannelReq."""
    return DL_CHANNEL, bytes((index,)) + _frequency(frequency_hz)


def link_check_answer(margin_db: int, gateways: int) -> Command:
    """LinkCheckAns."""
    return LINK_CHECK, bytes((margin_db, gateways))


def device_time_answer(gps_us: int) -> Command:
    """DeviceTimeAns: seconds since the GPS epoch and 1/256 s."""
    seconds, rest_us = divmod(gps_us, 1_000_000)
    return DEVICE_TIME, (seconds & 0xFFFFFFFF).to_bytes(4, "little") + bytes((rest_us * 256 // 1_000_000,))


def mask_commands(
    channels: Sequence[int], fixed: bool, dr: int = 15, power: int = 15, nb_trans: int = 0
) -> list[Command]:
    """A LinkADRReq block that leaves exactly these channels on.

    Fixed plans: 125 kHz channels off and the 500 kHz ones set (control 7), then a group of 16 at a time.
    """
    if not fixed:
        return [link_adr(dr, power, sum(1 << n for n in channels), 0, nb_trans)]
    block = [link_adr(dr, power, sum(1 << n - 64 for n in channels if n >= 64), 7, nb_trans)]
    for group in range(4):
        mask = sum(1 << n - 16 * group for n in channels if n // 16 == group)
        if mask:
            block.append(link_adr(dr, power, mask, group, nb_trans))
    return block
