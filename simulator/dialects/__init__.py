"""The dialects that simulated devices speak, one file each, under the names that their conventions have in the catalogue."""

from __future__ import annotations

from typing import Final

from simulator.dialect import Dialect
from simulator.dialects.aws_shadow import AwsShadow
from simulator.dialects.azure_iot import AzureIot
from simulator.dialects.chirpstack import ChirpStack
from simulator.dialects.esphome import Esphome
from simulator.dialects.home_assistant import HomeAssistant
from simulator.dialects.homie import Homie
from simulator.dialects.line_protocol import LineProtocol
from simulator.dialects.opcua_pubsub import OpcUaPubSub
from simulator.dialects.owntracks import OwnTracks
from simulator.dialects.packed import Packed
from simulator.dialects.plain_json import PlainJson
from simulator.dialects.plain_scalar import PlainScalar
from simulator.dialects.ruuvi import Ruuvi
from simulator.dialects.senml import Senml
from simulator.dialects.shelly_gen1 import ShellyGen1
from simulator.dialects.shelly_gen2 import ShellyGen2
from simulator.dialects.sparkplug_b import SparkplugB
from simulator.dialects.tasmota import Tasmota
from simulator.dialects.theengs import Theengs
from simulator.dialects.things_stack import ThingsStack
from simulator.dialects.victron import Victron
from simulator.dialects.zigbee2mqtt import Zigbee2Mqtt
from simulator.dialects.zwave_js import ZwaveJs
from simulator.manner import Manner
from simulator.timestamps import Timestamps

DIALECTS: Final[dict[str, type[Dialect]]] = {
    "aws_shadow": AwsShadow,
    "azure_iot": AzureIot,
    "chirpstack": ChirpStack,
    "esphome": Esphome,
    "home_assistant": HomeAssistant,
    "homie": Homie,
    "line_protocol": LineProtocol,
    "opcua_pubsub": OpcUaPubSub,
    "owntracks": OwnTracks,
    "packed": Packed,
    "plain_json": PlainJson,
    "plain_scalar": PlainScalar,
    "ruuvi": Ruuvi,
    "senml": Senml,
    "shelly_gen1": ShellyGen1,
    "shelly_gen2": ShellyGen2,
    "sparkplug_b": SparkplugB,
    "tasmota": Tasmota,
    "theengs": Theengs,
    "things_stack": ThingsStack,
    "victron": Victron,
    "zigbee2mqtt": Zigbee2Mqtt,
    "zwave_js": ZwaveJs,
}


def speak(convention: str, name: str, *, manner: Manner) -> Dialect:
    """Give a device of this name its tongue. The convention must be one of DIALECTS."""
    return DIALECTS[convention](name, manner)


__all__ = ["DIALECTS", "Dialect", "Manner", "Timestamps", "speak"]
