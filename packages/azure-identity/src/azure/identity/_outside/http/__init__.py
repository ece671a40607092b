"""HTTP over shared azure-core pipelines."""
