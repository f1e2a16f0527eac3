"""Judder: decode what vibration nodes send; flash and provision them (the extras)."""

__version__ = "0.1.0"
