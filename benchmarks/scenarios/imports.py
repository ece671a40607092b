"""What an import costs: `imports.py sync|aio [loaded]`. `loaded`: azure.core and requests are there already.

The floor, `imports.py floor`, imports what a typed library that logs and locks needs of the standard library.
"""

import sys
import time

if "loaded" in sys.argv:
    import azure.core.pipeline.policies
    import azure.core.pipeline.transport
    import requests

    # Both libraries need these names; azure-core resolves them on first use.
    _ = (requests.Session, azure.core.pipeline.transport.RequestsTransport, azure.core.pipeline.policies.RetryPolicy)

modules = len(sys.modules)
started = time.process_time()
if "floor" in sys.argv:
    import logging
    import threading
    import typing

    DefaultAzureCredential: typing.Any = (logging, threading)
elif "aio" in sys.argv:
    from azure.identity.aio import DefaultAzureCredential
else:
    from azure.identity import DefaultAzureCredential
taken = time.process_time() - started
modules = len(sys.modules) - modules
azure_core = "azure.core" in sys.modules

assert "floor" in sys.argv or DefaultAzureCredential.__name__ == "DefaultAzureCredential"
print(f'{{"import_ms": {taken * 1000}, "modules": {modules}, "azure_core": {int(azure_core)}}}')
