"""When a value deserves a message of its own: levels with hysteresis, as pure state machines."""
