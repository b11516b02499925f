"""A load: many devices that publish plain JSON as fast as a core can write it, and the truth about what was acknowledged."""

from simulator.load.generator import run
from simulator.load.loaded import Loaded
from simulator.load.spec import LoadSpec

__all__ = ["LoadSpec", "Loaded", "run"]
