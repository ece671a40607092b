"""People: their accounts, the pages where they sign in, and the grants that give programs tokens of theirs.

In the order of a sign-in: `authorization` reads the request, `conversation` asks the person page by page (`pages`), a
`codes` entry carries the outcome to the token endpoint, `grants` redeems it, `user_tokens` makes the tokens. `face` is
all of it over HTTP, and `browser` a person for tests.
"""
