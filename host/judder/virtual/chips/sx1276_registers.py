"""Registers, bits and times of the SX1276, after Semtech's data sheet SX1276/77/78/79 rev. 7 and its errata note."""

from __future__ import annotations

FIFO, OP_MODE, FRF_MSB, FRF_MID, FRF_LSB, PA_CONFIG, PA_RAMP, OCP, LNA = (
    0x00,
    0x01,
    0x06,
    0x07,
    0x08,
    0x09,
    0x0A,
    0x0B,
    0x0C,
)
FIFO_PTR, TX_BASE, RX_BASE, RX_CURRENT, IRQ_MASK, IRQ_FLAGS, RX_BYTES = 0x0D, 0x0E, 0x0F, 0x10, 0x11, 0x12, 0x13
MODEM_STATUS, PKT_SNR, PKT_RSSI, HOP_CHANNEL, MODEM_1, MODEM_2, SYMBOL_LSB = 0x18, 0x19, 0x1A, 0x1C, 0x1D, 0x1E, 0x1F
PREAMBLE_MSB, PREAMBLE_LSB, PAYLOAD_LENGTH, MODEM_3, IF_FREQ_2, IF_FREQ_1 = 0x20, 0x21, 0x22, 0x26, 0x2F, 0x30
DETECT_OPTIMIZE, INVERT_IQ, HIGH_BW_1, DETECT_THRESHOLD, SYNC_WORD, HIGH_BW_2, INVERT_IQ_2 = (
    0x31,
    0x33,
    0x36,
    0x37,
    0x39,
    0x3A,
    0x3B,
)
IMAGE_CAL = 0x3B  # in the FSK page
DIO_MAPPING, VERSION, TCXO, PA_DAC = 0x40, 0x42, 0x4B, 0x4D

# Section 4.1.6: device modes.
SLEEP, STANDBY, FS_TX, TX, FS_RX, RX_CONTINUOUS, RX_SINGLE, CAD = range(8)
LORA = 0x80
# Section 6.4, RegIrqFlags.
RX_TIMEOUT, RX_DONE, CRC_ERROR, VALID_HEADER, TX_DONE, CAD_DONE, FHSS, CAD_DETECTED = (0x80 >> bit for bit in range(8))

# Reset values, section 6.1 (LoRa column) where they matter; the errata note names 0x36 and 0x3A.
DEFAULTS = {
    OP_MODE: 0x09, FRF_MSB: 0x6C, FRF_MID: 0x80, FRF_LSB: 0x00, PA_CONFIG: 0x4F, PA_RAMP: 0x09, OCP: 0x2B, LNA: 0x20,
    TX_BASE: 0x80, MODEM_1: 0x72, MODEM_2: 0x70, SYMBOL_LSB: 0x64, PREAMBLE_LSB: 0x08, PAYLOAD_LENGTH: 0x01,
    MODEM_3: 0x04, IF_FREQ_2: 0x20, DETECT_OPTIMIZE: 0xC3, INVERT_IQ: 0x27, HIGH_BW_1: 0x03, DETECT_THRESHOLD: 0x0A,
    SYNC_WORD: 0x12, HIGH_BW_2: 0x64, INVERT_IQ_2: 0x1D, VERSION: 0x12, TCXO: 0x09, PA_DAC: 0x84,
}  # fmt: skip
READ_ONLY = (RX_CURRENT, RX_BYTES, MODEM_STATUS, PKT_SNR, PKT_RSSI, HOP_CHANNEL, VERSION)
LORA_PAGE = range(0x0D, 0x40)
# Changing these during reception or transmission is undefined.
NOT_WHILE_BUSY = (
    FRF_MSB,
    FRF_MID,
    FRF_LSB,
    MODEM_1,
    MODEM_2,
    MODEM_3,
    SYMBOL_LSB,
    PAYLOAD_LENGTH,
    INVERT_IQ,
    SYNC_WORD,
)

BANDWIDTHS = {
    0: 7_800,
    1: 10_400,
    2: 15_600,
    3: 20_800,
    4: 31_250,
    5: 41_700,
    6: 62_500,
    7: 125_000,
    8: 250_000,
    9: 500_000,
}
HIGH_BAND_HZ = 779_000_000

# Section 2.5.2 (table 7), typical; receiver start-up is given for FSK only.
OSCILLATOR_US, SYNTHESIZER_US, RECEIVER_US, TRANSMITTER_US = 250, 60, 70, 60
RESET_US = 5000  # section 7.2.2: wait so long after the reset pulse
POWER_ON_US = 10_000  # section 7.2.1
IMAGE_CAL_US = 10_000  # section 2.5.2
