"""The faults, F01 to F32, by what breaks."""
