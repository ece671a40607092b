"""Who exists, and what each may do: tenants, apps, APIs, people."""
