"""Handlers pyserial finds by URL scheme once this package stands in serial.protocol_handler_packages."""
