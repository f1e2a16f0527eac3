"""What other systems need to know of the contract, made from its tables: codec, schemas, discovery messages."""
