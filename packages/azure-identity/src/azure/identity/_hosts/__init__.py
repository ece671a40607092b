"""Where managed-identity tokens come from: one file per kind of host."""
