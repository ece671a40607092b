from azure.identity import DeviceCodeCredential
from caller import show

credential = DeviceCodeCredential()  # Prints device code prompt to stdout by default
show(credential)

# With custom prompt callback
def prompt_callback(verification_uri, user_code, expires_on):
    print(f"Go to {verification_uri} and enter code {user_code}")

credential = DeviceCodeCredential(
    client_id="<client-id>",
    prompt_callback=prompt_callback,
)
show(credential)
