"""What is wrong with a configuration, each finding at its place: reading YAML, checking it against a model, and saying so in a line."""

from gateway.findings.checked import Checked, Problem, Problems
from gateway.findings.composing import compose
from gateway.findings.document import Document, Place, Step
from gateway.findings.finding import ConfigError, Finding
from gateway.findings.quantities import DURATION_SCHEMA, Duration, PositiveDuration, Size, duration_text, parse_duration, parse_size
from gateway.findings.reading import Parsed, load_folder, misnamed, no_folder, open_document, parse, placed, read, read_folder, yaml_files
from gateway.findings.wording import hint

__all__ = [
    "DURATION_SCHEMA",
    "Checked",
    "ConfigError",
    "Document",
    "Duration",
    "Finding",
    "Parsed",
    "Place",
    "PositiveDuration",
    "Problem",
    "Problems",
    "Size",
    "Step",
    "compose",
    "duration_text",
    "hint",
    "load_folder",
    "misnamed",
    "no_folder",
    "open_document",
    "parse",
    "parse_duration",
    "parse_size",
    "placed",
    "read",
    "read_folder",
    "yaml_files",
]
