"""Signals: what a sensor would measure over time. The same seed gives the same values, on every machine and after every restart."""

from simulator.signals.counter import Counter
from simulator.signals.cycles import Daily, Weekly
from simulator.signals.dice import Dice
from simulator.signals.duty import Duty
from simulator.signals.follows import Follows
from simulator.signals.part import Moment, Value
from simulator.signals.recorded import Recorded, RecordedSpec
from simulator.signals.signals import Signals, problems_between
from simulator.signals.spec import SignalSpec
from simulator.signals.steps import Steps
from simulator.signals.track import Track
from simulator.signals.walk import Walk
from simulator.signals.weather import Weather

__all__ = [
    "Counter",
    "Daily",
    "Dice",
    "Duty",
    "Follows",
    "Moment",
    "Recorded",
    "RecordedSpec",
    "SignalSpec",
    "Signals",
    "Steps",
    "Track",
    "Value",
    "Walk",
    "Weather",
    "Weekly",
    "problems_between",
]
