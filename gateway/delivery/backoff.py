"""How long to wait before trying again."""

from __future__ import annotations

import random
from dataclasses import dataclass

from gateway.delivery.destination import NotNowError


@dataclass(frozen=True)
class Backoff:
    """Seconds: twice as long after each failure, from `first` to `cap`, give or take a quarter so that gateways do not come in step.

    What the destination asks for (Retry-After) is honoured, never cut short; `slow` is the pace where only a person can help.
    """

    first: float = 0.5
    cap: float = 12.0
    slow: float = 24.0

    def delay(self, failures: int, failure: NotNowError) -> float:
        """Give the seconds to wait after the failure, the `failures`-th in a row (from 1)."""
        wait = self.slow if failure.alarm else min(self.cap, self.first * 2 ** min(failures - 1, 30))
        wait *= random.uniform(0.75, 1.25)  # noqa: S311  # no secret
        if failure.retry_after is None:
            return wait
        asked = failure.retry_after * random.uniform(1.0, 1.05)  # noqa: S311  # no secret
        return asked if failure.retry_after >= self.first else wait  # at once, again and again, would be an attack
