"""A simulation: a scenario, how it is to run, and against which broker."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path

from simulator.broker import Broker
from simulator.clock import Clock
from simulator.fleet import Fleet
from simulator.load import Loaded
from simulator.load import run as run_load
from simulator.load.stopping import told_to_stop
from simulator.scenario import Scenario

_OBSERVE_EVERY = 1.0


@dataclass(frozen=True)
class Simulation:
    """A scenario about to run.

    `state` is a file that the world is kept in: a fleet that starts with it goes on where the last one stopped. `truth` is a file that gets
    a line for each fault that is over; of a load, for each message that is acknowledged. `seconds` is how long it runs, None for until it is
    stopped. `speed` and `start` (epoch ns) are the devices' clock's, see `Clock`.
    """

    scenario: Scenario
    broker: Broker
    state: Path | None = None
    truth: Path | None = None
    seconds: float | None = None
    speed: float = 1.0
    start: int | None = None

    async def fleet(self, stop: asyncio.Event, *, observe: Callable[[Fleet], object] = lambda _: None) -> Fleet:
        """Run the fleet until `stop` is set or the time is over, and give it as it then is; `observe` is shown it every second.

        ValueError for a start ahead of now, OSError for a truth file that cannot be written or more connections than files may be open.
        """
        clock = Clock(now=time.time_ns(), speed=self.speed, seconds=self.seconds, start=self.start)
        fleet = Fleet(self.scenario, self.broker, clock=clock, state=self.state, truth=self.truth, seconds=self.seconds)
        async with _observing(fleet, observe):
            await fleet.run(stop)
        return fleet

    def in_foreground(self, *, observe: Callable[[Fleet], object] = lambda _: None) -> Fleet:
        """Run the fleet, as `fleet` does; SIGTERM and SIGINT end it as its time would."""

        async def foreground() -> Fleet:
            stop = asyncio.Event()
            for number in (signal.SIGTERM, signal.SIGINT):
                asyncio.get_running_loop().add_signal_handler(number, stop.set)
            return await self.fleet(stop, observe=observe)

        return asyncio.run(foreground())

    def load(self, *, on_progress: Callable[[Loaded], object] | None = None) -> Loaded:
        """Run a scenario that is a load; SIGTERM and SIGINT end it early. Raises as `simulator.load.run` does."""
        assert self.scenario.load is not None
        with told_to_stop() as stopped:
            return run_load(
                self.scenario.load,
                self.broker,
                seconds=self.seconds,
                seed=self.scenario.seed,
                start=self.start,
                truth=self.truth,
                stopped=stopped,
                on_progress=on_progress,
            )


@contextlib.asynccontextmanager
async def _observing(fleet: Fleet, observe: Callable[[Fleet], object]) -> AsyncIterator[None]:
    async def look() -> None:
        while True:
            await asyncio.sleep(_OBSERVE_EVERY)
            observe(fleet)

    looking = asyncio.create_task(look())
    try:
        yield
    finally:
        looking.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await looking
