"""The shape of a flow file, `config/flows/*.yaml`: its keys, their types and defaults. What they mean together is in `flows/rules.py`."""

from flows.flow_file.action import Action, CommandSpec, Republish
from flows.flow_file.select import Lookup, Select
from flows.flow_file.spec import FlowSpec
from flows.flow_file.trigger import WATCHES, Hold, Outside, TriggerSpec, parse_hold
from flows.flow_file.window import Window

__all__ = [
    "WATCHES",
    "Action",
    "CommandSpec",
    "FlowSpec",
    "Hold",
    "Lookup",
    "Outside",
    "Republish",
    "Select",
    "TriggerSpec",
    "Window",
    "parse_hold",
]
