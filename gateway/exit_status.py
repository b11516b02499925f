"""What the exit status of a process tells the supervisor."""

from __future__ import annotations

CONFIG_ERROR = 2
"""The config has findings: starting again cannot help."""
DAMAGED = 3
"""A file of the data folder is damaged: it is to be mended, and the process started again."""
ALONE = 5
"""Another process that is needed is gone, on this host or on another: all begin again."""
