"""What devices say.

Conventions that turn MQTT messages into readings, and commands into messages. Pure: no network, no clock, no settings.
"""
