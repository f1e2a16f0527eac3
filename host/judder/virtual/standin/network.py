# network.WLAN, station side. The sockets are the computer's own; the access point is the supervisor's and can be down.
import struct

import _bus
import _clock
import _wire

STA_IF = 0
AP_IF = 1

STAT_IDLE = 1000
STAT_CONNECTING = 1001
STAT_GOT_IP = 1010
STAT_BEACON_TIMEOUT = 200
STAT_NO_AP_FOUND = 201
STAT_WRONG_PASSWORD = 202
STAT_ASSOC_FAIL = 203
STAT_HANDSHAKE_TIMEOUT = 204

AUTH_OPEN = 0
AUTH_WPA2_PSK = 3

_mac = b"\0\0\0\0\0\0"
_name = "mpy-esp32"
_active = [False, False]


def setup(config):
    global _mac
    _mac = bytes.fromhex(config["mac"])


def hostname(name=None):
    global _name
    if name is None:
        return _name
    _name = name
    return None


def country(code=None):
    return "XX" if code is None else None


class WLAN:
    IF_STA = STA_IF
    IF_AP = AP_IF
    PM_NONE = 0
    PM_PERFORMANCE = 1
    PM_POWERSAVE = 2

    def __init__(self, interface=STA_IF):
        if interface not in (STA_IF, AP_IF):
            raise ValueError("invalid WLAN interface identifier")
        self._if = interface

    def active(self, on=None):
        if on is not None:
            if _active[self._if] and not on:
                _bus.call(_wire.NET_DISCONNECT)
            _active[self._if] = bool(on)
        return _active[self._if]

    def connect(self, ssid=None, key=None, *, bssid=None):
        if not _active[self._if] or self._if != STA_IF:
            raise OSError("Wifi Not Started")
        name = (ssid or "").encode()
        _bus.call(_wire.NET_CONNECT, bytes((len(name),)) + name + (key or "").encode())

    def disconnect(self):
        _bus.call(_wire.NET_DISCONNECT)

    def status(self, what=None):
        if what == "rssi":
            return -55
        if not _active[self._if]:
            return STAT_IDLE
        _clock.advance(20)
        return struct.unpack("<H", _bus.call(_wire.NET_STATUS))[0]

    def isconnected(self):
        return self.status() == STAT_GOT_IP

    def ifconfig(self, settings=None):
        up = self.isconnected()
        return ("127.0.0.1" if up else "0.0.0.0", "255.0.0.0", "127.0.0.1" if up else "0.0.0.0", "127.0.0.1")

    def ipconfig(self, what=None, **settings):
        if what == "addr4":
            return self.ifconfig()[:2]
        if what in ("has_dhcp4", "dhcp4"):
            return self.isconnected()
        return None

    def config(self, what=None, **settings):
        if what == "mac":
            return _mac
        if what in ("hostname", "dhcp_hostname"):
            return _name
        if what is not None:
            raise ValueError("unknown config param")
        if "hostname" in settings:
            hostname(settings["hostname"])
        return None
