"""The modem inside the SX1262 model: sending, receiving, and what makes it worse. See judder.virtual.chips.sx1262."""

from __future__ import annotations

from dataclasses import replace

from judder.virtual.chips import sx1262_codes as codes
from judder.virtual.chips.lora import HEARD, Window, payload_of
from judder.virtual.chips.radio import RX_OFF_LOSS_DB, LoraRadio
from judder.virtual.chips.sx1262_state import Settings
from judder.virtual.lorawan.air import Emission
from judder.virtual.lorawan.airtime import airtime_us, low_data_rate

# Section 15.4: with the wrong polarity bit longer packets may get lost. The data sheet gives no length; here above this
# one, always.
_LONG_PAYLOAD = 24
# Section 15.1: the modulation suffers, and with it the sensitivity at the other end. 15.2: at a mismatched antenna.
_BAD_MODULATION_DB = 6.0
_CLAMPED_DB = 5.0


class Modem(LoraRadio):
    """LoRa only.

    irq_late_symbols: how long after the modem has locked on a preamble (5 symbols of it, Semtech AN1200.23) it says so.
    Drivers of others have seen it say so two symbols late at SF12 (RadioLib pull request 1811).
    """

    irq_late_symbols = 0.0

    _set: Settings
    _buffer: bytearray
    _irq = 0
    _command_status = 0
    _rx_start = _rx_length = 0
    _rssi_dbm = _snr_db = 0.0
    _stuck_timer_us: int | None = None

    def _fall_back(self) -> None:
        """A transmission or reception is over: the mode that follows by itself."""
        raise NotImplementedError

    def _refuse(self, text: str) -> None:
        """The command is not carried out."""
        self._command_status = codes.COMMAND_ERROR
        self.fault(text)

    def _raise(self, bits: int) -> None:
        self._irq |= bits & self._set.irq_mask

    def _tell(self, window: Window, bit: int, at_us: float, until_us: int) -> None:
        """An event of a reception, once: who clears it is not told again."""
        if at_us <= until_us and not window.told & bit:
            window.told |= bit
            self._raise(bit)

    def _receive(self, now_us: int) -> None:
        window = self._window
        assert window is not None
        closed = self._look(now_us)
        until_us = now_us if window.closed_us is None else window.closed_us
        if window.preamble_us is not None:
            late_us = self.irq_late_symbols * window.tuning.symbol_us
            self._tell(window, codes.PREAMBLE, window.preamble_us + late_us, until_us)
        if window.header_us is not None:
            self._tell(window, codes.HEADER, window.header_us, until_us)
        if closed is None:
            return
        if closed.why != HEARD:
            self._raise(codes.TIMEOUT)
            self._command_status = codes.COMMAND_TIMEOUT
            self._fall_back()
            return
        assert closed.reception is not None
        payload, crc_error = payload_of(closed.reception)
        if self._lost(len(payload)):
            payload, crc_error = bytes(byte ^ 0x55 for byte in payload), closed.reception.emission.crc
        base = self._set.rx_base
        for place, byte in enumerate(payload):
            self._buffer[base + place & 0xFF] = byte
        self._rx_start, self._rx_length = base, len(payload)
        self._rssi_dbm, self._snr_db = closed.reception.rssi_dbm, closed.reception.snr_db
        if closed.timer_us is not None:
            self._stuck_timer_us = closed.opened_us + closed.timer_us
        self._raise(codes.RX_DONE | (codes.CRC_ERROR if crc_error else 0))
        self._command_status = codes.COMMAND_DATA
        self._fall_back()

    def _lost(self, length: int) -> bool:
        """Section 15.4: a longer frame with inverted IQ and the polarity bit for normal IQ, or the other way round."""
        normal = bool(self._set.registers[codes.IQ_POLARITY] & 4)
        return length > _LONG_PAYLOAD and normal == self._set.inverted_iq

    def _packet_status(self) -> bytes:
        """Table 13-82: -RSSI * 2 of the whole band, SNR * 4, -RSSI * 2 of the signal alone."""
        noise_over_signal_db = -self._snr_db
        whole_dbm = self._rssi_dbm + (noise_over_signal_db if noise_over_signal_db > 0 else 0)
        snr = max(-128, min(127, round(self._snr_db * 4))) & 0xFF
        return bytes((_half_db(whole_dbm), snr, _half_db(self._rssi_dbm)))

    def _sound(self, sending: bool) -> bool:
        """Whether it is set up to send or receive at all; what is not as it should be but works is written down."""
        settings = self._set
        refused = settings.missing(sending)
        if refused:
            self._refuse(refused)
            return False
        tuning = settings.tuning()
        if settings.low_rate != low_data_rate(tuning.sf, tuning.bandwidth_hz):
            self.fault(f"low data rate optimisation is {settings.low_rate} at SF{tuning.sf}/{tuning.bandwidth_hz}")
        if not sending:
            low_mhz, high_mhz = settings.image_band
            if not low_mhz <= tuning.frequency_hz / 1e6 <= high_mhz:
                self.fault(f"{tuning.frequency_hz} Hz outside the band the image is calibrated for")
        return True

    def _reach_db(self, sending: bool) -> float:
        """What the antenna switch costs."""
        right = self._set.dio2_switch if self.switch == "dio2" else self._switch_is("tx" if sending else "rx")
        if not right:
            self.fault(f"the antenna switch is not set to {'send' if sending else 'receive'}")
        return 0.0 if right else RX_OFF_LOSS_DB

    def _transmit(self, ticks: int, start_us: int) -> None:
        settings = self._set
        tuning = settings.tuning()
        power_dbm = settings.power_dbm() - self._reach_db(True)
        if settings.registers[codes.TX_CLAMP] & 0x1E != 0x1E:
            self.fault("TX clamp not set (15.2)")
            power_dbm -= _CLAMPED_DB
        if bool(settings.registers[codes.TX_MODULATION] & 4) == (tuning.bandwidth_hz == 500_000):
            self.fault("TX modulation bit wrong for the bandwidth (15.1)")
            power_dbm -= _BAD_MODULATION_DB
        if settings.power_dbm() > 19 and settings.registers[codes.OCP] * 2.5 < 118:
            self.fault("over-current protection below what the amplifier draws")
            power_dbm -= _CLAMPED_DB
        length = settings.length
        air_us = airtime_us(
            length, tuning.sf, tuning.bandwidth_hz, crc=settings.crc, preamble_symbols=settings.preamble
        )
        end_us = start_us + air_us
        if ticks and start_us + ticks * codes.TICK_US < end_us:
            self.fault("the time-out of SetTx is shorter than the frame")
            end_us = round(start_us + ticks * codes.TICK_US)
        payload = bytes(self._buffer[settings.tx_base + place & 0xFF] for place in range(length))
        emission = Emission(self.station, start_us, end_us, tuning, power_dbm, payload, settings.preamble, settings.crc)
        self._tx_until_us = end_us
        self.emissions.append(emission)
        self.medium.transmit(emission)

    def _listen(self, ticks: int, opened_us: int) -> None:
        settings = self._set
        tuning = settings.tuning()
        if self._reach_db(False):
            tuning = replace(tuning, frequency_hz=0)  # deaf
        timer_us = None if ticks in (0, 0xFFFFFF) else round(ticks * codes.TICK_US)
        if self._stuck_timer_us is not None:
            # Section 15.3: the timer of the reception before goes on. On the chip after an implicit header; here after
            # any, since Semtech's own driver clears it after any.
            left_us = max(0, self._stuck_timer_us - opened_us)
            timer_us = left_us if timer_us is None else min(timer_us, left_us)
            self._stuck_timer_us = None
        symbols = settings.symbol_timeout
        self._open(Window(tuning, opened_us, symbols, timer_us, settings.stop_on_preamble))


def _half_db(dbm: float) -> int:
    return max(0, min(255, round(-2 * dbm)))
