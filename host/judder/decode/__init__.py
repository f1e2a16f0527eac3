"""Payload bytes -> records with units in their names. Pure functions: no input or output, no clock."""

from judder.decode.command import encode_command
from judder.decode.explain import explain
from judder.decode.fast import decode

__all__ = ["decode", "encode_command", "explain"]
