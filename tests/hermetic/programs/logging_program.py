import logging

# Enable verbose Azure Identity logging
logging.basicConfig(level=logging.DEBUG)
logger = logging.getLogger("azure.identity")
logger.setLevel(logging.DEBUG)

from azure.identity import DefaultAzureCredential

DefaultAzureCredential().get_token("https://management.azure.com/.default")
