"""What stands behind an alert, a command, an episode or a window: `sluice why`."""
