"""SX1262 LoRa transceiver (Semtech, data sheet SX1261/2 rev. 2.1), seen from SPI, BUSY, DIO1 and NRESET.

Modelled: commands, registers, status, BUSY with the times of mode changes, oscillator and TCXO, calibrations and their
errors, data buffer, interrupts, LoRa modem, time-outs by symbols and by timer, retention in sleep, antenna switch, and
what happens without the workarounds of section 15. Not modelled: FSK, CAD, duty-cycled reception, currents, the RTC
wake-up.
"""

from __future__ import annotations

from judder.virtual.chips import sx1262_codes as codes
from judder.virtual.chips.sx1262_modem import Modem
from judder.virtual.chips.sx1262_state import Settings
from judder.virtual.lorawan.air import Medium

RC, XOSC, FS, RX, TX, SLEEP = "rc", "xosc", "fs", "rx", "tx", "sleep"
_FALLBACK = {0x20: RC, 0x30: XOSC, 0x40: FS}
_STATUS_MODE = {
    RC: codes.MODE_RC, XOSC: codes.MODE_XOSC, FS: codes.MODE_FS,
    RX: codes.MODE_RX, TX: codes.MODE_TX, SLEEP: codes.MODE_RC,
}  # fmt: skip


class Sx1262(Modem):
    """tcxo_mv: supply its TCXO needs on DIO3, None for a crystal. tcxo_start_us: until that oscillates."""

    max_baudrate = 16_000_000

    def __init__(
        self,
        medium: Medium | None = None,
        station: object | None = None,
        *,
        tcxo_mv: int | None = None,
        tcxo_start_us: int = 3000,
        switch: str | None = "dio2",
    ) -> None:
        super().__init__(medium, station, switch)
        self.tcxo_mv = tcxo_mv
        self.tcxo_start_us = tcxo_start_us
        self.stuck_busy = False
        self.mode = SLEEP
        self._waking = self._warm = False
        self.power_on()

    # --- pins

    def busy(self, now_us: int) -> int:
        """Level of BUSY. Without a supply the pin hangs in the air, and the pull-up of the board wins."""
        if not self.powered or self.stuck_busy or self._in_reset:
            return 1
        self._run(now_us)
        return int((self.mode == SLEEP and not self._waking) or now_us < self._busy_until_us)

    def dio1(self, now_us: int) -> int:
        """Level of DIO1."""
        if not self.powered or self._in_reset:
            return 0
        self._run(now_us)
        return int(self._irq & self._set.dio1_mask != 0)

    # --- SPI

    def select(self, now_us: int = 0) -> None:
        """NSS low; wakes it from sleep."""
        self._sent = bytearray()
        self._deaf = not self.powered or self._in_reset
        if self._deaf:
            return
        self._run(now_us)
        if self.mode == SLEEP and not self._waking:
            cold = not self._warm
            self._waking = True
            self._busy_until_us = now_us + (codes.COLD_START_US if cold else codes.WARM_START_US)
            self._wake(cold)

    def exchange(self, data: bytes, now_us: int) -> bytes:
        """Bytes of a command, in any number of pieces."""
        if self._deaf:
            return b"\xff" * len(data)
        self._run(now_us)
        if not self._sent and data and (self.stuck_busy or now_us < self._busy_until_us):
            self.fault(f"command 0x{data[0]:02x} while BUSY")
            self._deaf = True
            return b"\xff" * len(data)
        answer = bytearray()
        for byte in data:
            answer.append(self._status())
            place = len(self._sent)
            self._sent.append(byte)
            begin = codes.READS.get(self._sent[0])
            if begin is not None and place > begin:
                answer[-1] = self._answer(place - begin - 1)
        return bytes(answer)

    def deselect(self, now_us: int = 0) -> None:
        """NSS high: the command is carried out."""
        sent, self._sent = bytes(self._sent), bytearray()
        if self._deaf or not sent:
            return
        now_us = max(self._now_us, now_us)
        self._run(now_us)
        opcode = sent[0]
        self._command_status = 0
        if opcode in codes.READS:
            if opcode == codes.GET_STATUS and self.mode == RX:
                self.fault("GetStatus during reception")
            self._busy_until_us = max(self._busy_until_us, now_us + codes.COMMAND_US)
            return
        if opcode not in codes.LENGTHS:
            self._refuse(f"unknown command 0x{opcode:02x}")
            return
        length = codes.LENGTHS[opcode]
        if length is not None and len(sent) != length:
            self._refuse(f"command 0x{opcode:02x} with {len(sent) - 1} bytes of parameters")
            return
        self._busy_until_us = max(self._busy_until_us, now_us + codes.COMMAND_US)
        self._execute(opcode, sent[1:], now_us)

    # --- life

    def _start(self, now_us: int) -> None:
        """Power-on or NRESET: everything at its default, calibration runs."""
        self._sent = bytearray()
        self._deaf = False
        self._irq = 0
        self._errors = 0
        self._command_status = 0
        self._buffer = bytearray(256)
        self._rx_start = self._rx_length = 0
        self._rssi_dbm = self._snr_db = 0.0
        self._tx_until_us = None
        self._window = None
        self._stuck_timer_us = None
        self._waking = False
        self._warm = False
        self._tcxo_on = False
        self.mode = RC
        self._set = Settings()
        self._busy_until_us = now_us + codes.COLD_START_US
        self._calibrate(0x7F)

    def _wake(self, cold: bool) -> None:
        self.mode = RC
        self._tcxo_on = False
        self._set = Settings() if cold else self._set.retained()
        self._buffer = bytearray(256)  # section 6.3: not kept in sleep
        if cold:
            self._calibrate(0x7F)

    def _run(self, now_us: int) -> None:
        """Let time pass."""
        self._now_us = max(self._now_us, now_us)
        if self._waking and now_us >= self._busy_until_us:
            self._waking = False
        if self._tx_until_us is not None and now_us >= self._tx_until_us:
            self._tx_until_us = None
            self._raise(codes.TX_DONE)
            self._command_status = codes.COMMAND_TX_DONE
            self._fall_back()
        if self._window is not None:
            self._receive(now_us)

    def _fall_back(self) -> None:
        self.mode = _FALLBACK[self._set.fallback]
        self._tcxo_on = self._tcxo_on and self.mode != RC

    def _status(self) -> int:
        return _STATUS_MODE[self.mode] << 4 | self._command_status << 1

    # --- oscillator and calibration

    def _oscillates(self) -> bool:
        """Whether the 32 MHz are there: a crystal, or a TCXO fed through DIO3 for long enough."""
        if self.tcxo_mv is None:
            return not self._set.tcxo_mv
        wanted = self.tcxo_mv == self._set.tcxo_mv
        return wanted and (self._tcxo_on or self._set.tcxo_delay_us >= self.tcxo_start_us)

    def _oscillator_us(self) -> int:
        """What starting it adds to a change of mode."""
        return 0 if not self._set.tcxo_mv or self._tcxo_on else self._set.tcxo_delay_us

    def _calibrate(self, blocks: int) -> None:
        done = blocks & 0x03  # the RC oscillators need no other
        if self._oscillates():
            done = blocks
        else:
            self._errors |= codes.XOSC_ERROR
        self._set.calibrated |= done
        self._set.calibrated &= ~(blocks & ~done)
        if done & 0x40:
            self._set.image_band = codes.AFTER_RESET_BAND

    def _change(self, mode: str, now_us: int) -> bool:
        """To a mode that needs the oscillator; False when it does not start."""
        osc_us = self._oscillator_us()
        switch_us = codes.SWITCH_US.get((self.mode, mode), codes.SWITCH_US.get((RC, mode), 0))
        self._busy_until_us = now_us + osc_us + switch_us
        if not self._oscillates():
            self._errors |= codes.XOSC_ERROR
            self._command_status = codes.COMMAND_FAILED
            self.mode = RC
            return False
        if mode in (FS, RX, TX) and not self._set.calibrated & 0x04:
            self._errors |= codes.PLL_LOCK_ERROR
            self._command_status = codes.COMMAND_FAILED
            self.mode = RC
            return False
        self._tcxo_on = True
        self.mode = mode
        return True

    # --- commands

    def _answer(self, place: int) -> int:
        """Byte `place` of what a read command says."""
        opcode = self._sent[0]
        if opcode == codes.READ_REGISTER:
            address = (self._sent[1] << 8 | self._sent[2]) + place
            return self._set.registers.get(address, 0)
        if opcode == codes.READ_BUFFER:
            return self._buffer[self._sent[1] + place & 0xFF]
        data = {
            codes.GET_STATUS: bytes((self._status(),)),
            codes.GET_IRQ: self._irq.to_bytes(2, "big"),
            codes.GET_ERRORS: self._errors.to_bytes(2, "big"),
            codes.GET_RX_BUFFER: bytes((self._rx_length, self._rx_start)),
            codes.GET_PACKET: self._packet_status(),
            codes.GET_PACKET_TYPE: bytes((1 if self._set.lora else 0,)),
        }.get(opcode, b"")
        return data[place] if place < len(data) else 0

    def _execute(self, opcode: int, data: bytes, now_us: int) -> None:
        settings = self._set
        if opcode in (codes.SET_TX, codes.SET_RX, codes.SET_FS, codes.SET_STANDBY, codes.SET_SLEEP):
            self._set_mode(opcode, data, now_us)
        elif opcode == codes.CALIBRATE:
            self._busy_until_us = now_us + codes.CALIBRATE_US + self._oscillator_us()
            self._calibrate(data[0])
        elif opcode == codes.CALIBRATE_IMAGE:
            self._busy_until_us = now_us + codes.CALIBRATE_US + self._oscillator_us()
            self._calibrate(0x40)
            band = codes.IMAGE_BANDS.get((data[0], data[1]))
            if band is None:
                self.fault(f"CalibrateImage with {data.hex()}")
            else:
                settings.image_band = band
        elif opcode == codes.WRITE_BUFFER:
            for place, byte in enumerate(data[1:]):
                self._buffer[data[0] + place & 0xFF] = byte
        elif opcode == codes.CLEAR_IRQ:
            self._irq &= ~int.from_bytes(data, "big")
        elif opcode == codes.CLEAR_ERRORS:
            self._errors = 0
        else:
            if self.mode in (RX, TX):
                self.fault(f"command 0x{opcode:02x} during {self.mode}")
            refused = settings.apply(opcode, data)
            if refused:
                self._refuse(refused)
            elif opcode == codes.WRITE_REGISTER:
                self._written()

    def _written(self) -> None:
        registers = self._set.registers
        if registers[codes.RTC_CONTROL] == 0 and registers[codes.EVENT_CLEAR] & 2:
            self._stuck_timer_us = None
            registers[codes.EVENT_CLEAR] &= ~2

    def _set_mode(self, opcode: int, data: bytes, now_us: int) -> None:
        self._cut_short(now_us)
        self._close(now_us)
        if opcode == codes.SET_SLEEP:
            if self.mode not in (RC, XOSC):
                self.fault(f"SetSleep from {self.mode}")
            self._warm = bool(data[0] & 4)
            self.mode, self._tcxo_on = SLEEP, False
            self._busy_until_us = 0
        elif opcode == codes.SET_STANDBY and data[0] == 0:
            self.mode, self._tcxo_on = RC, False
        elif opcode == codes.SET_STANDBY:
            self._change(XOSC, now_us)
        elif opcode == codes.SET_FS:
            self._change(FS, now_us)
        elif self._sound(opcode == codes.SET_TX) and self._change(TX if opcode == codes.SET_TX else RX, now_us):
            ticks = int.from_bytes(data, "big")
            if opcode == codes.SET_TX:
                self._transmit(ticks, self._busy_until_us)
            else:
                self._listen(ticks, self._busy_until_us)
