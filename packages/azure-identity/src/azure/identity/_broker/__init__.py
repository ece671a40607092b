"""The only doors to msal, for signing in with the operating system's broker."""
