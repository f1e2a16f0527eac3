"""SX1276 LoRa transceiver (Semtech, data sheet SX1276/77/78/79 rev. 7; errata note, sections 2.1 and 2.3).

radio = SX1276(port); radio.start()

The contract is in node.link.radio. The antenna is on PA_BOOST, as on every board with a high-band SX1276 we know of.
"""

import time

from node.link.lorawan.airtime import symbol_us
from node.link.radio import DAMAGED, HEARD, SENT, SILENT, Radio, RadioError, low_rate

_FIFO = 0x00
_OP_MODE = 0x01
_FRF = 0x06
_PA_CONFIG = 0x09
_OCP = 0x0B
_LNA = 0x0C
_FIFO_PTR = 0x0D
_TX_BASE = 0x0E
_RX_BASE = 0x0F
_RX_CURRENT = 0x10
_IRQ_MASK = 0x11
_IRQ_FLAGS = 0x12
_RX_BYTES = 0x13
_PACKET_SNR = 0x19
_PACKET_RSSI = 0x1A
_MODEM_1 = 0x1D
_MODEM_2 = 0x1E
_SYMBOL_LSB = 0x1F
_PREAMBLE_MSB = 0x20
_PREAMBLE_LSB = 0x21
_PAYLOAD_LENGTH = 0x22
_MODEM_3 = 0x26
_IF_FREQ_2 = 0x2F
_IF_FREQ_1 = 0x30
_DETECT_OPTIMIZE = 0x31
_INVERT_IQ = 0x33
_HIGH_BW_1 = 0x36
_DETECT_THRESHOLD = 0x37
_SYNC_WORD = 0x39
_HIGH_BW_2 = 0x3A
_INVERT_IQ_2 = 0x3B
_IMAGE_CAL = 0x3B  # in FSK mode
_DIO_MAPPING = 0x40
_VERSION = 0x42
_TCXO = 0x4B
_PA_DAC = 0x4D

_SX1276 = 0x12  # RegVersion
_WRITE = 0x80

# RegOpMode: the LoRa bit changes in sleep only.
_FSK_SLEEP = 0x00
_FSK_STANDBY = 0x01
_SLEEP = 0x80
_STANDBY = 0x81
_TRANSMIT = 0x83
_RECEIVE_SINGLE = 0x86

# RegIrqFlags.
_RX_TIMEOUT = 0x80
_RX_DONE = 0x40
_CRC_ERROR = 0x20
_TX_DONE = 0x08
_ALL = 0xFF

_SYNC_PUBLIC = 0x34
_BANDWIDTH_CODES = {125000: 7, 250000: 8, 500000: 9}
_HIGH_BAND_HZ = 779000000
_IMAGE_CAL_HZ = 868000000  # one calibration serves the high band
_IMAGE_CAL_START = 0x40
_IMAGE_CAL_RUNS = 0x20
_IMAGE_CAL_LIMIT_MS = 30
_AFTER_RESET_MS = 6
_OSCILLATOR_MS = 1  # 250 us typical, section 2.5.2
_STANDBY_TO_RX_US = 130  # synthesizer 60 us, receiver about 70 us
_STANDBY_TO_TX_US = 120


def frequency_code(frequency_hz: int) -> int:
    """Steps of 32 MHz / 2^19 = 15625 / 256 Hz, to the nearest."""
    whole, rest = frequency_hz // 15625, frequency_hz % 15625
    return whole * 256 + (rest * 256 + 7812) // 15625


def power_registers(power_dbm: int) -> tuple:
    """(RegPaConfig, RegPaDac, RegOcp) for 2 to 20 dBm on PA_BOOST (sections 5.4.3 and 5.4.4)."""
    if power_dbm > 17:
        return 0xF0 | power_dbm - 5, 0x87, 0x20 | 17  # 140 mA
    return 0xF0 | power_dbm - 2, 0x84, 0x20 | 11  # 100 mA


def signal_dbm(packet_rssi: int, snr_qdb: int, frequency_hz: int) -> int:
    """Strength of the signal itself (section 5.5.5); the offset is that of the port the frequency uses."""
    offset = -157 if frequency_hz > _HIGH_BAND_HZ else -164
    if snr_qdb < 0:
        return offset + packet_rssi + (snr_qdb >> 2)
    return offset + (packet_rssi * 16 + 7) // 15


