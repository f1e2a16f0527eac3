"""Records -> the outside world."""
