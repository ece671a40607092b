"""Keys and certificates: made, kept in files, used to sign."""
