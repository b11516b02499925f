"""One file per convention, its samples beside it under the same stem."""
