"""The chip below the application: clock, reset and sleep, watchdog, RTC memory, flash partitions, identity."""
