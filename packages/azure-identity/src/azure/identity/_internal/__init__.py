"""Names of the published package's private modules that other packages import. Nothing here uses them but for them."""
