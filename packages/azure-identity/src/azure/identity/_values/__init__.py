"""Frozen values that travel between the other rooms, and every setting."""
