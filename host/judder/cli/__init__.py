"""Command line: one short file per command, each calling one library function."""
