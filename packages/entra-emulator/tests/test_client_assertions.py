"""Certificates and federated tokens at the token endpoint."""

from __future__ import annotations

import base64
import datetime
import sys
import uuid
from typing import Any, Callable, Dict, List, Tuple

import jwt
import pytest
import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from entra_emulator import EntraEmulator, FederatedCredential

Make = Callable[..., str]
Send = Callable[..., requests.Response]
Claims = Callable[[requests.Response], Dict[str, Any]]

asyncio_before_3_11 = pytest.mark.skipif(
    sys.version_info < (3, 11), reason="asyncio warns about client transports that the peer has reset"
)

KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
"""One key for all certificates here: making keys is slow."""


def certificate(
    subject: str = "CN=client",
    *,
    key: Any = KEY,
    issuer: Any = None,
    days: Tuple[int, int] = (-1, 30),
    ca: bool = False,
) -> x509.Certificate:
    """A certificate; `issuer` is a pair of certificate and key, default itself."""
    name = x509.Name.from_rfc4514_string(subject)
    now = datetime.datetime.now(datetime.timezone.utc)
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(issuer[0].subject if issuer else name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + datetime.timedelta(days=days[0]))
        .not_valid_after(now + datetime.timedelta(days=days[1]))
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        .sign(issuer[1] if issuer else key, hashes.SHA256())
    )


def pem_of(*certificates: x509.Certificate, key: Any = KEY) -> bytes:
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return private + b"".join(one.public_bytes(serialization.Encoding.PEM) for one in certificates)


def x5c(*certificates: x509.Certificate) -> List[str]:
    return [base64.b64encode(one.public_bytes(serialization.Encoding.DER)).decode() for one in certificates]


def x5t(one: x509.Certificate, algorithm: Any = None) -> str:
    return base64.urlsafe_b64encode(one.fingerprint(algorithm or hashes.SHA1())).decode()


def refused(answer: requests.Response) -> int:
    """The AADSTS code of a refusal of the client (401)."""
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client"), answer.text
    code = answer.json()["error_codes"][0]
    assert answer.json()["error_description"].startswith(f"AADSTS{code}: ")
    return int(code)


# ---- certificates ----


@pytest.mark.parametrize("alg", ["PS256", "RS256"])
def test_certificate(make_assertion: Make, with_assertion: Send, claims_of: Claims, alg: str):
    """An assertion signed with a registered certificate authenticates, by PS256 or RS256."""
    found = claims_of(with_assertion(make_assertion(alg=alg)))

    assert found["appidacr"] == "2"


def test_sha1_thumbprint_with_padding(
    entra: EntraEmulator, make_assertion: Make, with_assertion: Send, claims_of: Claims
):
    """Older clients name their certificate by a padded SHA-1 thumbprint."""
    one = certificate()
    entra.app.add_certificate(pem_of(one))
    padded = x5t(one)

    assert padded.endswith("=")
    assert claims_of(with_assertion(make_assertion(alg="RS256", pem=pem_of(one), headers={"x5t": padded})))


def test_padded_segments(make_assertion: Make, entra: EntraEmulator, with_assertion: Send, claims_of: Claims):
    """Segments padded with `=` are no valid JWS, but clients that send them are served."""
    one = certificate()
    entra.app.add_certificate(pem_of(one))
    assertion = make_assertion(pem=pem_of(one), headers={"x5t#S256": x5t(one, hashes.SHA256())})
    payload = assertion.split(".")[1]
    header, claims = (part + "=" * (-len(part) % 4) for part in assertion.split(".")[:2])
    from cryptography.hazmat.primitives.asymmetric import padding

    signature = KEY.sign(f"{header}.{claims}".encode(), padding.PSS(padding.MGF1(hashes.SHA256()), 32), hashes.SHA256())

    assert payload
    assert claims_of(with_assertion(f"{header}.{claims}.{base64.urlsafe_b64encode(signature).decode()}"))


@pytest.mark.parametrize("tenant", ["id", "domain", "upper"])
@pytest.mark.parametrize("path", ["/oauth2/v2.0/token", "/oauth2/token", "/v2.0", "/", ""])
@pytest.mark.parametrize("base", ["authority", "http_authority", "127.0.0.1", "[::1]"])
def test_audience_forms(
    entra: EntraEmulator,
    make_assertion: Make,
    with_assertion: Send,
    claims_of: Claims,
    base: str,
    path: str,
    tenant: str,
):
    """The audience may name this endpoint by any of its names, or the tenant's issuer."""
    authority = getattr(entra, base, entra.authority.replace("localhost", base))
    name = {"id": entra.tenant.id, "domain": entra.tenant.domain, "upper": entra.tenant.domain.upper()}[tenant]

    assert claims_of(with_assertion(make_assertion(aud=f"{authority}/{name}{path}")))


