# A wireless network that is there when the file named by WLAN_UP exists, or always when that is not set.
import os

STA_IF = 0


def _up():
    path = os.getenv("WLAN_UP")
    if path is None:
        return True
    try:
        os.stat(path)  # noqa: PTH116  MicroPython
        return True
    except OSError:
        return False


class WLAN:
    def __init__(self, interface):  # noqa: ARG002
        self._active = False
        self._asked = False

    def active(self, on=None):
        if on is not None:
            self._active = on
            self._asked = False
        return self._active

    def connect(self, ssid, password):  # noqa: ARG002
        if not self._active:
            raise OSError("Wifi Not Started")
        self._asked = True

    def disconnect(self):
        self._asked = False

    def isconnected(self):
        return self._active and self._asked and _up()
