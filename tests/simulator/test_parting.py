"""How a connection ends: in peace with its own words, and otherwise with its last will."""

from simulator.nanoseconds import SECOND
from simulator.scenario import Scenario
from simulator.world import World


def _device(convention):
    group = {"name": "t-1", "convention": convention, "metrics": {"temperature": {"base": 20}}}
    return World(Scenario.model_validate({"name": "lab", "devices": [group]}), epoch=1_750_000_000 * SECOND).devices[0].dialect


def test_homie_in_peace_is_disconnected_and_not_lost():
    """`lost` is for the broker to say: a device that ends by itself is `disconnected` (Homie 5, device lifecycle)."""
    dialect = _device("homie")
    assert [message.payload for message in [*dialect.goodbye(), *dialect.parting()]] == [b"disconnected"]
    assert dialect.will().payload == b"lost"


def test_tasmota_in_peace_is_offline():
    """Where the convention has one word for both, it is said in peace too."""
    dialect = _device("tasmota")
    assert dialect.parting() == [dialect.will()]
