"""A board without the board: boot loader, chips, MicroPython, air."""
