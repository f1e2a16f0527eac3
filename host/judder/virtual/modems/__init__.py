"""LoRaWAN modems with AT commands as models: the characters on their UART, and behind them a network."""
