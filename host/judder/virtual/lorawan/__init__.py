"""LoRaWAN without radios: the air, gateways, a small network server, the Semtech UDP packet forwarder."""
