"""How a workspace is, over all capabilities, and how it was before."""
