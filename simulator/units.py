"""What a scenario's numbers are in: the unit that the vocabulary has for each metric."""

from __future__ import annotations

from devices.vocabulary import CANONICAL, METRICS, SYNONYMS


def unit_of(metric: str) -> str | None:
    """Return the unit of a metric; None for one that has none, or that the vocabulary does not know.

    >>> unit_of("soil_moisture"), unit_of("co2"), unit_of("flow"), unit_of("latitude"), unit_of("ph"), unit_of("mood")
    ('%', 'ppm', 'm³/h', '°', None, None)
    """
    quantity = METRICS.get(SYNONYMS.get(metric, metric))
    return None if quantity is None else CANONICAL[quantity]
