"""Tokens for programs: how a client proves itself, what it may ask for, and what the token says."""
