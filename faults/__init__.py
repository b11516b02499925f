"""The fault suite: real processes, really broken, and an account of every message from what is stored afterwards."""
