"""The rig: a broker, a history, publishers, a proxy between them, and the gateway, each a real process that can be broken."""
