"""Panes merged ahead: what keeps the cost of a sliding window from growing with length/slide.

Panes stand at whole numbers; a block of level n is 2ⁿ of them that begin at a multiple of 2ⁿ. Any range is made of at most two blocks of each
level, so that a window of n panes closes with O(log n) merges, most of which the windows before it have made already. (The shape of FlatFAT:
Tangwongsan, Hirzel, Schneider, Wu: General Incremental Sliding-Window Aggregation, PVLDB 8, 2015.) The same panes are always merged in the same
order, whatever is remembered, so that rounding is the same after a restart.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import reduce
from typing import Any, NamedTuple

Pane = list[Any]
Blocks = dict[int, dict[int, Pane]]
"""Merged blocks by level, and by their number within it; plain builtins, part of a group's state."""


def parts(first: int, last: int) -> Iterator[tuple[int, int]]:
    """Split the panes from `first` up to `last` into blocks: level and number of each, in order.

    >>> list(parts(3, 12))
    [(0, 3), (2, 1), (2, 2)]
    >>> list(parts(0, 7))
    [(2, 0), (1, 2), (0, 6)]
    """
    while first < last:
        level = min(((first & -first) or 1 << 62).bit_length() - 1, (last - first).bit_length() - 1)
        yield level, first >> level
        first += 1 << level


class Merging(NamedTuple):
    """What a range is merged of.

    `pane` gives a pane by its number, None where there is none; `join` makes a new one of two, the earlier one first; and `keep` says whether
    a block that ends with a pane's number may be remembered.
    """

    pane: Callable[[int], Pane | None]
    join: Callable[[Pane, Pane], Pane]
    keep: Callable[[int], bool]


def merged(blocks: Blocks, first: int, last: int, merging: Merging) -> Pane | None:
    """Merge the panes from `first` up to `last`; None where there is none."""
    found = [block for level, number in parts(first, last) if (block := _block(blocks, level, number, merging)) is not None]
    return reduce(merging.join, found) if found else None


def _block(blocks: Blocks, level: int, number: int, merging: Merging) -> Pane | None:
    """Give a block, a remembered one where it is there."""
    if not level:
        return merging.pane(number)
    found = blocks.get(level, {}).get(number)
    if found is not None:
        return found
    left = _block(blocks, level - 1, 2 * number, merging)
    right = _block(blocks, level - 1, 2 * number + 1, merging)
    if left is None or right is None:
        return left if right is None else right
    block = merging.join(left, right)
    if merging.keep(((number + 1) << level) - 1):
        blocks.setdefault(level, {})[number] = block
    return block


def forget(blocks: Blocks, pane: int) -> None:
    """Forget the blocks over a pane that has changed."""
    for level, numbered in blocks.items():
        numbered.pop(pane >> level, None)


def forget_before(blocks: Blocks, pane: int) -> None:
    """Forget the blocks that begin before a pane: it is the first that is still there."""
    for level, numbered in blocks.items():
        for number in [one for one in numbered if one << level < pane]:
            del numbered[number]
