"""MicroPython modules that stand in for an ESP32's: what the node imports as machine, esp32, network, time.

They run inside the MicroPython process of a virtual board and talk to the chips over an inherited socket (see
judder.virtual.bus). Only `_wire`, the list of message numbers, is imported on both sides.
"""
