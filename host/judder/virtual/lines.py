"""What DTR and RTS do to an ESP32 board: reset, and which way it boots.

Development boards cross the two lines over two transistors: EN (reset) is pulled low while RTS is asserted and DTR is
not, GPIO0 (boot mode) while DTR is asserted and RTS is not. Over a network the two lines arrive as separate messages
tens of milliseconds apart, so a model with the time constant of the EN capacitor boots the wrong mode every time.
This one has no time in it:

    running --(RTS asserted while DTR is not)--> held in reset --(RTS released)--> boots; DTR at that instant:
                                                                                  asserted: download, else run

Opening a port (both asserted, in either order DTR first) and closing it (RTS first, then DTR) therefore reset nothing.
"""

from __future__ import annotations

HOLD = "hold"
BOOT_DOWNLOAD = "boot-download"
BOOT_RUN = "boot-run"


class ResetLines:
    """Follows DTR and RTS (True: asserted, as pyserial counts) and says what the board does about a change."""

    def __init__(self) -> None:
        self.dtr = False
        self.rts = False
        self.held = False

    def update(self, dtr: bool, rts: bool) -> str | None:
        """New state of both lines -> None, "hold", "boot-download" or "boot-run"."""
        self.dtr, self.rts = dtr, rts
        if self.held:
            if rts:
                return None
            self.held = False
            return BOOT_DOWNLOAD if dtr else BOOT_RUN
        if rts and not dtr:
            self.held = True
            return HOLD
        return None
