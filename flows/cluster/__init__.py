"""Several hosts as one cluster: each reads its own partition of the journal, and a group's readings meet in its shard, wherever that is."""
