"""How a program names a managed identity. Pure, and light: constructors use it."""

from __future__ import annotations

from typing import Any, Mapping, NamedTuple, Optional

CLIENT_ID = "client_id"
OBJECT_ID = "object_id"
RESOURCE_ID = "resource_id"
EITHER_ID = "client or object id"
"""A GUID of which the program does not say what kind it is."""

_KINDS = {
    "client_id": CLIENT_ID,
    "clientid": CLIENT_ID,
    "object_id": OBJECT_ID,
    "principal_id": OBJECT_ID,
    "resource_id": RESOURCE_ID,
    "mi_res_id": RESOURCE_ID,
    "msi_res_id": RESOURCE_ID,
}
"""Keys of `identity_config`, with the names hosts use, which programs have come to write too."""
_RESERVED = ("resource", "api-version", "api_version", "bypass_cache")
"""Fields of every request. A second one of the same name would be a request for something else."""


class Identity(NamedTuple):
    """The identity a program asks for."""

    kind: str = ""
    """CLIENT_ID, OBJECT_ID, RESOURCE_ID or EITHER_ID; empty for the system-assigned one."""
    value: str = ""
    others: tuple[tuple[str, str], ...] = ()
    """Fields this library does not know, handed to the host as they are."""

    def __str__(self) -> str:
        named = [f"{self.kind.replace('_', ' ')} {self.value!r}"] if self.kind else []
        named += [f"{name} {value!r}" for name, value in self.others]
        return f"the identity with {' and '.join(named)}" if named else "the system-assigned identity"

    @property
    def key(self) -> str:
        """Equal for equal identities."""
        parts = [(self.kind, self.value.lower()), *self.others]
        return "&".join(f"{name}={value}" for name, value in parts if name)

    @property
    def shown(self) -> str:
        """For the log: the first field that names it, or nothing."""
        name, value = (self.kind, self.value) if self.kind else (self.others[0] if self.others else ("", ""))
        return f"{CLIENT_ID if name == EITHER_ID else name}: {value}" if name else ""


SYSTEM_ASSIGNED = Identity()


def configured_identity(
    client_id: Optional[str], object_id: Optional[str], resource_id: Optional[str], config: Optional[Mapping[str, Any]]
) -> Identity:
    """The identity that a credential's arguments name. An empty id is no id.

    :raises ValueError: more than one is named, or a resource id is given as another kind of id.
    :raises TypeError: an argument has the wrong type.
    """
    given = [
        (kind, id_text(kind, value))
        for kind, value in ((CLIENT_ID, client_id), (OBJECT_ID, object_id), (RESOURCE_ID, resource_id))
    ]
    named = [(kind, value) for kind, value in given if value]
    others: list[tuple[str, str]] = []
    if config is not None and not isinstance(config, Mapping):
        raise TypeError(
            f"identity_config must be a mapping, such as {{'object_id': '...'}}, but it is a {type(config).__name__}."
        )
    known: list[tuple[str, str]] = []
    for name, value in (config or {}).items():
        kind = _KINDS.get(name)
        if kind is not None:
            known.append((kind, id_text(f"identity_config[{name!r}]", value)))
        elif not isinstance(name, str) or name.lower() in _RESERVED:
            raise ValueError(f"identity_config must not contain {name!r}: every request has a field of that name.")
        elif value is not None and value != "":
            others.append((name, id_text(f"identity_config[{name!r}]", value)))
    if len(named) + len(known) > 1:
        where = [kind for kind, _ in named] + (["identity_config"] if known else [])
        raise ValueError(
            "a managed identity is named by exactly one of client_id, object_id and resource_id, as a keyword or in "
            f"identity_config, but more than one is given ({', '.join(where)})."
        )
    kind, value = (named + known + [("", "")])[0]
    if kind in (CLIENT_ID, OBJECT_ID) and is_resource_id(value):
        raise ValueError(f"{kind} is {value!r}, which is a resource id: give it as resource_id.")
    return Identity(kind if value else "", value, tuple(others))


def identity_of_any_kind(value: Optional[str]) -> Identity:
    """The identity that a client id, an object id or a resource id names, told by its form."""
    text = id_text("managed_identity_client_id", value)
    if not text:
        return SYSTEM_ASSIGNED
    if is_resource_id(text):
        return Identity(RESOURCE_ID, text)
    return Identity(EITHER_ID if is_guid(text) else CLIENT_ID, text)


def is_resource_id(text: str) -> bool:
    """Whether this is the id of an Azure resource."""
    return text.lower().startswith("/subscriptions/")


def is_guid(text: str) -> bool:
    """Whether this is a GUID in its usual form of 8-4-4-4-12 hexadecimal digits."""
    parts = text.split("-")
    return [len(part) for part in parts] == [8, 4, 4, 4, 12] and all(
        character in "0123456789abcdefABCDEF" for part in parts for character in part
    )


def id_text(name: str, value: Any) -> str:
    """The id without surrounding blanks; empty for None.

    :raises TypeError: it is not a string.
    """
    if value is None:
        return ""
    if not isinstance(value, str):
        raise TypeError(f"{name} must be a string, but it is a {type(value).__name__}.")
    return value.strip()
