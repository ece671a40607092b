"""The measured programs. Each runs in a fresh process of one environment and prints its measurements as one line."""
