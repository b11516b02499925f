"""When something becomes an episode, and when the episode ends: what a trigger watches, and the hysteresis, hold, cooldown and debounce around it."""

from flows.triggers.trigger import Change, Trigger
from flows.triggers.watches import RateOfChange, Stuck, Threshold, Watch

__all__ = ["Change", "RateOfChange", "Stuck", "Threshold", "Trigger", "Watch"]
