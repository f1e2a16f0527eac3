"""Payload bytes -> records with units in their names. Pure: no input or output, no clock but one handed in."""

from judder.decode.batch import decode_batch
from judder.decode.command import encode_command
from judder.decode.explain import explain
from judder.decode.fast import decode
from judder.decode.track import Tracker

__all__ = ["Tracker", "decode", "decode_batch", "encode_command", "explain"]
