"""Firmware of the node, in the order data flows: sensors, dsp, alarm, message, store, link. Only app.py joins them."""
