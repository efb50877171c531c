"""Links of Markdown pages: what they are, where they lead, and which can be mended for certain."""