@pytest.mark.parametrize(
    "audience",
    [
        "https://localhost:1/TENANT/oauth2/v2.0/token",
        "https://evil.example:PORT/TENANT/oauth2/v2.0/token",
        "https://localhost:PORT/common/oauth2/v2.0/token",
        "https://localhost:PORT/TENANT/oauth2/v2.0/authorize",
        "https://localhost:PORT/TENANT/oauth2/v2.0/token/",
        "https://localhost:x/TENANT/oauth2/v2.0/token",
        "api://AzureADTokenExchange",
        "",
    ],
)
def test_wrong_audience(entra: EntraEmulator, make_assertion: Make, with_assertion: Send, audience: str):
    """An assertion for anything else is refused."""
    audience = audience.replace("PORT", str(entra.port)).replace("TENANT", entra.tenant.id)

    assert refused(with_assertion(make_assertion(aud=audience))) == 700023


def test_audience_behind_a_proxy(entra: EntraEmulator, make_assertion: Make, with_assertion: Send, claims_of: Claims):
    """The host of the Host header is as good as the emulator's own, and so are the hosts of Microsoft's clouds."""
    path = f"/{entra.tenant.id}/oauth2/v2.0/token"

    for audience in (f"https://proxy.example{path}", f"https://login.microsoftonline.com{path}"):
        assert claims_of(with_assertion(make_assertion(aud=audience), headers={"Host": "proxy.example"}))


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"iss": "someone"}, 700021),
        ({"sub": "someone"}, 700021),
        ({"iss": None}, 50027),
        ({"sub": None}, 50027),
        ({"aud": None}, 50027),
        ({"exp": None}, 50027),
        ({"jti": None}, 50027),
        ({"exp": "soon"}, 50027),
        ({"exp": True}, 50027),
        ({"nbf": 1e300}, 50027),
        ({"exp": -1}, 700024),
    ],
)
def test_wrong_claims(make_assertion: Make, with_assertion: Send, changes: Dict[str, Any], code: int):
    """Each claim is checked."""
    assert refused(with_assertion(make_assertion(**changes))) == code


@pytest.mark.parametrize(
    ("nbf", "exp", "accepted"),
    [(-600, -299, True), (-600, -300, False), (300, 900, True), (301, 900, False), (-1000000, 1000000, True)],
)
def test_lifetime_with_skew(
    entra: EntraEmulator, make_assertion: Make, with_assertion: Send, nbf: int, exp: int, accepted: bool
):
    """Five minutes of clock skew are allowed, both ways, and no more."""
    entra.clock.freeze()
    now = entra.clock.now()
    answer = with_assertion(make_assertion(nbf=now + nbf, exp=now + exp))

    assert accepted == (answer.status_code == 200)
    if not accepted:
        assert refused(answer) == 700024


def test_the_clock_decides(entra: EntraEmulator, make_assertion: Make, with_assertion: Send):
    """Assertions are checked against the emulator's clock."""
    assertion = make_assertion()
    entra.clock.advance(3600)

    assert refused(with_assertion(assertion)) == 700024


def test_float_times_without_nbf(entra: EntraEmulator, make_assertion: Make, with_assertion: Send, claims_of: Claims):
    """Some clients send fractions of seconds, and no `nbf`."""
    now = entra.clock.now() + 0.25

    assert claims_of(with_assertion(make_assertion(nbf=None, iat=now, exp=now + 600)))


def test_unregistered_certificate(make_assertion: Make, with_assertion: Send):
    """A certificate that nobody registered proves nothing."""
    one = certificate()

    for headers in ({"x5t": x5t(one)}, {"x5c": x5c(one)}, {}):
        assert refused(with_assertion(make_assertion(pem=pem_of(one), headers=headers))) == 700027


def test_bad_signature(entra: EntraEmulator, make_assertion: Make, with_assertion: Send):
    """Naming a registered certificate is not enough: its key must have signed."""
    registered = make_assertion()
    headers = jwt.get_unverified_header(registered)
    forged = make_assertion(pem=pem_of(certificate()), headers={"x5t#S256": headers["x5t#S256"]})

    assert refused(with_assertion(forged)) == 700027


