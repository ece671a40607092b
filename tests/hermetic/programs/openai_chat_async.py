import asyncio

from azure.identity.aio import DefaultAzureCredential, get_bearer_token_provider
from openai import AsyncAzureOpenAI

async def main():
    async with DefaultAzureCredential() as credential:
        token_provider = get_bearer_token_provider(
            credential,
            "https://cognitiveservices.azure.com/.default"
        )
        async with AsyncAzureOpenAI(
            azure_endpoint="https://<resource>.openai.azure.com/",
            azure_ad_token_provider=token_provider,
            api_version="2024-10-21",
        ) as client:
            question = [{"role": "user", "content": "good morning"}]
            for _ in range(2):
                answer = await client.chat.completions.create(model="a-model", messages=question)
                print(answer.choices[0].message.content)

asyncio.run(main())
