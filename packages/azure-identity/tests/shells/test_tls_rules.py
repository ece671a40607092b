"""Requests with rules of their own: no proxy, one certificate only, another name and other authorities."""

from __future__ import annotations

import asyncio
import datetime
import gc
import hashlib
import ssl
import sys
import threading
from pathlib import Path
from typing import Any, Callable, Iterator, NamedTuple, Optional

import loopback
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from loopback import Proxy, Server, eventually, reply
from worlds import Async, Sync, World

from azure.identity._outside.http import blocking_pool as _blocking_pool
from azure.identity._outside.http import pipes as _pipes
from azure.identity._outside.http import routes as _routes
from azure.identity._outside.http import suspending_pool as _suspending_pool
from azure.identity._outside.http import trust as _trust
from azure.identity._values.messages import Request, Tls, Unreachable

if sys.version_info < (3, 11):
    # asyncio itself forgets to close its half of a TLS connection that the server ended.
    pytestmark = pytest.mark.filterwarnings("ignore:unclosed transport:ResourceWarning")

NAME = "tokens.cluster.test"
START = datetime.datetime(2024, 1, 1)


class Node(NamedTuple):
    """A certificate as hosts make them for themselves, with its key, in one PEM file."""

    path: str
    pem: str
    sha1: str
    sha256: str


def certificate(subject: str, key: Any, *, issuer: str = "", signer: Any = None, years: int = 50, **extra: Any) -> Any:
    """A certificate with no more than X.509 demands, and the given extensions."""
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, subject)]))
        .issuer_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, issuer or subject)]))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(START - datetime.timedelta(days=400))
        .not_valid_after(START + datetime.timedelta(days=365 * years))
    )
    for extension, critical in extra.get("extensions", ()):
        builder = builder.add_extension(extension, critical)
    return builder.sign(signer or key, hashes.SHA256())


def pem(*certificates: Any) -> str:
    return "".join(one.public_bytes(Encoding.PEM).decode("ascii") for one in certificates)


def chain_file(path: Path, key: Any, *certificates: Any) -> str:
    """What a TLS server is configured with."""
    secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode("ascii")
    path.write_text(secret + pem(*certificates))
    return str(path)


def tls_server(chain: str, seen: Optional[list[Optional[str]]] = None, *names: str) -> ssl.SSLContext:
    """A server's TLS context. `seen` gets the name each client asked for; with `names`, any other is refused."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain)

    def choose(_: Any, name: Optional[str], __: Any) -> Optional[int]:
        if seen is not None:
            seen.append(name)
        return ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME if names and name not in names else None

    context.sni_callback = choose
    return context


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Node:
    """Self-signed, without any extension, and expired: nothing but its thumbprint speaks for it."""
    key = ec.generate_private_key(ec.SECP256R1())
    made = certificate("node", key, years=1)
    path = chain_file(tmp_path_factory.mktemp("node") / "node.pem", key, made)
    der = made.public_bytes(Encoding.DER)
    return Node(path, pem(made), hashlib.sha1(der).hexdigest(), hashlib.sha256(der).hexdigest())


class Cluster(NamedTuple):
    """An authority, and a server's certificate for `NAME`."""

    ca_pem: str
    chain: str


def new_cluster(folder: Path) -> Cluster:
    folder.mkdir(exist_ok=True)
    authority, ca_file = loopback.new_authority(folder)
    from entra_emulator.keys.certificate_authority import CertificateAuthority

    chain = folder / "server.pem"
    chain.write_bytes(CertificateAuthority(authority).issue([NAME]))
    return Cluster(Path(ca_file).read_text(), str(chain))


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Cluster:
    return new_cluster(tmp_path_factory.mktemp("cluster"))


@pytest.fixture(scope="module")
def other_cluster(tmp_path_factory: pytest.TempPathFactory) -> Cluster:
    return new_cluster(tmp_path_factory.mktemp("other"))


def send(world: World, request: Request, **options: Any) -> Any:
    return world.run(world.port(**options).send(request))


def refused(world: World, request: Request, **options: Any) -> Unreachable:
    with pytest.raises(Unreachable) as caught:
        send(world, request, **options)
    return caught.value