@pytest.mark.parametrize("alg", ["none", "HS256"])
def test_other_algorithms(make_assertion: Make, with_assertion: Send, alg: str):
    """Unsigned assertions, and those signed with a shared key, are refused."""
    claims = jwt.decode(make_assertion(), options={"verify_signature": False})
    forged = jwt.encode(claims, None if alg == "none" else "x" * 32, algorithm=alg)

    assert refused(with_assertion(forged)) == 5002738


@pytest.mark.parametrize("text", ["x", "a.b.c", "..", "é.é.é", "e30.e30.", "a" * 10000])
def test_not_an_assertion(with_assertion: Send, text: str):
    """Text that is no JWT is refused, and not repeated."""
    answer = with_assertion(text)

    assert refused(answer) in (50027, 5002738)
    assert len(answer.json()["error_description"]) < 400


def test_expired_certificate(entra: EntraEmulator, make_assertion: Make, with_assertion: Send):
    """A certificate outside its validity does not authenticate."""
    one = certificate(days=(-30, -1))
    entra.app.add_certificate(pem_of(one))

    assert refused(with_assertion(make_assertion(pem=pem_of(one), headers={"x5t": x5t(one)}))) == 1000502


def test_certificate_with_an_ec_key(entra: EntraEmulator, make_assertion: Make, with_assertion: Send):
    """Only RSA keys are supported."""
    one = certificate(key=ec.generate_private_key(ec.SECP256R1()))
    entra.app.add_certificate(one.public_bytes(serialization.Encoding.PEM))

    assert refused(with_assertion(make_assertion(pem=pem_of(certificate()), headers={"x5t": x5t(one)}))) == 700027


def test_chain_of_a_registered_leaf(
    entra: EntraEmulator, make_assertion: Make, with_assertion: Send, claims_of: Claims
):
    """A chain is accepted when its leaf is registered."""
    one = certificate()
    entra.app.add_certificate(pem_of(one))

    assert claims_of(with_assertion(make_assertion(pem=pem_of(one), headers={"x5c": x5c(one)})))
    assert (
        refused(with_assertion(make_assertion(pem=pem_of(one), headers={"x5c": x5c(one), "x5t": x5t(certificate())})))
        == 700027
    )


@pytest.mark.parametrize("chain", ["text", [], ["%"], [1], ["AAAA"]])
def test_broken_chain(make_assertion: Make, with_assertion: Send, chain: Any):
    """A broken `x5c` is refused as such."""
    assert refused(with_assertion(make_assertion(headers={"x5c": chain}))) in (50027, 700027)


def test_assertion_type(with_assertion: Send, ask: Send, make_assertion: Make):
    """The type of the assertion must be there, and right."""
    missing = ask(client_secret=None, client_assertion=make_assertion())
    wrong = ask(client_secret=None, client_assertion=make_assertion(), client_assertion_type="other")

    assert (missing.json()["error_codes"], wrong.json()["error_codes"]) == ([900144], [9002313])


def test_replays(entra: EntraEmulator, make_assertion: Make, with_assertion: Send, claims_of: Claims):
    """An assertion may be used again, unless the emulator is told otherwise."""
    assertion = make_assertion()
    assert claims_of(with_assertion(assertion)) and claims_of(with_assertion(assertion))

    entra.settings.refuse_replays = True
    assert claims_of(with_assertion(assertion))
    assert refused(with_assertion(assertion)) == 50027


# ---- subject name and issuer ----


def test_subject_name_and_issuer(entra: EntraEmulator, make_assertion: Make, with_assertion: Send, claims_of: Claims):
    """A certificate nobody registered is trusted for its subject, when the trusted authority has issued it."""
    root_key = ec.generate_private_key(ec.SECP256R1())
    root = certificate("CN=root", key=root_key, ca=True)
    between_key = ec.generate_private_key(ec.SECP256R1())
    between = certificate("CN=between", key=between_key, issuer=(root, root_key), ca=True)
    direct = certificate("CN=app.example", issuer=(root, root_key))
    indirect = certificate("CN=app.example", issuer=(between, between_key))
    entra.app.add_subject_name_issuer("CN=app.example", root.public_bytes(serialization.Encoding.PEM))

    def sign(*chain: x509.Certificate) -> requests.Response:
        return with_assertion(make_assertion(pem=pem_of(chain[0]), headers={"x5c": x5c(*chain)}))

    assert claims_of(sign(direct))
    assert claims_of(sign(direct, root))
    assert claims_of(sign(indirect, between, root))
    assert refused(sign(indirect)) == 700027
    assert refused(sign(certificate("CN=other.example", issuer=(root, root_key)))) == 700027
    assert refused(sign(certificate("CN=app.example"), root)) == 700027
    assert refused(sign(certificate("CN=app.example", issuer=(certificate("CN=root"), KEY)), root)) == 700027


