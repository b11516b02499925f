"""The config folder over time: what its files hold, and the last set of them that was good."""

from gateway.config.contents import Contents, Folder, applied_at_once, digest
from gateway.config.last_good import LastGood

CONFIG_STATE = "flows.json"
"""Which config runs, and what is wrong with the one in the folder: a file in the data folder, written by the flows process."""

CLUSTER_STATE = "cluster.json"
"""Of a host of a cluster, which it is, and for whom its flows wait: a file in the data folder, written by the flows process."""

__all__ = ["CLUSTER_STATE", "CONFIG_STATE", "Contents", "Folder", "LastGood", "applied_at_once", "digest"]
