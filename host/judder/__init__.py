"""Judder: decode what vibration nodes send; flash and provision them (the extras).

    from judder import decode
    reading = decode(payload)                  # Reading | Alarm | Hello | Ack | Capture | Spectrum | Command | Unknown
    reading.acceleration_rms_mg.x, reading.temperature_c

`decode` here is the function; it hides the package of the same name, so write `from judder.decode import records` or
`from judder import records`, not `import judder.decode.records as r`.
"""

from judder import errors
from judder.decode import Tracker, decode, decode_batch, encode_command, explain, records

__version__ = "0.1.0"

__all__ = ["Tracker", "__version__", "decode", "decode_batch", "encode_command", "errors", "explain", "records"]
