"""The life of a command after a flow, or a person, has asked for it."""
