"""Streams: windows, triggers and actions over the journal, in one Bytewax dataflow."""
