"""The command `entra-emulator`."""
