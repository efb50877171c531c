"""Locks: their names and order, the holder record, what a look at one means, and the protocol."""
