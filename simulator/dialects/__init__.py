"""The dialects that simulated devices speak, one file each, and by which name a scenario asks for them."""

from __future__ import annotations

from typing import Any, Final

from simulator.dialects.aws_shadow import AwsShadow
from simulator.dialects.azure_iot import AzureIot
from simulator.dialects.chirpstack import ChirpStack
from simulator.dialects.esphome import Esphome
from simulator.dialects.home_assistant import HomeAssistant
from simulator.dialects.homie import Homie
from simulator.dialects.plain_json import PlainJson
from simulator.dialects.plain_scalar import PlainScalar
from simulator.dialects.shelly_gen1 import ShellyGen1
from simulator.dialects.shelly_gen2 import ShellyGen2
from simulator.dialects.sparkplug_b import SparkplugB
from simulator.dialects.tasmota import Tasmota
from simulator.dialects.things_stack import ThingsStack
from simulator.dialects.victron import Victron
from simulator.dialects.zigbee2mqtt import Zigbee2Mqtt
from simulator.dialects.zwave_js import ZwaveJs

DIALECTS: Final[dict[str, type[Any]]] = {
    "aws_shadow": AwsShadow,
    "azure_iot": AzureIot,
    "chirpstack": ChirpStack,
    "esphome": Esphome,
    "home_assistant": HomeAssistant,
    "homie": Homie,
    "plain_json": PlainJson,
    "plain_scalar": PlainScalar,
    "shelly_gen1": ShellyGen1,
    "shelly_gen2": ShellyGen2,
    "sparkplug_b": SparkplugB,
    "tasmota": Tasmota,
    "things_stack": ThingsStack,
    "victron": Victron,
    "zigbee2mqtt": Zigbee2Mqtt,
    "zwave_js": ZwaveJs,
}
"""Each is made of a device's name; what else it takes, `simulator.scenario.DeviceSpec.speak` gives it."""

ROOTED: Final = frozenset({HomeAssistant, PlainJson, PlainScalar})
"""Those whose topics begin with the scenario's root."""