class SX1276(Radio):
    """port: node.link.radio.spi.Port; without its dio1 the end of an empty window is asked for over SPI. tcxo: one
    drives the chip, instead of a crystal. pa_gain_db: of an amplifier behind the chip.
    """

    def __init__(self, port, tcxo: bool = False, pa_gain_db: int = 0):
        Radio.__init__(self, port, "SX1276", (2, 20), pa_gain_db)
        self._tcxo = tcxo
        self._frequency_hz = 0
        self._empty_us = 0  # ticks_us when an empty window is over
        self._window = 0
        self._address = bytearray(1)
        self._pair = bytearray(2)
        self._one = bytearray(1)
        self._listen = bytes((_OP_MODE | _WRITE, _RECEIVE_SINGLE))

    # --- contract

    def start(self) -> None:
        self._reset()
        time.sleep_ms(_AFTER_RESET_MS)
        found = self._load(_VERSION)
        if found != _SX1276:
            raise RadioError("no %s: its version reads 0x%02x instead of 0x%02x" % (self.name, found, _SX1276))
        self._store(_OP_MODE, _FSK_SLEEP)
        self._store(_TCXO, 0x19 if self._tcxo else 0x09)
        self._calibrate()
        self._store(_OP_MODE, _FSK_SLEEP)
        self._store(_OP_MODE, _SLEEP)
        self._asleep = True
        if self._load(_OP_MODE) != _SLEEP:
            raise RadioError("no %s: it does not keep its mode" % self.name)
        self._store(_SYNC_WORD, _SYNC_PUBLIC)
        self._store(_LNA, 0x23)  # boosted in the high band; the gain is the AGC's
        self._store(_TX_BASE, 0)
        self._store(_RX_BASE, 0)
        self._store(_PREAMBLE_MSB, 0)
        self._store(_PREAMBLE_LSB, 8)
        self._store(_DETECT_THRESHOLD, 0x0A)
        self._measure()

    def transmit(self, frame, frequency_hz: int, sf: int, bandwidth_hz: int, power_dbm: int) -> None:
        size = len(frame)
        self._check(size)
        self._wake()
        self._tune(frequency_hz, sf, bandwidth_hz, 4)
        self._store(_INVERT_IQ, 0x27)
        self._store(_INVERT_IQ_2, 0x1D)
        config, dac, ocp = power_registers(self._chip_dbm(power_dbm))
        self._store(_PA_CONFIG, config)
        self._store(_PA_DAC, dac)
        self._store(_OCP, ocp)
        self._store(_PAYLOAD_LENGTH, size)
        self._store(_FIFO_PTR, 0)
        self._address[0] = _FIFO | _WRITE
        self._port.write_from(self._address, frame)
        self._store(_DIO_MAPPING, 0x40)  # DIO0: TxDone
        self._store(_IRQ_MASK, _ALL & ~_TX_DONE)
        self._store(_IRQ_FLAGS, _ALL)
        self._port.antenna(1)
        self._store(_OP_MODE, _TRANSMIT)
        self._sends(time.ticks_add(time.ticks_us(), _STANDBY_TO_TX_US), size, sf, bandwidth_hz)

    def stage(self, frequency_hz: int, sf: int, bandwidth_hz: int, symbols: int) -> None:
        self._check(1)
        self._wake()
        symbols = min(max(symbols, 4), 1023)
        self._tune(frequency_hz, sf, bandwidth_hz, symbols >> 8)
        self._store(_SYMBOL_LSB, symbols & 0xFF)
        self._store(_INVERT_IQ, 0x67)
        self._store(_INVERT_IQ_2, 0x19)
        if bandwidth_hz == 500000:
            self._store(_DETECT_OPTIMIZE, 0xC3)
            self._store(_HIGH_BW_1, 0x02)  # errata 2.1
            self._store(_HIGH_BW_2, 0x64 if frequency_hz > _HIGH_BAND_HZ else 0x7F)
        else:
            # Errata 2.3: the intermediate frequency set by hand, else it hears frames that are none.
            self._store(_DETECT_OPTIMIZE, 0x43)
            self._store(_IF_FREQ_2, 0x40)
            self._store(_IF_FREQ_1, 0x00)
            self._store(_HIGH_BW_1, 0x03)
        self._store(_DIO_MAPPING, 0x00)  # DIO0: RxDone, DIO1: RxTimeout
        self._store(_IRQ_MASK, _ALL & ~(_RX_TIMEOUT | _RX_DONE | _CRC_ERROR))
        self._store(_IRQ_FLAGS, _ALL)
        self._plan(symbols, sf, bandwidth_hz)
        self._window = symbols * symbol_us(sf, bandwidth_hz)
        self._port.antenna(0)

    def listen(self, at_us: int) -> None:
        self._wait_for(at_us)
        self._port.write(self._listen)
        self._opens(at_us)
        self._empty_us = time.ticks_add(at_us, self._window)

    def poll(self):
        if not self._doing:
            return None
        port = self._port
        if not port.dio0():
            if self._sending():
                self._overdue()
                return None
            if port.dio1 is None:
                over = time.ticks_diff(time.ticks_us(), self._empty_us) > 0
            else:
                over = port.dio1()
            if not over:
                self._overdue()
                return None
        flags = self._load(_IRQ_FLAGS)
        if self._sending():
            if not flags & _TX_DONE:
                self._overdue()
                return None
            self._store(_IRQ_FLAGS, _ALL)
            self._sent()
            port.antenna(-1)
            return SENT
        if not flags & (_RX_DONE | _RX_TIMEOUT):
            self._overdue()
            return None
        self._store(_IRQ_FLAGS, _ALL)
        self._doing = 0
        port.antenna(-1)
        if not flags & _RX_DONE:
            return SILENT
        if flags & _CRC_ERROR:
            return DAMAGED
        self._fetch()
        return HEARD

    # --- inside

    def _go_to_sleep(self) -> None:
        self._store(_OP_MODE, _SLEEP)

    def _calibrate(self) -> None:
        """Image rejection in the high band; by itself the chip did it at 434 MHz (section 2.5.2, RegImageCal)."""
        self._store(_OP_MODE, _FSK_STANDBY)
        time.sleep_ms(_OSCILLATOR_MS)
        self._set_frequency(_IMAGE_CAL_HZ)
        self._store(_IMAGE_CAL, self._load(_IMAGE_CAL) | _IMAGE_CAL_START)
        for _ in range(_IMAGE_CAL_LIMIT_MS):
            time.sleep_ms(1)
            if not self._load(_IMAGE_CAL) & _IMAGE_CAL_RUNS:
                return
        raise RadioError("%s: image calibration does not end" % self.name)

    def _measure(self) -> None:
        """What a write of two bytes takes this processor: so much earlier the last one before a window has to begin."""
        self._lead_us = 0
        for _ in range(4):
            begin = time.ticks_us()
            self._store(_IRQ_FLAGS, _ALL)
            self._lead_us += time.ticks_diff(time.ticks_us(), begin)
        self._lead_us = self._lead_us // 4 + _STANDBY_TO_RX_US

    def _wake(self) -> None:
        self._store(_OP_MODE, _STANDBY)
        if self._asleep:
            time.sleep_ms(_OSCILLATOR_MS)
            self._asleep = False

    def _set_frequency(self, frequency_hz: int) -> None:
        code = frequency_code(frequency_hz)
        self._store(_FRF, code >> 16)
        self._store(_FRF + 1, code >> 8 & 0xFF)
        self._store(_FRF + 2, code & 0xFF)
        self._frequency_hz = frequency_hz

    def _tune(self, frequency_hz: int, sf: int, bandwidth_hz: int, low_bits: int) -> None:
        """low_bits: of RegModemConfig2: payload CRC, upper bits of the symbol time-out."""
        self._set_frequency(frequency_hz)
        self._store(_MODEM_1, _BANDWIDTH_CODES[bandwidth_hz] << 4 | 2)  # coding rate 4/5
        self._store(_MODEM_2, sf << 4 | low_bits)
        self._store(_MODEM_3, 0x0C if low_rate(sf, bandwidth_hz) else 0x04)  # bit 2: AGC

    def _fetch(self) -> None:
        self._store(_FIFO_PTR, self._load(_RX_CURRENT))
        self._length = self._load(_RX_BYTES)
        self._address[0] = _FIFO
        self._port.exchange(self._address, self._buffer)
        snr = self._load(_PACKET_SNR)
        self.snr_qdb = snr - 256 if snr > 127 else snr
        self.rssi_dbm = signal_dbm(self._load(_PACKET_RSSI), self.snr_qdb, self._frequency_hz)

    def _load(self, register: int) -> int:
        self._address[0] = register
        self._port.exchange(self._address, self._one)
        return self._one[0]

    def _store(self, register: int, value: int) -> None:
        self._pair[0] = register | _WRITE
        self._pair[1] = value
        self._port.write(self._pair)
