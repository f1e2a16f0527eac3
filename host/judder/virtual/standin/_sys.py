# sys, as the node sees it: a copy of the real one with an ESP32's name on it, and a stdout whose buffer takes bytes
# as they are. (On an ESP32 print() puts CR before LF and sys.stdout.buffer does not; here the supervisor puts the CR,
# so bytes that must stay as they are go to it by the other door.)
import sys as _real
from collections import namedtuple

import _bus
import _wire


class _RawOut:
    def write(self, data, *span):
        # As every stream of MicroPython: write(buf), write(buf, length), write(buf, offset, length).
        at = span[0] if len(span) == 2 else 0
        data = bytes(memoryview(data)[at : at + span[-1]] if span else data)
        for at in range(0, len(data), 2048):
            _bus.call(_wire.RAW_OUTPUT, data[at : at + 2048])
        return len(data)

    def flush(self):
        pass


class _Out:
    def __init__(self):
        self.buffer = _RawOut()

    def write(self, *arguments):
        return _real.stdout.write(*arguments)

    def flush(self):
        pass


def setup(namespace, config):
    for name in dir(_real):
        if name[:2] != "__":
            namespace[name] = getattr(_real, name)
    i = _real.implementation
    fields = namedtuple("implementation", ("name", "version", "_machine", "_mpy", "_build", "_thread"))
    namespace["implementation"] = fields(
        i.name, i.version, config["machine"], getattr(i, "_mpy", 0), config["build"], "GIL"
    )
    namespace["platform"] = "esp32"
    namespace["stdout"] = _Out()
