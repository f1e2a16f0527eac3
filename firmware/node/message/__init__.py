"""From numbers to messages of the contract: build.py."""
