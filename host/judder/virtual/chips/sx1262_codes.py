"""Commands, registers and times of the SX1262, after Semtech's data sheet SX1261/2 rev. 2.1."""

from __future__ import annotations

# Section 13: commands.
SET_SLEEP, SET_STANDBY, SET_FS, SET_TX, SET_RX = 0x84, 0x80, 0xC1, 0x83, 0x82
STOP_TIMER_ON_PREAMBLE, SET_REGULATOR, CALIBRATE, CALIBRATE_IMAGE = 0x9F, 0x96, 0x89, 0x98
SET_PA_CONFIG, SET_FALLBACK, WRITE_REGISTER, WRITE_BUFFER = 0x95, 0x93, 0x0D, 0x0E
SET_DIO_IRQ, CLEAR_IRQ, SET_DIO2_SWITCH, SET_DIO3_TCXO = 0x08, 0x02, 0x9D, 0x97
SET_FREQUENCY, SET_PACKET_TYPE, SET_TX_PARAMS, SET_MODULATION = 0x86, 0x8A, 0x8E, 0x8B
SET_PACKET, SET_BUFFER_BASE, SET_SYMBOL_TIMEOUT, CLEAR_ERRORS = 0x8C, 0x8F, 0xA0, 0x07
READ_REGISTER, READ_BUFFER, GET_STATUS, GET_IRQ, GET_RX_BUFFER, GET_PACKET, GET_RSSI, GET_ERRORS, GET_PACKET_TYPE = (
    *(0x1D, 0x1E, 0xC0, 0x12, 0x13, 0x14, 0x15, 0x17, 0x11),
)
# Command that answers nothing -> its length with the opcode; None: any.
LENGTHS: dict[int, int | None] = {
    SET_SLEEP: 2, SET_STANDBY: 2, SET_FS: 1, SET_TX: 4, SET_RX: 4, STOP_TIMER_ON_PREAMBLE: 2, SET_REGULATOR: 2,
    CALIBRATE: 2, CALIBRATE_IMAGE: 3, SET_PA_CONFIG: 5, SET_FALLBACK: 2, WRITE_REGISTER: None, WRITE_BUFFER: None,
    SET_DIO_IRQ: 9, CLEAR_IRQ: 3, SET_DIO2_SWITCH: 2, SET_DIO3_TCXO: 5, SET_FREQUENCY: 5, SET_PACKET_TYPE: 2,
    SET_TX_PARAMS: 3, SET_MODULATION: 5, SET_PACKET: 7, SET_BUFFER_BASE: 3, SET_SYMBOL_TIMEOUT: 2, CLEAR_ERRORS: 3,
}  # fmt: skip
# Command that answers -> bytes after the opcode before the answer begins; a status byte is the last of them.
READS: dict[int, int] = {
    READ_REGISTER: 3, READ_BUFFER: 2, GET_STATUS: 0, GET_IRQ: 1, GET_RX_BUFFER: 1, GET_PACKET: 1, GET_RSSI: 1,
    GET_ERRORS: 1, GET_PACKET_TYPE: 1,
}  # fmt: skip

# Table 13-29: interrupts.
TX_DONE, RX_DONE, PREAMBLE, SYNC, HEADER, HEADER_ERROR, CRC_ERROR, CAD_DONE, CAD_DETECTED, TIMEOUT = (
    1 << bit for bit in range(10)
)
# Table 13-76: status bits 6:4 (mode) and 3:1 (command).
MODE_RC, MODE_XOSC, MODE_FS, MODE_RX, MODE_TX = 2, 3, 4, 5, 6
COMMAND_DATA, COMMAND_TIMEOUT, COMMAND_ERROR, COMMAND_FAILED, COMMAND_TX_DONE = 2, 3, 4, 5, 6
# Table 13-85: device errors.
RC64K_ERROR, RC13M_ERROR, PLL_ERROR, ADC_ERROR, IMAGE_ERROR, XOSC_ERROR, PLL_LOCK_ERROR = (1 << bit for bit in range(7))
PA_RAMP_ERROR = 1 << 8

# Section 12: registers.
RETENTION, SYMBOL_TIMEOUT, IQ_POLARITY, SYNC_MSB, SYNC_LSB = 0x029F, 0x0706, 0x0736, 0x0740, 0x0741
TX_MODULATION, RX_GAIN, TX_CLAMP, OCP, RTC_CONTROL, XTA, XTB, EVENT_CLEAR = (
    *(0x0889, 0x08AC, 0x08D8, 0x08E7, 0x0902, 0x0911, 0x0912, 0x0944),
)
DEFAULTS = {
    SYNC_MSB: 0x14, SYNC_LSB: 0x24, IQ_POLARITY: 0x0D, TX_MODULATION: 0x01, RX_GAIN: 0x94, TX_CLAMP: 0xC8,
    OCP: 0x18, XTA: 0x05, XTB: 0x05,
}  # fmt: skip
# Not kept in warm sleep unless on the retention list (section 9.6, and what Semtech's own driver restores).
NOT_RETAINED = (TX_MODULATION, RX_GAIN, TX_CLAMP, OCP, IQ_POLARITY)

# Table 8-2 (the same die's table 33 in ST RM0453): from mode to mode, typical.
COLD_START_US, WARM_START_US = 3500, 340
SWITCH_US = {
    ("rc", "xosc"): 31, ("rc", "fs"): 50, ("rc", "rx"): 83, ("rc", "tx"): 126,
    ("xosc", "fs"): 40, ("xosc", "rx"): 62, ("xosc", "tx"): 105, ("fs", "rx"): 41, ("fs", "tx"): 76,
    ("rx", "fs"): 15, ("rx", "tx"): 92,
}  # fmt: skip
CALIBRATE_US = 3500  # section 9.2.1: all blocks
COMMAND_US = 20  # any other; the data sheet gives no figure
TICK_US = 15.625  # of time-outs and of the TCXO's delay

# Table 13-47: LoRa bandwidths in Hz by code.
BANDWIDTHS = {
    0x00: 7_810, 0x08: 10_420, 0x01: 15_630, 0x09: 20_830, 0x02: 31_250, 0x0A: 41_670, 0x03: 62_500,
    0x04: 125_000, 0x05: 250_000, 0x06: 500_000,
}  # fmt: skip
# Table 13-21: (paDutyCycle, hpMax) of the SX1262 -> dBm at a power setting of 22.
PA_DBM = {(4, 7): 22, (3, 5): 20, (2, 3): 17, (2, 2): 14}
# Table 9-2: arguments of CalibrateImage -> band in MHz.
IMAGE_BANDS = {
    (0x6B, 0x6F): (430, 440), (0x75, 0x81): (470, 510), (0xC1, 0xC5): (779, 787),
    (0xD7, 0xDB): (863, 870), (0xE1, 0xE9): (902, 928),
}  # fmt: skip
AFTER_RESET_BAND = (902, 928)
