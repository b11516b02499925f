"""The faults, F01 to F33, by what breaks."""
