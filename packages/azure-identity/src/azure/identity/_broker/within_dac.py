"""What the published broker package looks at to tell a chain.

Whether a credential runs inside a chain is told to it with each request (`TokenRequest.context`); no credential of this
package looks here. The variable is set only while a credential of the published broker package is asked.
"""

from __future__ import annotations

from contextvars import ContextVar

within_dac: ContextVar[bool] = ContextVar("within_dac", default=False)
"""Whether a member of `DefaultAzureCredential` that belongs to another package is being asked."""
