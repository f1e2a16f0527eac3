# Put into the firmware as node/slow.py by tests/node/esp32_speed.py, it charges the virtual board's clock with what an
# ESP32 would take: kernels by instructions a sample, the rest by estimates. slow_costs.py has the numbers.
import gc
import time

from node import app
from node import slow_costs as costs
from node.alarm import engine
from node.dsp import decimate, envelope, features, moments, spectrum, stats
from node.sensors import bus, unpack, unpack16, unpack20

# As in tests/bench/bench_kernels.py: cycles an instruction takes, and instructions of a call of a viper function.
_US = 1.4 / costs.CPU_MHZ
_CALL = 900
# Bytecode, estimated: on a computer whose loops are 42 times as fast as an ESP32's at 160 MHz a block's features took
# 32 us around the kernels, a decision of the alarms 15 us; here with room. The others are guesses.
_TAKE_US = 2000
_EVALUATE_US = 1000
_LOOP_US = 1500
_BURST_US = 40


def _charge(owner, name, us):
    """After each call let us(arguments) pass, or so many us."""
    real = getattr(owner, name)

    def slow(*arguments):
        result = real(*arguments)
        time.sleep_us(us if isinstance(us, int) else int(us(arguments)))
        return result

    setattr(owner, name, slow)


def _kernel(owner, name, instructions, place):
    """instructions for each sample, word or point; arguments[place] says how many."""
    _charge(owner, name, lambda arguments: (instructions * arguments[place] + 2 * _CALL) * _US)


_kernel(stats, "summary", costs.STATS, 1)
_kernel(moments, "summary", costs.MOMENTS, 1)
_kernel(envelope, "summary", costs.ENVELOPE, 1)
_charge(decimate, "decimate", lambda arguments: (costs.DECIMATE[arguments[0]] * arguments[3] + 2 * _CALL) * _US)
# All kernels of a record's spectrum, charged where they begin.
_kernel(spectrum, "survey", costs.RECORD, 1)
_kernel(unpack, "unpack", costs.UNPACK, 1)
_kernel(unpack16, "unpack", costs.UNPACK16, 1)
_kernel(unpack20, "unpack", costs.UNPACK20, 1)
for _device in (bus.SpiDevice, bus.I2cRegisters):
    _charge(_device, "burst", _BURST_US)
_charge(features.Features, "take", _TAKE_US)
_charge(engine.Engine, "evaluate", _EVALUATE_US)
_charge(app.Node, "tick", _LOOP_US)


class _Gc:
    mem_free = gc.mem_free
    mem_alloc = gc.mem_alloc

    @staticmethod
    def collect():
        gc.collect()
        time.sleep_us(costs.GC_US)


app.modes.gc = _Gc