def test_regional_host(entra: EntraEmulator, make_assertion: Make, with_assertion: Send, ask: Send, claims_of: Claims):
    """A regional endpoint serves a chain trusted by name, and refuses the rest. The audience stays central."""
    root_key = ec.generate_private_key(ec.SECP256R1())
    root = certificate("CN=root", key=root_key, ca=True)
    leaf = certificate("CN=app.example", issuer=(root, root_key))
    entra.app.add_subject_name_issuer("CN=app.example", root.public_bytes(serialization.Encoding.PEM))
    region = {"Host": f"westus2.localhost:{entra.port}"}

    assert claims_of(with_assertion(make_assertion(pem=pem_of(leaf), headers={"x5c": x5c(leaf)}), headers=region))
    assert refused(with_assertion(make_assertion(), headers=region)) == 100007
    assert refused(ask(headers={"Host": "westus2.login.microsoft.com"})) == 100007


# ---- federated tokens ----


def test_federated_token(entra: EntraEmulator, with_assertion: Send, claims_of: Claims):
    """A token of the hosted issuer authenticates the default app."""
    assert claims_of(with_assertion(entra.federated_token()))["appidacr"] == "2"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"issuer": "https://elsewhere.example"}, 700211),
        ({"audience": "api://other"}, 700212),
        ({"claims": {"aud": ["api://AzureADTokenExchange", "api://other"]}}, 700212),
        ({"subject": "someone"}, 700213),
        ({"subject": "SYSTEM:serviceaccount:default:entra-emulator"}, 700213),
        ({"lifetime": -301}, 700024),
        ({"claims": {"nbf": 4_000_000_000, "exp": 4_000_000_600}}, 700024),
    ],
)
def test_wrong_federated_tokens(entra: EntraEmulator, with_assertion: Send, changes: Dict[str, Any], code: int):
    """Issuer, audience, subject (all exactly) and times are checked."""
    assert refused(with_assertion(entra.federated_token(**changes))) == code


def test_federated_expiry_is_needed(entra: EntraEmulator, with_assertion: Send):
    """A token without an end is refused."""
    claims = jwt.decode(entra.federated_token(), options={"verify_signature": False})
    del claims["exp"]
    key = entra._realm.federation.key

    assert refused(with_assertion(key.sign(claims))) == 50027


def test_parts_of_different_credentials(entra: EntraEmulator, with_assertion: Send):
    """A token must meet one credential in whole."""
    entra.app.add_federated_credential(entra.federation_issuer("other"), "someone")
    answer = with_assertion(entra.federated_token(subject="someone"))

    assert (answer.status_code, answer.json()["error_codes"]) == (400, [70021])
    assert (
        with_assertion(entra.federated_token(subject="someone", issuer=entra.federation_issuer("other"))).status_code
        == 200
    )


def test_no_federated_credentials(entra: EntraEmulator, with_assertion: Send):
    """An app without federated credentials says so."""
    app = entra.add_app()

    assert refused(with_assertion(entra.federated_token(), client_id=app.client_id)) == 70025


def test_federated_signature(entra: EntraEmulator, with_assertion: Send):
    """A token that the issuer has not signed is refused, also with the emulator's other key."""
    claims = jwt.decode(entra.federated_token(), options={"verify_signature": False})
    kid = entra._realm.federation.key.kid

    for forged in (
        jwt.encode(claims, KEY, algorithm="RS256", headers={"kid": kid}),
        jwt.encode(claims, KEY, algorithm="RS256"),
        entra._realm.signing_key.sign(claims),
    ):
        assert refused(with_assertion(forged)) == 50013
    signed_under_another_name = jwt.encode(
        claims, entra._realm.federation.key.private_key, algorithm="RS256", headers={"kid": "other"}
    )
    assert refused(with_assertion(signed_under_another_name)) == 50013
    assert refused(with_assertion(jwt.encode(claims, KEY, algorithm="PS256"))) == 5002738


