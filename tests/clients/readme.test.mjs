// The program of README.md, as it stands there, against a node.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { Client, eventually, mount, RoomView, sharedNode, unique } from './support.mjs';

let node;
before(async () => {
  node = await sharedNode();
});
after(() => node.end());

/** The program, talking to our node and our room. */
function program(room) {
  const [, code] = readFileSync(new URL('../../README.md', import.meta.url), 'utf8').match(/```js\n(.*?)```/s);
  const moved = code.replace('ws://localhost:4000/socket', mount(node.url)).replace('room:general', `room:${room}`);
  assert.notEqual(moved, code);
  return `import WebSocket from 'ws'; globalThis.WebSocket = WebSocket;
    import { webcrypto } from 'node:crypto'; globalThis.crypto ??= webcrypto;
    ${moved}`;
}

test('the program of the README shows what was said, says hello and goes on', { timeout: 30_000 }, async () => {
  const room = unique('readme');
  const client = await new Client(node.url, unique('author')).connect();
  const view = await new RoomView(client, room).join();
  await view.send('before');
  const reader = spawn(process.execPath, ['--input-type=module', '--eval', program(room)], {
    cwd: new URL('.', import.meta.url),
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let said = '';
  reader.stdout.on('data', (data) => (said += data));
  await eventually('the hello', () => view.contents().includes('Hello'));
  await view.send('after');
  await eventually(`what was said after; got ${said}`, () => said.includes(' after\n'));
  reader.kill();
  await once(reader, 'exit');
  await client.disconnect();
  assert.match(said, / before\n/);
  assert.match(said, /^ada Hello$/m);
  assert.match(said, /^2$/m);
});
