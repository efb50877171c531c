"""The only hands of Autopack: disk, databases and vectors. Errors are translated here."""