def test_issuer_of_another_server(key_dir: Any, entra: EntraEmulator, with_assertion: Send, claims_of: Claims):
    """Keys of an issuer hosted elsewhere are fetched by its discovery document, once, over TLS or loopback HTTP."""
    with EntraEmulator(key_dir=key_dir) as other:
        for base in (other.authority, other.http_authority):
            issuer = f"{base}/federation/cluster"
            entra.app.add_federated_credential(issuer, "workload")
            other.requests.clear()
            for _ in range(3):
                assert claims_of(with_assertion(other.federated_token(issuer=issuer, subject="workload")))
            assert [one.path for one in other.requests] == [
                "/federation/cluster/.well-known/openid-configuration",
                "/federation/cluster/keys",
            ]
            entra.reset()


def test_reset_forgets_fetched_keys(key_dir: Any, entra: EntraEmulator, with_assertion: Send, claims_of: Claims):
    """After a reset, the keys of an issuer are fetched anew."""
    with EntraEmulator(key_dir=key_dir) as other:
        issuer = f"{other.authority}/federation/cluster"
        for _ in range(2):
            entra.reset()
            entra.app.add_federated_credential(issuer, "workload")
            assert claims_of(with_assertion(other.federated_token(issuer=issuer, subject="workload")))

        assert other.requests.count("federation") == 4


@pytest.mark.parametrize(
    "fault",
    [
        {"status": 500},
        {"body": "no json"},
        {"body": "[]"},
        {"replace": {"issuer": "https://elsewhere.example"}},
        {"drop": "jwks_uri"},
        {"replace": {"jwks_uri": "http://192.0.2.1/keys"}},
        pytest.param({"reset": True}, marks=asyncio_before_3_11),
    ],
)
def test_issuer_that_fails(key_dir: Any, entra: EntraEmulator, with_assertion: Send, fault: Dict[str, Any]):
    """When an issuer's keys cannot be had, the client is told so."""
    with EntraEmulator(key_dir=key_dir) as other:
        issuer = f"{other.authority}/federation/cluster"
        entra.app.add_federated_credential(issuer, "workload")
        other.faults.add("federation", **fault)

        assert refused(with_assertion(other.federated_token(issuer=issuer, subject="workload"))) == 50166


def test_issuer_with_unusable_keys(key_dir: Any, entra: EntraEmulator, with_assertion: Send):
    """Keys of unknown kinds are ignored, as RFC 7517 says."""
    with EntraEmulator(key_dir=key_dir) as other:
        issuer = f"{other.authority}/federation/cluster"
        entra.app.add_federated_credential(issuer, "workload")
        other.faults.add("federation", nth=2, body={"keys": [{"kty": "future"}, 1, {}]})

        assert refused(with_assertion(other.federated_token(issuer=issuer, subject="workload"))) == 50013


def test_only_trusted_issuers_are_fetched(key_dir: Any, entra: EntraEmulator, with_assertion: Send):
    """An assertion cannot make the emulator ask a server that the app does not trust."""
    with EntraEmulator(key_dir=key_dir) as other:
        assert refused(with_assertion(other.federated_token())) == 700211
        assert len(other.requests) == 0


def test_credentials_given_at_registration(entra: EntraEmulator, with_assertion: Send, claims_of: Claims):
    """An app can be registered with its federated credentials."""
    credential = FederatedCredential(entra.federation_issuer("pipeline"), "sc://org/project/name")
    app = entra.add_app(secrets=(), federated_credentials=[credential])
    token = entra.federated_token(issuer=credential.issuer, subject=credential.subject)

    assert claims_of(with_assertion(token, client_id=app.client_id))["appid"] == app.client_id


def test_permissive_takes_any_assertion(key_dir: Any, make_assertion: Make, client: requests.Session):
    """A permissive emulator believes an unknown app's assertion, if it is well formed and for here."""
    with EntraEmulator(key_dir=key_dir, strict=False) as lax:
        app = str(uuid.uuid4())
        url = f"{lax.http_authority}/{lax.tenant.id}/oauth2/v2.0/token"

        def send(assertion: str) -> requests.Response:
            return client.post(
                url,
                data={
                    "grant_type": "client_credentials",
                    "client_id": app,
                    "client_assertion": assertion,
                    "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
                    "scope": ".default",
                },
                timeout=10,
            )

        signed = make_assertion(pem=pem_of(certificate()), headers={}, iss=app, sub=app, aud=url)
        assert send(signed).status_code == 200
        assert refused(send(make_assertion(iss=app, sub=app))) == 700023
        assert send(lax.federated_token(issuer="https://any.example")).status_code == 200
        assert refused(send(lax.federated_token(lifetime=-1000))) == 700024
