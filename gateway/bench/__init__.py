"""`sluice bench`: what this machine does with Sluice, beside what a C client merely receives; each figure measured on real processes."""
