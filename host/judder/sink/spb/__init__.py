"""Sparkplug B: payloads on the wire, the metrics of a node, and an edge node that speaks for all of them."""
