from azure.identity import CertificateCredential
from caller import show

# From file path
credential = CertificateCredential(
    tenant_id="<tenant-id>",
    client_id="<client-id>",
    certificate_path="/path/to/cert.pem",
)
show(credential)

from pathlib import Path

cert_bytes = Path("/path/to/cert.pfx").read_bytes()

# From bytes with password
credential = CertificateCredential(
    tenant_id="<tenant-id>",
    client_id="<client-id>",
    certificate_data=cert_bytes,
    password="<password>",
    send_certificate_chain=True,  # Required for SNI auth
)
show(credential)
