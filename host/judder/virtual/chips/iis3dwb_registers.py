"""Register map of the IIS3DWB (ST data sheet DS12569, section "Register description"): addresses, bits, defaults."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

PIN_CTRL = 0x02
FIFO_CTRL1, FIFO_CTRL2, FIFO_CTRL3, FIFO_CTRL4 = 0x07, 0x08, 0x09, 0x0A
COUNTER_BDR1, COUNTER_BDR2 = 0x0B, 0x0C
INT1_CTRL, INT2_CTRL = 0x0D, 0x0E
WHO_AM_I = 0x0F
CTRL1_XL, CTRL3_C, CTRL4_C, CTRL5_C, CTRL6_C, CTRL7_C, CTRL8_XL = 0x10, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17
CTRL10_C = 0x19
STATUS = 0x1E
OUT_TEMP_L, OUT_TEMP_H = 0x20, 0x21
OUTX_L = 0x28
FIFO_STATUS1, FIFO_STATUS2 = 0x3A, 0x3B
INTERNAL_FREQ_FINE = 0x63
FIFO_DATA_OUT_TAG, FIFO_DATA_OUT_Z_H = 0x78, 0x7E

CHIP_ID = 0x7B

XL_EN = 0b101  # CTRL1_XL[7:5]: 26.667 kHz; only this value and 000 (off) are allowed
BDR_26K7 = 0b1010  # FIFO_CTRL3[3:0]: accelerometer batched at 26.667 kHz
BYPASS, FIFO_MODE, CONTINUOUS = 0, 1, 6  # FIFO_CTRL4[2:0]
STAMP_DECIMATION = (0, 1, 8, 32)  # FIFO_CTRL4[7:6], DEC_TS_BATCH: a time stamp for every so many samples
TIMESTAMP_EN = 0x20  # CTRL10_C
STOP_ON_WTM = 0x80  # FIFO_CTRL2: the watermark is the depth
BDU, IF_INC, SW_RESET = 0x40, 0x04, 0x01  # CTRL3_C
XLDA, TDA = 0x01, 0x04  # STATUS
WTM_IA, OVR_IA, FULL_IA, OVR_LATCHED = 0x80, 0x40, 0x20, 0x08  # FIFO_STATUS2

TAG_ACCELEROMETER, TAG_TIMESTAMP = 0x02, 0x04  # TAG_SENSOR[4:0], bits 7:3 of the tag

# The user offsets and the wake-up block keep what is written and do nothing here.
_PASSIVE = (PIN_CTRL, COUNTER_BDR1, COUNTER_BDR2, INT1_CTRL, INT2_CTRL, 0x56, 0x58, 0x5B, 0x5C, 0x5E, 0x5F)
_OFFSETS = (0x73, 0x74, 0x75)
WRITABLE = frozenset(
    (FIFO_CTRL1, FIFO_CTRL2, FIFO_CTRL3, FIFO_CTRL4, CTRL1_XL, CTRL3_C, CTRL4_C, CTRL5_C, CTRL6_C, CTRL7_C)
    + (CTRL8_XL, CTRL10_C)
    + _PASSIVE
    + _OFFSETS
)
DEFAULTS = {**dict.fromkeys(WRITABLE, 0), PIN_CTRL: 0x3F, CTRL3_C: IF_INC, WHO_AM_I: CHIP_ID}


def tags(sensor: int, counter: int, count: int) -> npt.NDArray[np.uint8]:
    """Tag bytes of `count` words of a sensor, the first with this 2-bit counter; bit 0 makes the parity even."""
    tag: npt.NDArray[np.uint8] = (sensor << 3 | (counter + np.arange(count)) % 4 << 1).astype(np.uint8)
    folded = tag ^ tag >> 4
    folded ^= folded >> 2
    parity = (folded ^ folded >> 1) & np.uint8(1)
    tag |= parity
    return tag
