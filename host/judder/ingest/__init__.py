"""The outside world -> payload bytes and who sent them."""
