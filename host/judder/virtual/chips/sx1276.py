"""SX1276 LoRa transceiver (Semtech, data sheet SX1276/77/78/79 rev. 7), seen from SPI, DIO0, DIO1 and NRESET.

Modelled: registers of both pages as far as a LoRa node uses them, FIFO, modes and their times, interrupts and their
pins, LoRa modem, symbol time-out, amplifier and over-current protection, image calibration, and the settings the errata
note asks for. Not modelled: FSK, CAD, frequency hopping, currents.
"""

from __future__ import annotations

from dataclasses import replace

from judder.virtual.chips import sx1276_registers as reg
from judder.virtual.chips.lora import HEARD, Window, payload_of
from judder.virtual.chips.radio import RX_OFF_LOSS_DB, LoraRadio
from judder.virtual.lorawan.air import Emission, Medium, Tuning
from judder.virtual.lorawan.airtime import airtime_us, low_data_rate

_RECEIVING = (reg.RX_CONTINUOUS, reg.RX_SINGLE)


class Sx1276(LoraRadio):
    """tcxo: it has one, always fed, instead of a crystal."""

    max_baudrate = 10_000_000

    def __init__(
        self,
        medium: Medium | None = None,
        station: object | None = None,
        *,
        tcxo: bool = False,
        switch: str | None = None,
    ) -> None:
        super().__init__(medium, station, switch)
        self.tcxo = tcxo
        self.power_on()

    # --- pins

    def dio0(self, now_us: int) -> int:
        """Level of DIO0: RxDone, TxDone or CadDone, as mapped."""
        return self._pin((reg.RX_DONE, reg.TX_DONE, reg.CAD_DONE, 0), 6, now_us)

    def dio1(self, now_us: int) -> int:
        """Level of DIO1: RxTimeout, FhssChangeChannel or CadDetected, as mapped."""
        return self._pin((reg.RX_TIMEOUT, reg.FHSS, reg.CAD_DETECTED, 0), 4, now_us)

    def _pin(self, flags: tuple[int, int, int, int], shift: int, now_us: int) -> int:
        if not self.powered or self._in_reset:
            return 0
        self._run(now_us)
        return int(self._flags & flags[self._registers[reg.DIO_MAPPING] >> shift & 3] != 0)

    def reset(self, level: int, now_us: int) -> None:
        """NRESET; section 7.2.2 wants 5 ms after it."""
        held = self._in_reset
        super().reset(level, now_us)
        if held and not self._in_reset:
            self._ready_us = now_us + reg.RESET_US

    # --- SPI

    def select(self, now_us: int = 0) -> None:  # noqa: ARG002
        """A transfer begins; its first byte is the address."""
        self._address: int | None = None

    def deselect(self, now_us: int = 0) -> None:  # noqa: ARG002
        """The transfer ended."""
        self._address = None

    def exchange(self, data: bytes, now_us: int) -> bytes:
        """Address and data; the address counts on, at the FIFO it stays."""
        if not self.powered or self._in_reset:
            return b"\xff" * len(data)
        now_us = max(now_us, self._now_us)
        self._run(now_us)
        if now_us < self._ready_us:
            self.fault("access before it has come out of reset")
            return b"\xff" * len(data)
        answer = bytearray()
        for byte in data:
            if self._address is None:
                self._address, self._writing = byte & 0x7F, bool(byte & 0x80)
                answer.append(0)
                continue
            if self._writing:
                self._write(self._address, byte, now_us)
                answer.append(0)
            else:
                answer.append(self._read(self._address))
            if self._address != reg.FIFO:
                self._address = self._address + 1 & 0x7F
        return bytes(answer)

    # --- life

    def _start(self, now_us: int) -> None:
        self._registers = bytearray(128)
        for address, value in reg.DEFAULTS.items():
            self._registers[address] = value
        self._image_cal = 0x02  # of the FSK page
        self._fifo = bytearray(256)
        self._flags = 0
        self._address, self._writing = None, False
        self._tx_until_us = None
        self._window = None
        self._calibrated_hz = 434_000_000  # by itself, after power-on
        self._calibrating_until_us: int | None = None
        self._oscillates_us = now_us + reg.OSCILLATOR_US
        self._ready_us = now_us + reg.POWER_ON_US

    @property
    def mode(self) -> int:
        """Bits 2:0 of RegOpMode."""
        return self._registers[reg.OP_MODE] & 7

    @property
    def _lora(self) -> bool:
        return bool(self._registers[reg.OP_MODE] & reg.LORA)

    def _run(self, now_us: int) -> None:
        self._now_us = max(self._now_us, now_us)
        if self._calibrating_until_us is not None and now_us >= self._calibrating_until_us:
            self._calibrating_until_us = None
            self._calibrated_hz = self._frequency_hz()
        if self._tx_until_us is not None and now_us >= self._tx_until_us:
            self._tx_until_us = None
            self._raise(reg.TX_DONE)
            self._to(reg.STANDBY)
        closed = self._look(now_us)
        if closed is None:
            return
        if closed.why == HEARD:
            self._received(closed)
        else:
            self._raise(reg.RX_TIMEOUT)
        if self.mode == reg.RX_SINGLE:
            self._to(reg.STANDBY)
        else:
            assert closed.closed_us is not None
            self._open(Window(closed.tuning, closed.closed_us))

    def _received(self, window: Window) -> None:
        assert window.reception is not None
        payload, crc_error = payload_of(window.reception)
        registers = self._registers
        base = registers[reg.RX_BASE]
        for place, byte in enumerate(payload):
            self._fifo[base + place & 0xFF] = byte
        registers[reg.RX_CURRENT], registers[reg.RX_BYTES] = base, len(payload)
        registers[reg.HOP_CHANNEL] = 0x40 if window.reception.emission.crc else 0
        rssi_dbm, snr_db = window.reception.rssi_dbm, window.reception.snr_db
        # Section 5.5.5: the register says signal and noise together.
        offset_db = 157 if window.tuning.frequency_hz > reg.HIGH_BAND_HZ else 164
        strength = (rssi_dbm + offset_db) * 15 / 16 if snr_db >= 0 else rssi_dbm + offset_db - snr_db
        registers[reg.PKT_RSSI] = max(0, min(255, round(strength)))
        registers[reg.PKT_SNR] = max(-128, min(127, round(snr_db * 4))) & 0xFF
        self._raise(reg.VALID_HEADER | reg.RX_DONE | (reg.CRC_ERROR if crc_error else 0))

    def _raise(self, flags: int) -> None:
        self._flags |= flags & ~self._registers[reg.IRQ_MASK]

    def _to(self, mode: int) -> None:
        self._registers[reg.OP_MODE] = self._registers[reg.OP_MODE] & ~7 | mode

    # --- registers

    def _read(self, address: int) -> int:
        if address == reg.FIFO:
            if self.mode == reg.SLEEP:
                self.fault("FIFO read in sleep")
                return 0
            pointer = self._registers[reg.FIFO_PTR]
            self._registers[reg.FIFO_PTR] = pointer + 1 & 0xFF
            return self._fifo[pointer]
        if address in reg.LORA_PAGE and not self._lora:
            running = 0x20 if self._calibrating_until_us is not None else 0
            return self._image_cal & 0x9F | running if address == reg.IMAGE_CAL else 0
        if address == reg.IRQ_FLAGS:
            return self._flags
        return self._registers[address]

    def _write(self, address: int, value: int, now_us: int) -> None:
        if address == reg.FIFO:
            self._write_fifo(value)
        elif address == reg.OP_MODE:
            self._set_mode(value, now_us)
        elif address in reg.LORA_PAGE and not self._lora:
            self._write_fsk(address, value, now_us)
        elif address == reg.IRQ_FLAGS:
            self._flags &= ~value
        elif address not in reg.READ_ONLY:
            if address in reg.NOT_WHILE_BUSY and self.mode not in (reg.SLEEP, reg.STANDBY):
                self.fault(f"register 0x{address:02x} written in mode {self.mode}")
            self._registers[address] = value

    def _write_fifo(self, value: int) -> None:
        if self.mode == reg.SLEEP:
            self.fault("FIFO written in sleep")
            return
        pointer = self._registers[reg.FIFO_PTR]
        self._fifo[pointer] = value
        self._registers[reg.FIFO_PTR] = pointer + 1 & 0xFF

    def _write_fsk(self, address: int, value: int, now_us: int) -> None:
        if address != reg.IMAGE_CAL:
            self.fault(f"LoRa register 0x{address:02x} written in FSK mode")
            return
        self._image_cal = value
        if value & 0x40:
            if self.mode != reg.STANDBY:
                self.fault(f"image calibration in mode {self.mode}")
                return
            self._calibrating_until_us = now_us + reg.IMAGE_CAL_US

    def _set_mode(self, value: int, now_us: int) -> None:
        before, after = self.mode, value & 7
        if (value ^ self._registers[reg.OP_MODE]) & reg.LORA and before != reg.SLEEP:
            self.fault("LoRa bit changed outside sleep")
            value ^= reg.LORA
        self._cut_short(now_us)
        self._close(now_us)
        self._registers[reg.OP_MODE] = value
        if before == reg.SLEEP and after != reg.SLEEP:
            self._oscillates_us = now_us + reg.OSCILLATOR_US
        if after == reg.SLEEP:
            self._fifo = bytearray(256)
        elif after in (reg.TX, *_RECEIVING):
            if not value & reg.LORA:
                self.fault("FSK is not modelled")
                self._to(reg.STANDBY)
                return
            start_us = max(now_us, self._oscillates_us) + reg.SYNTHESIZER_US
            if after == reg.TX:
                self._transmit(start_us + reg.TRANSMITTER_US)
            else:
                self._listen(start_us + reg.RECEIVER_US, after == reg.RX_SINGLE)

    # --- modem

    def _frequency_hz(self) -> int:
        steps = int.from_bytes(self._registers[reg.FRF_MSB : reg.FRF_LSB + 1], "big")
        return round(steps * 32e6 / 2**19)

    def _tuning(self, sending: bool) -> Tuning | None:
        registers = self._registers
        bandwidth_hz = reg.BANDWIDTHS.get(registers[reg.MODEM_1] >> 4)
        sf = registers[reg.MODEM_2] >> 4
        if bandwidth_hz is None or not 7 <= sf <= 12 or registers[reg.MODEM_1] & 1:
            self.fault("modem configuration that is not modelled")
            return None
        # RegInvertIQ: bit 6 for reception; bit 0 for transmission, where 1 (the reset value) is not inverted.
        bits = registers[reg.INVERT_IQ]
        inverted = not bits & 1 if sending else bool(bits & 0x40)
        if registers[reg.INVERT_IQ_2] != (0x19 if inverted else 0x1D):
            self.fault("RegInvertIQ2 does not go with RegInvertIQ")
        tuning = Tuning(self._frequency_hz(), sf, bandwidth_hz, inverted, registers[reg.SYNC_WORD])
        if bool(registers[reg.MODEM_3] & 8) != low_data_rate(sf, bandwidth_hz):
            self.fault(f"low data rate optimisation wrong at SF{sf}/{bandwidth_hz}")
        if registers[reg.DETECT_OPTIMIZE] & 7 != 3 or registers[reg.DETECT_THRESHOLD] != 0x0A:
            self.fault("detection settings are those of SF6")
        if bool(registers[reg.TCXO] & 0x10) != self.tcxo:
            self.fault("RegTcxo does not go with the oscillator: deaf and dumb")
            return None
        return tuning

    def _loss_db(self, sending: bool) -> float:
        right = self._switch_is("tx" if sending else "rx")
        if not right:
            self.fault(f"the antenna switch is not set to {'send' if sending else 'receive'}")
        return 0.0 if right else RX_OFF_LOSS_DB

    def _power_dbm(self) -> float:
        """At the pin (section 5.4.2 and 5.4.3); the boards have their antenna on PA_BOOST."""
        registers = self._registers
        config, high = registers[reg.PA_CONFIG], registers[reg.PA_DAC] & 7 == 7
        if not config & 0x80:
            self.fault("RFO selected, the antenna is on PA_BOOST")
            return -40.0
        power_dbm = (config & 15) + (5 if high else 2)
        trim = registers[reg.OCP] & 31
        limit_ma = 45 + 5 * trim if trim <= 15 else min(240, -30 + 10 * trim)
        # Table 10: 87 mA at +17 dBm, 120 mA at +20 dBm.
        if registers[reg.OCP] & 0x20 and limit_ma < (120 if power_dbm > 17 else 87):
            self.fault("over-current protection below what the amplifier draws")
            return power_dbm - 5.0
        return power_dbm

    def _transmit(self, start_us: int) -> None:
        registers = self._registers
        tuning = self._tuning(True)
        if tuning is None:
            self._to(reg.STANDBY)
            return
        preamble = registers[reg.PREAMBLE_MSB] << 8 | registers[reg.PREAMBLE_LSB]
        crc, length = bool(registers[reg.MODEM_2] & 4), registers[reg.PAYLOAD_LENGTH]
        rate = registers[reg.MODEM_1] >> 1 & 7
        air_us = airtime_us(
            length, tuning.sf, tuning.bandwidth_hz, crc=crc, preamble_symbols=preamble, coding_rate=rate
        )
        base = registers[reg.TX_BASE]
        payload = bytes(self._fifo[base + place & 0xFF] for place in range(length))
        power_dbm = self._power_dbm() - self._loss_db(True)
        emission = Emission(self.station, start_us, start_us + air_us, tuning, power_dbm, payload, preamble, crc)
        self._tx_until_us = emission.end_us
        self.emissions.append(emission)
        self.medium.transmit(emission)

    def _listen(self, opened_us: int, single: bool) -> None:
        registers = self._registers
        tuning = self._tuning(False)
        if tuning is None:
            tuning = Tuning(0, 7, 125_000)
        wide = tuning.bandwidth_hz == 500_000
        if wide != bool(registers[reg.DETECT_OPTIMIZE] & 0x80):
            self.fault("AutomaticIFOn wrong for the bandwidth (errata 2.3)")
        if not wide and (registers[reg.IF_FREQ_2], registers[reg.IF_FREQ_1]) != (0x40, 0x00):
            self.fault("intermediate frequency wrong for the bandwidth (errata 2.3)")
        if registers[reg.HIGH_BW_1] != (0x02 if wide else 0x03) or (wide and registers[reg.HIGH_BW_2] != 0x64):
            self.fault("500 kHz optimisation wrong for the bandwidth (errata 2.1)")
        if (self._calibrated_hz > reg.HIGH_BAND_HZ) != (tuning.frequency_hz > reg.HIGH_BAND_HZ):
            self.fault("image not calibrated in this band")
        if self._loss_db(False):
            tuning = replace(tuning, frequency_hz=0)  # deaf
        symbols = (registers[reg.MODEM_2] & 3) << 8 | registers[reg.SYMBOL_LSB]
        if single and symbols < 4:
            self.fault(f"a symbol time-out of {symbols}: 4 to 1023 are allowed")
        self._open(Window(tuning, opened_us, symbols if single else 0))
