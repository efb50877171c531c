"""Phase specs: what a phase may write, read, run and spend, refused where it is not said safely."""
