"""What goes from one worker to another: packed, since Bytewax would pickle it, twice."""
