"""How well the flows found what was really wrong: alerts held against a truth file of labelled faults."""
