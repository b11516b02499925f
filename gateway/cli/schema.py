"""`sluice schema`: what describes the events, and the config's files."""

from __future__ import annotations

from gateway.command_line import CONFIG, DATA, ConfigOption, DataOption, JsonOption, print_json
from gateway.events.command_line import schema


@schema.command("config")
def print_config_schemas(config: ConfigOption = CONFIG, data: DataOption = DATA, as_json: JsonOption = False) -> None:
    """Print the JSON Schemas of the config's files, by kind: flow, gateway, device, scenario."""
    from gateway.cli.config_schemas import document

    del config, data, as_json
    print_json(document())


__all__ = ["schema"]
