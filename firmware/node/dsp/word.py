"""The word size a kernel was built for, against the one it is being imported on."""

import sys


def require(bits: int) -> None:
    """Raise ImportError when kernels built for `bits` would give wrong numbers on this interpreter.

    Source files say 32, because every node is a 32-bit chip; on a 64-bit MicroPython they have to come from
    `judder build` (or the virtual board, which does it by itself), which compiles them for 64.
    """
    here = 64 if sys.maxsize >> 31 else 32
    if here != bits:
        raise ImportError("kernels built for %d bit, this MicroPython has %d: build for this board" % (bits, here))
