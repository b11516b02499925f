"""`sluice schema`: print what describes the events."""

from __future__ import annotations

import typer

from gateway.command_line import CONFIG, DATA, ConfigOption, DataOption, JsonOption, print_json

schema = typer.Typer(help="Print what describes the events that Sluice publishes, and the files of its config.", no_args_is_help=True)


@schema.command("asyncapi")
def print_asyncapi(config: ConfigOption = CONFIG, data: DataOption = DATA, as_json: JsonOption = False) -> None:
    """Print the AsyncAPI 3.0 document: topics, messages, schemas, examples."""
    from gateway.events.asyncapi import document

    del config, data, as_json
    print_json(document())


@schema.command("events")
def print_schemas(config: ConfigOption = CONFIG, data: DataOption = DATA, as_json: JsonOption = False) -> None:
    """Print the JSON Schemas: of whole events by their `type`, and of their data by its `dataschema`."""
    from gateway.events.schemas import document

    del config, data, as_json
    print_json(document())
