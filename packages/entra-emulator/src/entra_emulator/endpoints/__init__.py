"""What answers over HTTP, and the realm that the answers come from."""
