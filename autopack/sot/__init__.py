"""The ledgers: segments, counts, guards and the plan that brings an index in line with them."""
