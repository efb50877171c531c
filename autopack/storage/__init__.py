"""Where disk space goes, what may be put away, and every reason against it."""