def routed(world: World, port: Any) -> list[Any]:
    """The port's pipes for requests with rules."""
    if isinstance(world, Sync):
        return list(port._routed or ())
    return [pipe for pipes in port._pipes._routed.values() for pipe in pipes] if port._pipes is not None else []


def is_closed(pipe: Any) -> bool:
    session = pipe._session
    if hasattr(session, "closed"):
        return bool(session.closed)
    # requests sessions know no end; what ends is their connections.
    return all(not adapter.poolmanager.pools.keys() for adapter in session.adapters.values())


# --- no proxy


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    with Proxy() as running:
        yield running  # type: ignore[misc]


def through_environment(proxy: Proxy, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
    return {}


def through_option(proxy: Proxy, _: pytest.MonkeyPatch) -> dict[str, Any]:
    return {"proxies": {"http": f"http://127.0.0.1:{proxy.port}", "https": f"http://127.0.0.1:{proxy.port}"}}


def through_policy(proxy: Proxy, _: pytest.MonkeyPatch) -> dict[str, Any]:
    from azure.core.pipeline.policies import ProxyPolicy

    return {"proxy_policy": ProxyPolicy(proxies={"http": f"http://127.0.0.1:{proxy.port}"})}


def through_policies(proxy: Proxy, _: pytest.MonkeyPatch) -> dict[str, Any]:
    from azure.core.pipeline.policies import ProxyPolicy

    return {"policies": [ProxyPolicy(proxies={"http": f"http://127.0.0.1:{proxy.port}"})]}


def through_hook(proxy: Proxy, _: pytest.MonkeyPatch) -> dict[str, Any]:
    def steer(request: Any) -> None:
        request.context.options["proxies"] = {"http": f"http://127.0.0.1:{proxy.port}"}

    return {"raw_request_hook": steer}


@pytest.mark.parametrize(
    "way",
    [through_environment, through_option, through_policy, through_policies, through_hook],
    ids=lambda way: way.__name__,
)
def test_a_direct_request_never_meets_a_proxy(
    world: World, proxy: Proxy, way: Callable[..., dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """However the proxy is configured. The same request without the rule goes through it."""
    options = way(proxy, monkeypatch)
    with Server(reply()) as server:
        port = world.port(**options)
        world.run(port.send(Request("GET", server.url, direct=True)))
        assert (len(server.requests), len(proxy.requests)) == (1, 0)

        world.run(port.send(Request("GET", server.url)))
        assert (len(server.requests), len(proxy.requests)) == (2, 1)


def test_no_trust_store_is_loaded_for_plain_http_on_this_machine(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Managed-identity hosts speak plain http, and a trust store costs tens of milliseconds. Other requests load it."""
    loaded: list[str] = []
    original = _trust.tls_context

    def note(options: Any, bundle: Any, user: str) -> ssl.SSLContext:
        loaded.append(user)
        return original(options, bundle, user)

    monkeypatch.setattr(_trust, "tls_context", note)
    with Server(reply()) as server:
        port = world.port(connection_verify=False)
        world.run(port.send(Request("GET", server.url, direct=True)))
        assert loaded == []
        world.run(port.send(Request("GET", server.url)))
        assert len(loaded) == 1


def test_a_direct_request_uses_the_users_transport(world: World, proxy: Proxy) -> None:
    """It is the user's choice; but the `proxies` option does not reach it. It is closed once, with the port."""
    closed = []
    transport = world.transport()
    original = transport.close

    def count() -> Any:
        closed.append(1)
        return original()

    transport.close = count
    with Server(reply()) as server:
        port = world.port(transport=transport, proxies={"http": f"http://127.0.0.1:{proxy.port}"})
        world.run(port.send(Request("GET", server.url, direct=True)))
        assert (len(server.requests), len(proxy.requests)) == (1, 0)
        world.run(port.send(Request("GET", server.url)))
        assert (len(server.requests), len(proxy.requests)) == (2, 1)
        assert closed == []
        world.run(port.close())

    assert len(closed) == 1


@pytest.mark.parametrize("order", [(False, True, True), (True, False, True)], ids=["plain first", "direct first"])
def test_pipes_of_one_port_do_not_mix(world: World, proxy: Proxy, order: tuple[bool, ...]) -> None:
    """A policy that the user gave is part of both pipelines, and each of them goes on by its own way."""
    from azure.core.pipeline.policies import AsyncHTTPPolicy, HTTPPolicy

    passed: list[str] = []

    class Count(HTTPPolicy[Any, Any]):
        def send(self, request: Any) -> Any:
            passed.append(request.http_request.url)
            return self.next.send(request)

    class AsyncCount(AsyncHTTPPolicy[Any, Any]):
        async def send(self, request: Any) -> Any:
            passed.append(request.http_request.url)
            return await self.next.send(request)

    policy = Count() if isinstance(world, Sync) else AsyncCount()
    with Server(reply()) as server:
        port = world.port(per_retry_policies=policy, proxies={"http": f"http://127.0.0.1:{proxy.port}"})
        for direct in order:
            world.run(port.send(Request("GET", server.url, direct=direct)))

    assert (len(passed), len(server.requests), len(proxy.requests)) == (3, 3, 1)


# --- one certificate only


def spelt(node: Node, spelling: str) -> str:
    return {
        "sha1": node.sha1,
        "sha1-upper": node.sha1.upper(),
        "sha1-colons": ":".join(node.sha1[i : i + 2] for i in range(0, 40, 2)).upper(),
        "sha1-blanks": f" {node.sha1[:20]} {node.sha1[20:]}\n",
        "sha256": node.sha256,
        "sha256-colons": ":".join(node.sha256[i : i + 2] for i in range(0, 64, 2)),
    }[spelling]


@pytest.mark.parametrize("spelling", ["sha1", "sha1-upper", "sha1-colons", "sha1-blanks", "sha256", "sha256-colons"])
def test_the_pinned_certificate_is_accepted(world: World, node: Node, spelling: str) -> None:
    """Whoever signed it, for whatever name, and although it has expired. Connections are used again."""
    with Server(reply(), tls=tls_server(node.path)) as server:
        port = world.port()
        for _ in range(2):
            answer = world.run(port.send(Request("GET", server.url, tls=Tls(thumbprint=spelt(node, spelling)))))
            assert answer.status == 200

        assert (len(server.requests), server.connections) == (2, 1)


@pytest.mark.parametrize("length", [40, 64])
def test_another_certificate_gets_nothing(world: World, node: Node, length: int, pauses: list[float]) -> None:
    """Not a byte of the request, and there is no second try."""
    seen: list[Optional[str]] = []
    request = Request("GET", "", {"Secret": "PLANTED-SECRET-fabric"}, tls=Tls(thumbprint="0" * length))
    with Server(reply(), tls=tls_server(node.path, seen)) as server:
        error = refused(world, request._replace(url=server.url))

        assert server.requests == []
    shown = node.sha1 if length == 40 else node.sha256
    assert error.kind == "tls"
    assert error.reason == (
        f"the server's certificate is not trusted (its thumbprint is {shown}, and not {'0' * length})"
    )
    assert (seen, pauses) == ([None], [])


def test_a_trusted_certificate_does_not_replace_the_pinned_one(
    world: World, cluster: Cluster, node: Node, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Being signed by an authority that the process trusts counts for nothing."""
    bundle = tmp_path / "bundle.pem"
    bundle.write_text(cluster.ca_pem)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(bundle))
    with Server(reply(), tls=tls_server(cluster.chain)) as server:
        error = refused(world, Request("GET", server.url, tls=Tls(thumbprint=node.sha1)))

        assert (error.kind, server.requests) == ("tls", [])


@pytest.mark.parametrize("thumbprint", ["", "thumbprint", "0" * 39, "0" * 41, "0" * 32, "g" * 40])
def test_a_malformed_thumbprint_is_refused_before_connecting(world: World, thumbprint: str) -> None:
    with pytest.raises(ValueError, match="40 hexadecimal digits"):
        send(world, Request("GET", loopback.refusing_url(), tls=Tls(thumbprint=thumbprint)))


def test_a_thumbprint_stands_alone(world: World) -> None:
    """Besides it, authorities or a name would be rules that nobody checks."""
    with pytest.raises(ValueError, match="have no meaning beside it"):
        send(world, Request("GET", "https://127.0.0.1:1/", tls=Tls(thumbprint="0" * 40, server_name=NAME)))


def test_a_pinned_request_never_meets_a_proxy(world: World, node: Node, proxy: Proxy, monkeypatch: Any) -> None:
    through_environment(proxy, monkeypatch)
    with Server(reply(), tls=tls_server(node.path)) as server:
        send(world, Request("GET", server.url, tls=Tls(thumbprint=node.sha1)), **through_option(proxy, monkeypatch))

        assert (len(server.requests), len(proxy.requests)) == (1, 0)


def redirecting(world: World) -> list[dict[str, Any]]:
    from azure.core.pipeline.policies import AsyncRedirectPolicy, RedirectPolicy

    policy = RedirectPolicy if isinstance(world, Sync) else AsyncRedirectPolicy
    return [{"permit_redirects": True}, {"redirect_policy": policy()}, {"policies": [policy()]}]


@pytest.mark.parametrize("way", [0, 1, 2], ids=["permit_redirects", "redirect_policy", "policies"])
def test_a_pinned_request_follows_no_redirect(world: World, node: Node, way: int) -> None:
    """It would carry the secret to somebody else. The answer is handed on as it is."""
    answer = reply(302, b"", {"Location": "/elsewhere"})
    with Server(answer, tls=tls_server(node.path)) as server:
        tls = Tls(thumbprint=node.sha1)
        assert send(world, Request("GET", server.url, tls=tls), **redirecting(world)[way]).status == 302

        assert [request.target for request in server.requests] == ["/token"]


def test_a_rule_for_tls_refuses_plain_http(world: World, node: Node) -> None:
    with Server(reply()) as server:
        error = refused(world, Request("GET", server.url, tls=Tls(thumbprint=node.sha1)))

        assert (error.kind, server.requests, len(server._open)) == ("tls", [], 0)


def test_a_busy_server_is_asked_again(world: World, node: Node, pauses: list[float]) -> None:
    """What is not retried is a wrong certificate; the pipeline's retries remain."""
    answers = [reply(503), reply(200)]
    with Server(lambda _: answers.pop(0), tls=tls_server(node.path)) as server:
        assert send(world, Request("GET", server.url, tls=Tls(thumbprint=node.sha1))).status == 200

        assert len(server.requests) == 2


class Refusing:
    """Stands for the user's own transport or session; must not be touched."""

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"the user's {name} was used")


@pytest.mark.parametrize("option", ["transport", "session", "connection_verify", "connection_cert"])
def test_a_rule_for_tls_leaves_the_users_transport_aside(world: World, node: Node, option: str) -> None:
    """None of these could keep the rule, so the library sends by itself."""
    value: Any = {"connection_verify": False, "connection_cert": "/nowhere.pem"}.get(option, Refusing())
    seen: list[Optional[str]] = []
    with Server(reply(), tls=tls_server(node.path, seen)) as server:
        port = unowned(world, option, value)
        assert world.run(port.send(Request("GET", server.url, tls=Tls(thumbprint=node.sha1)))).status == 200
        with pytest.raises(Unreachable):
            world.run(port.send(Request("GET", server.url, tls=Tls(thumbprint="0" * 40))))
        close_pipes(world, port)

        assert len(server.requests) == 1


def unowned(world: World, option: str, value: Any) -> Any:
    """A port that is not closed at the end, since that would touch the user's object."""
    made = world.port(**{option: value})
    world._made.pop()
    return made


def close_pipes(world: World, port: Any) -> None:
    async def close() -> None:
        for pipe in routed(world, port):
            released = pipe.release(port)
            if released is not None:
                await released

    world.run(close())


def test_a_policy_cannot_switch_the_check_off(world: World, node: Node) -> None:
    """Options that policies add for the transport do not loosen the rule."""

    def loosen(request: Any) -> None:
        request.context.options["connection_verify"] = False

    with Server(reply(), tls=tls_server(node.path)) as server:
        error = refused(world, Request("GET", server.url, tls=Tls(thumbprint="0" * 40)), raw_request_hook=loosen)
        assert (error.kind, server.requests) == ("tls", [])
        error = refused(world, Request("GET", server.url, tls=Tls(server_name=NAME)), raw_request_hook=loosen)
        assert (error.kind, server.requests) == ("tls", [])


# --- another name, other authorities


def test_the_given_name_is_sent_and_verified(world: World, cluster: Cluster) -> None:
    """The URL's host, an address here, is only where to connect."""
    seen: list[Optional[str]] = []
    with Server(reply(), tls=tls_server(cluster.chain, seen, NAME)) as server:
        tls = Tls(server_name=NAME, ca_pem=cluster.ca_pem)
        assert send(world, Request("POST", server.url, form={"a": "b"}, tls=tls)).status == 200

        assert [f"127.0.0.1:{server.port}"] == [request.headers["host"] for request in server.requests]
    assert seen == [NAME]


def test_a_certificate_for_another_name_is_refused(world: World, cluster: Cluster, pauses: list[float]) -> None:
    with Server(reply(), tls=tls_server(cluster.chain)) as server:
        tls = Tls(server_name="another.cluster.test", ca_pem=cluster.ca_pem)
        error = refused(world, Request("GET", server.url, tls=tls))

        assert (error.kind, server.requests, pauses) == ("tls", [], [])
    assert "Hostname mismatch" in error.reason


def test_without_a_name_the_url_must_match(world: World, cluster: Cluster) -> None:
    with Server(reply(), tls=tls_server(cluster.chain)) as server:
        error = refused(world, Request("GET", server.url, tls=Tls(ca_pem=cluster.ca_pem)))

        assert (error.kind, server.requests) == ("tls", [])


def test_a_name_that_the_server_does_not_know_is_a_tls_failure(world: World, cluster: Cluster) -> None:
    """Servers say so with the alert unrecognized_name (RFC 6066, section 3)."""
    with Server(reply(), tls=tls_server(cluster.chain, None, "another.cluster.test")) as server:
        tls = Tls(server_name=NAME, ca_pem=cluster.ca_pem)
        error = refused(world, Request("GET", server.url, tls=tls), retry_total=0)

    assert error.kind == "tls"
    assert error.reason == "the TLS handshake failed (TLSV1_UNRECOGNIZED_NAME)"


def test_only_the_given_authorities_are_trusted(
    world: World, cluster: Cluster, other_cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not those of the environment, nor what `connection_verify` names. Without any given, the usual ones are."""
    bundle = tmp_path / "bundle.pem"
    bundle.write_text(cluster.ca_pem)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(bundle))
    monkeypatch.setenv("SSL_CERT_FILE", str(bundle))
    with Server(reply(), tls=tls_server(cluster.chain)) as server:
        request = Request("GET", server.url, tls=Tls(server_name=NAME, ca_pem=other_cluster.ca_pem))
        error = refused(world, request, connection_verify=str(bundle))
        assert (error.kind, server.requests) == ("tls", [])

        assert send(world, request._replace(tls=Tls(server_name=NAME))).status == 200
        assert send(world, request._replace(tls=Tls(server_name=NAME, ca_pem=cluster.ca_pem))).status == 200


def test_the_rule_holds_through_a_proxy(
    world: World, cluster: Cluster, other_cluster: Cluster, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The tunnel's other end must show the certificate; the proxy sees neither."""
    seen: list[Optional[str]] = []
    through_environment(proxy, monkeypatch)
    with Server(reply(), tls=tls_server(cluster.chain, seen, NAME)) as server:
        request = Request("GET", server.url, tls=Tls(server_name=NAME, ca_pem=cluster.ca_pem))
        assert send(world, request).status == 200
        error = refused(world, request._replace(tls=Tls(server_name=NAME, ca_pem=other_cluster.ca_pem)))

        assert (error.kind, len(server.requests)) == ("tls", 1)
    assert [request.method for request in proxy.requests] == ["CONNECT", "CONNECT"]
    assert seen == [NAME, NAME]


def test_authorities_without_extensions_are_accepted(world: World, tmp_path: Path) -> None:
    """Clusters have such. Python 3.13 refuses them by default, and what a program accepts must not depend on that."""
    authority_key, server_key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    is_authority = (x509.BasicConstraints(ca=True, path_length=None), False)
    authority = certificate("cluster", authority_key, extensions=[is_authority])
    names = (x509.SubjectAlternativeName([x509.DNSName(NAME)]), False)
    leaf = certificate(NAME, server_key, issuer="cluster", signer=authority_key, extensions=[names])
    chain = chain_file(tmp_path / "server.pem", server_key, leaf)
    with Server(reply(), tls=tls_server(chain)) as server:
        tls = Tls(server_name=NAME, ca_pem=pem(authority))

        assert send(world, Request("GET", server.url, tls=tls)).status == 200


def test_a_given_certificate_is_an_anchor_whoever_signed_it(world: World, tmp_path: Path) -> None:
    """An intermediate authority, say, whose root is not given."""
    root_key, middle_key, server_key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(3))
    is_authority = (x509.BasicConstraints(ca=True, path_length=None), True)
    middle = certificate("middle", middle_key, issuer="root", signer=root_key, extensions=[is_authority])
    names = (x509.SubjectAlternativeName([x509.DNSName(NAME)]), False)
    leaf = certificate(NAME, server_key, issuer="middle", signer=middle_key, extensions=[names])
    chain = chain_file(tmp_path / "server.pem", server_key, leaf)
    with Server(reply(), tls=tls_server(chain)) as server:
        tls = Tls(server_name=NAME, ca_pem=pem(middle))

        assert send(world, Request("GET", server.url, tls=tls)).status == 200


def test_authorities_that_cannot_be_read_are_refused_before_connecting(world: World) -> None:
    with pytest.raises(ValueError, match="cannot be read"):
        send(world, Request("GET", "https://127.0.0.1:1/", tls=Tls(server_name=NAME, ca_pem="no certificate")))


# --- the life of pipes


def test_renewed_authorities_close_the_old_connections(world: World, cluster: Cluster, other_cluster: Cluster) -> None:
    """After a rotation only the new authority is trusted, and nothing of the old one stays open."""
    new_tls = tls_server(other_cluster.chain)
    with Server(reply(), tls=tls_server(cluster.chain)) as old, Server(reply(), tls=new_tls) as new:
        port = world.port()
        before = Tls(server_name=NAME, ca_pem=cluster.ca_pem)
        after = Tls(server_name=NAME, ca_pem=other_cluster.ca_pem)
        world.run(port.send(Request("GET", old.url, tls=before)))
        [pipe] = routed(world, port)
        world.run(port.send(Request("GET", new.url, tls=after)))

        assert is_closed(pipe)
        assert pipe not in routed(world, port)
        assert len(routed(world, port)) == 1
        with pytest.raises(Unreachable, match="not trusted"):
            world.run(port.send(Request("GET", old.url, tls=after)))


def test_a_rotation_does_not_cut_requests_under_way(world: World, cluster: Cluster, other_cluster: Cluster) -> None:
    """They get their answer on the old connection, which is closed after that."""
    arrived, go_on = threading.Event(), threading.Event()

    def slow(_: Any) -> bytes:
        arrived.set()
        go_on.wait(5)
        return reply()

    new_tls = tls_server(other_cluster.chain)
    with Server(slow, tls=tls_server(cluster.chain)) as old, Server(reply(), tls=new_tls) as new:
        port = world.port()
        first = Request("GET", old.url, tls=Tls(server_name=NAME, ca_pem=cluster.ca_pem))
        second = Request("GET", new.url, tls=Tls(server_name=NAME, ca_pem=other_cluster.ca_pem))
        statuses: list[int] = []
        if isinstance(world, Sync):
            thread = threading.Thread(target=lambda: statuses.append(world.run(port.send(first)).status))
            thread.start()
            assert arrived.wait(5)
            [pipe] = routed(world, port)
            statuses.append(world.run(port.send(second)).status)
            go_on.set()
            thread.join(5)
        else:
            pipe = world.run(overlap(port, first, second, arrived, go_on, statuses))

        assert statuses == [200, 200]
        if isinstance(world, Async):
            assert is_closed(pipe)


async def overlap(port: Any, first: Any, second: Any, arrived: Any, go_on: Any, statuses: list[int]) -> Any:
    task = asyncio.ensure_future(port.send(first))
    while not arrived.is_set():
        await asyncio.sleep(0.005)
    [pipe] = port._pipes.routed()
    statuses.append((await port.send(second)).status)
    go_on.set()
    statuses.append((await task).status)
    return pipe


def test_a_port_keeps_few_pipes(world: World) -> None:
    """However many certificates it was told to expect."""
    port = world.port(retry_total=0)
    for i in range(3 * _pipes.ROUTES):
        with pytest.raises(Unreachable):
            world.run(port.send(Request("GET", "https://127.0.0.1:1/", tls=Tls(thumbprint=f"{i:040x}"))))
    pipes = routed(world, port)
    world.run(port.close())

    assert len(pipes) == _pipes.ROUTES
    assert all(is_closed(pipe) for pipe in pipes)


def test_closing_ends_every_pipe(world: World, node: Node) -> None:
    """Those of requests with rules too, and also if there was never one without."""
    with Server(reply(), tls=tls_server(node.path)) as server, Server(reply()) as plain:
        port = world.port()
        world.run(port.send(Request("GET", server.url, tls=Tls(thumbprint=node.sha1))))
        world.run(port.send(Request("GET", plain.url, direct=True)))
        pipes = routed(world, port)
        world.run(port.close())

        assert len(pipes) == 2
        assert port.closed
        assert all(is_closed(pipe) for pipe in pipes)


def test_ports_with_equal_options_share_a_pipe(world: World, node: Node) -> None:
    """Per rule, as they do without rules."""
    with Server(reply(), tls=tls_server(node.path)) as server:
        first, second = world.port(retry_total=1), world.port(retry_total=1)
        for port in (first, second):
            world.run(port.send(Request("GET", server.url, tls=Tls(thumbprint=node.sha1.upper()))))
        world.run(first.close())
        world.run(second.send(Request("GET", server.url, tls=Tls(thumbprint=node.sha1))))

        assert (len(server.requests), server.connections) == (3, 1)


def test_a_pipe_ends_with_the_port_that_nobody_closed(node: Node) -> None:
    """A sync credential that is simply forgotten leaves no connection behind, once others are used for a while."""
    world = Sync()
    with Server(reply(), tls=tls_server(node.path)) as server:
        port = world.port()
        world.run(port.send(Request("GET", server.url, tls=Tls(thumbprint=node.sha1))))
        [pipe] = routed(world, port)
        world._made.clear()
        del port
        gc.collect()
        _blocking_pool._close_idle(float("inf"))

        assert eventually(lambda: is_closed(pipe))


def test_a_forked_child_makes_pipes_of_its_own(world: World, node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    """It must not write into its parent's connections."""
    with Server(reply(), tls=tls_server(node.path)) as server:
        port = world.port(headers={"own": "pipe"})
        request = Request("GET", server.url, tls=Tls(thumbprint=node.sha1))
        world.run(port.send(request))
        [before] = routed(world, port)
        monkeypatch.setattr(before, "_generation", -1)
        _blocking_pool._blocking_pipes.clear()
        _suspending_pool._async_pipes.clear()
        world.run(port.send(request))
        [after] = routed(world, port)

        assert after is not before
        assert not is_closed(before)
        assert server.connections == 2
        monkeypatch.undo()
        world.run(port.close())
        close_session(world, before)


def close_session(world: World, pipe: Any) -> None:
    closed = pipe._session.close()
    if closed is not None:
        world.run(closed)


# --- pure


def test_a_route_replaces_only_its_own_past() -> None:
    """The same name with other authorities; not another name, nor another kind of rule."""
    now = _routes.Route(False, Tls(server_name="a", ca_pem="2"))

    assert now.replaces(_routes.Route(False, Tls(server_name="a", ca_pem="1")))
    for other in (
        now,
        _routes.Route(True),
        _routes.Route(True, Tls(server_name="a", ca_pem="1")),
        _routes.Route(False, Tls(server_name="b", ca_pem="1")),
        _routes.Route(False, Tls(server_name="a")),
        _routes.Route(True, Tls(thumbprint="0" * 40)),
    ):
        assert not now.replaces(other)
        assert not _routes.Route(True, Tls(thumbprint="0" * 40)).replaces(other)


def test_a_plain_request_has_no_route() -> None:
    assert _routes.route_of(Request("GET", "https://a.test")) is None
