"""Side by side with the published azure-identity: `python -m benchmarks`. See README.md."""
