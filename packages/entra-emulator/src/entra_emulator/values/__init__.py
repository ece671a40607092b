"""What every room may know: time, errors, settings, addresses, and what Microsoft publishes. Imports no other room."""
