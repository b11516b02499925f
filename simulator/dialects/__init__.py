"""The dialects that simulated devices speak, one file each."""
