// WebSocket stacks of other authors exchange messages with a node. The browser's has tests of its own.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { Client, eventually, mount, RoomView, sharedNode, unique } from './support.mjs';

const run = promisify(execFile);
const folder = fileURLToPath(new URL('stacks/', import.meta.url));
const commands = {
  ws: [process.execPath, `${folder}talk.mjs`, 'ws'],
  undici: [process.execPath, `${folder}talk.mjs`, 'undici'],
  websockets: ['/usr/bin/python3', `${folder}python_websockets.py`],
  java: ['/usr/bin/java', `${folder}Talk.java`],
  gorilla: ['/usr/bin/go', 'run', `${folder}talk.go`],
};
const environment = { ...process.env, GO111MODULE: 'off', GOPATH: '/usr/share/gocode', GOFLAGS: '' };

let node;
before(async () => {
  node = await sharedNode();
});
after(() => node.end());

describe('stacks', { timeout: 180_000 }, () => {
  for (const [name, [program, ...begin]] of Object.entries(commands)) {
    test(`${name} joins, speaks, hears and says goodbye`, async () => {
      const room = unique(name);
      const host = await new Client(node.url, unique('host')).connect();
      const view = await new RoomView(host, room).join();
      const url = `${mount(node.url)}/websocket?user_id=${unique(name)}&vsn=2.0.0`;
      const talk = run(program, [...begin, url, `room:${room}`], { env: environment, timeout: 150_000 });
      talk.catch(() => {});  // Looked at below.
      await eventually(`the hello of ${name}`, () => view.contents().includes(`hello from ${name}`), 150_000);
      await view.send(`welcome ${name} äöü`);
      const { stdout } = await talk;
      assert.equal(stdout.trim(), `welcome ${name} äöü`);
      await host.disconnect();
    });
  }
});
