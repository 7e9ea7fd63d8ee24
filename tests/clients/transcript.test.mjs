// Plays the conversations of transcript.txt over a bare WebSocket, and the closes that no text file can show.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { eventually, sharedNode, unique, Wire } from './support.mjs';

const inboundMessageLimit = 256 * 1024;
const limits = { timeout: 30_000 };
let node;
before(async () => {
  node = await sharedNode();
});
after(() => node.end());

/** The conversations of the file: `{title, steps: [[kind, text, line]]}`. */
function conversations() {
  const found = [];
  const lines = readFileSync(new URL('transcript.txt', import.meta.url), 'utf8').split('\n');
  lines.forEach((line, index) => {
    if (line.startsWith('#') || !line.trim()) return;
    const [, kind, text] = line.match(/^(==|->|<-|<~) (.*)$/) ?? assert.fail(`line ${index + 1}: ${line}`);
    if (kind === '==') found.push({ title: text, steps: [] });
    else found.at(-1).steps.push([kind, text, index + 1]);
  });
  return found;
}

/** Whether a value is as written: equal, but `"*"` is anything and objects may have more members. */
function matches(written, value) {
  if (written === '*') return value !== undefined;
  if (written === null || typeof written !== 'object') return written === value;
  if (value === null || typeof value !== 'object' || Array.isArray(written) !== Array.isArray(value)) return false;
  if (Array.isArray(written) && written.length !== value.length) return false;
  return Object.entries(written).every(([key, part]) => matches(part, value[key]));
}

const isPresence = ([, , , event]) => event.startsWith('presence_');

async function expectFrame(wire, written) {
  const accepted = isPresence(written) ? () => true : (frame) => !isPresence(frame);
  const frame = await wire.next(accepted, JSON.stringify(written));
  assert.ok(matches(written, frame), `wanted ${JSON.stringify(written)}\n   got ${JSON.stringify(frame)}`);
}

/** Takes as many frames as are written; each must be the match of another one. */
async function expectInAnyOrder(wire, written) {
  const left = [...written];
  while (left.length) {
    const frame = await wire.next((frame) => !isPresence(frame), JSON.stringify(left));
    const index = left.findIndex((one) => matches(one, frame));
    assert.ok(index >= 0, `wanted one of ${JSON.stringify(left)}\n   got ${JSON.stringify(frame)}`);
    left.splice(index, 1);
  }
}

async function expectClose(wire, code) {
  await eventually(`close ${code}`, () => wire.closeCode !== undefined);
  assert.equal(wire.closeCode, code);
}

async function play(wire, steps) {
  let anyOrder = [];
  for (const [kind, text, line] of [...steps, ['end']]) {
    try {
      if (kind !== '<~') await expectInAnyOrder(wire, anyOrder.splice(0));
      if (kind === '<~') anyOrder.push(JSON.parse(text));
      else if (kind === '->') wire.send(text);
      else if (text?.startsWith('close ')) return await expectClose(wire, Number(text.slice('close '.length)));
      else if (kind === '<-') await expectFrame(wire, JSON.parse(text));
    } catch (error) {
      error.message = `transcript.txt:${line ?? 'end'}: ${error.message}`;
      throw error;
    }
  }
  wire.send([null, 'end', 'phoenix', 'heartbeat', {}]);
  return expectFrame(wire, [null, 'end', 'phoenix', 'phx_reply', { status: 'ok' }]);
}

describe('transcript', limits, () => {
  for (const { title, steps } of conversations()) {
    test(title, async () => {
      const suffix = unique('-');
      const own = steps.map(([kind, text, line]) => [kind, text.replace(/"room:(\w+)"/g, `"room:$1${suffix}"`), line]);
      const wire = await Wire.open(node.url);
      await play(wire, own);
      wire.close();
    });
  }
});

describe('closes', limits, () => {
  const text = (bytes) => (wire) => wire.webSocket.send(Buffer.from(bytes), { binary: false });
  const binary = (bytes) => (wire) => wire.webSocket.send(Buffer.from(bytes), { binary: true });
  const raw = (bytes) => (wire) => wire.webSocket._socket.write(Buffer.from(bytes));
  const sized = (size) => (wire) => wire.send('x'.repeat(size));
  const cases = [
    ['text that is not UTF-8 with 1007', text([0x5b, 0x22, 0xc3, 0x28, 0x22, 0x5d]), 1007],
    ['a message over the limit with 1009', sized(inboundMessageLimit + 1), 1009],
    ['a message of the limit only for what is in it', sized(inboundMessageLimit), 1002],
    ['a binary message of an unknown kind with 1002', binary([0x7f, 0, 0, 0, 0]), 1002],
    ['a binary message cut short with 1002', binary([0x00, 0x02]), 1002],
    ['a frame without a mask with 1002', raw([0x81, 0x02, 0x5b, 0x5d]), 1002],
    ['a reserved bit with 1002', raw([0xc1, 0x80, 0, 0, 0, 0]), 1002],
    ['a declared length beyond every limit with 1009', raw([0x81, 0xff, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0]), 1009],
  ];
  for (const [title, send, code] of cases) {
    test(title, async () => {
      const [bad, other] = [await Wire.open(node.url), await Wire.open(node.url)];
      send(bad);
      await expectClose(bad, code);
      await play(other, []);
      other.close();
    });
  }

  test('a client that closes gets its own code back', async () => {
    const wire = await Wire.open(node.url);
    wire.webSocket.close(1000);
    await expectClose(wire, 1000);
  });
});
