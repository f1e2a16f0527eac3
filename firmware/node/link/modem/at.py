"""AT commands over a UART: one command at a time, lines in whatever pieces they come. Nothing here waits.

    at = At(uart, time, on_line)
    at.start("AT+DR=?", judge, 1000)
    at.work()                      as often as there is time; at.waiting() turns False when the command is over
    at.reply                       what judge made of the answer, None when the modem kept silent

judge(line) -> None: not mine, it goes to on_line; MORE: mine, and the answer goes on; anything else: the reply.

What is no printable ASCII in front of a line is noise of a modem that wakes or starts, and skipped. A line with such a
byte inside is damaged, and one longer than the buffer is no answer: both are dropped and counted.
"""

MORE = True

# A downlink of 242 bytes as hexadecimal digits, and what stands around it.
_LINE_BYTES = 640
_CHUNK_BYTES = 64
# Read at most so much in one go, whatever pours in.
_GULP_BYTES = 2048
# Modems send a line in one piece: half a line this old is noise.
_STALE_MS = 200


class ModemError(Exception):
    """The modem does not do what it should. wait_ms: when to try again, None for the usual back-off."""

    def __init__(self, text: str, wait_ms=None):
        self.wait_ms = wait_ms
        super().__init__(text)


class Refusal(ModemError):
    """Not now, says the modem (duty cycle, join back-off, busy); nothing is broken."""


class JoinError(ModemError):
    """The network does not answer the join request, or not in a way the modem understands."""


class At:
    """uart: readinto(buffer) -> bytes read, 0 or None for nothing; write(data) -> bytes taken. time: MicroPython's.

    heard: bytes that came in, garbled: lines dropped; both since the start of everything.
    """

    def __init__(self, uart, time, on_line):
        self._uart = uart
        self._time = time
        self._on_line = on_line
        self._chunk = bytearray(_CHUNK_BYTES)
        self._line = bytearray(_LINE_BYTES)
        self._length = 0
        self._damaged = False
        self._last_ms = time.ticks_ms()
        self._out = b""
        self._echo = ""
        self._judge = None
        self._since_ms = 0
        self._within_ms = 0
        self.reply = None
        self.heard = 0
        self.garbled = 0

    def start(self, text: str, judge, within_ms: int, before: bytes = b"") -> None:
        """Send a command. `before` goes out in front of it, to wake the modem or to end a line it has half of."""
        self._out = before + text.encode() + b"\r\n"
        self._echo = text
        self._judge = judge
        self._since_ms = self._time.ticks_ms()
        self._within_ms = within_ms
        self.reply = None

    def stop(self) -> None:
        """Forget the command under way; what is left of its answer goes to on_line."""
        self._judge = None
        self._out = b""

    def waiting(self) -> bool:
        """A command is under way."""
        return self._judge is not None

    def work(self) -> None:
        """Write and read what can be done now."""
        self._write()
        self._read()
        if self._judge is not None and self._time.ticks_diff(self._time.ticks_ms(), self._since_ms) >= self._within_ms:
            self.stop()

    # --- inside

    def _write(self) -> None:
        if self._out:
            taken = self._uart.write(self._out)
            self._out = self._out[taken:] if taken else self._out

    def _read(self) -> None:
        chunk = self._chunk
        total = 0
        while total < _GULP_BYTES:
            count = self._uart.readinto(chunk)
            if not count:
                break
            total += count
            for i in range(count):
                self._byte(chunk[i])
        now_ms = self._time.ticks_ms()
        if total:
            self.heard += total
            self._last_ms = now_ms
        elif (self._length or self._damaged) and self._time.ticks_diff(now_ms, self._last_ms) > _STALE_MS:
            self._damaged = True
            self._end()

    def _byte(self, value: int) -> None:
        if value == 10 or value == 13:
            self._end()
        elif 32 <= value < 127:
            if self._length < _LINE_BYTES:
                self._line[self._length] = value
                self._length += 1
            else:
                self._damaged = True
        elif self._length:
            self._damaged = True

    def _end(self) -> None:
        length, damaged = self._length, self._damaged
        self._length = 0
        self._damaged = False
        if damaged:
            self.garbled += 1
            return
        text = str(self._line[:length], "ascii").strip()
        if not text or text == self._echo:
            return
        if self._judge is not None:
            verdict = self._judge(text)
            if verdict is not None:
                if verdict is not MORE:
                    self.reply = verdict
                    self._judge = None
                return
        self._on_line(text)
