"""What credentials share: the core of every flow, its two faces, and what each family adds."""
