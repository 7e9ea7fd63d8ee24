"""Joins a room, says hello, prints the welcome that follows. Debian's python3-websockets."""
import asyncio
import json
import sys

import websockets


async def talk(url, topic):
    async with websockets.connect(url) as socket:
        await socket.send(json.dumps(['1', '1', topic, 'phx_join', {}]))
        await socket.send(json.dumps(['1', '2', topic, 'new_message', {'content': 'hello from websockets'}]))
        async for text in socket:
            event, payload = json.loads(text)[3:]
            if event == 'new_message' and payload['content'].startswith('welcome'):
                print(payload['content'])
                return


asyncio.run(talk(*sys.argv[1:]))
