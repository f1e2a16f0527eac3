"""Chips as their data sheets describe them, register by register. The drivers never know."""
