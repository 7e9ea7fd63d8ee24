// What the client tests share: a chatxd to talk to, the released client, raw WebSockets, and a cable to cut.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Socket } from 'phoenix';
import WebSocket from 'ws';

export { WebSocket };

const waitMs = 10_000;
const startMs = 30_000;

/** A name that no other test and no earlier run has used. */
export function unique(stem) {
  unique.count = (unique.count ?? 0) + 1;
  return `${stem}-${process.pid}-${Date.now().toString(36)}-${unique.count}`;
}

/** Waits until `condition` gives something true, and returns that. `what` says in the failure what never came. */
export async function eventually(what, condition, ms = waitMs) {
  const deadline = Date.now() + ms;
  for (;;) {
    const value = await condition();
    if (value) return value;
    assert.ok(Date.now() < deadline, `not within ${ms} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

export function temporaryFolder() {
  const path = mkdtempSync(join(tmpdir(), 'chatx-clients-'));
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}

export async function freePort() {
  const probe = net.createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address();
  probe.close();
  await once(probe, 'close');
  return port;
}

/** The environment less what chatxd would take for its configuration: names that begin with `CHATX_`. */
function withoutConfiguration(environment) {
  return Object.fromEntries(Object.entries(environment).filter(([name]) => !name.startsWith('CHATX_')));
}

/** A chatxd process that the test owns: started by `start`, ended by the test, by its pid. */
export class Chatxd {
  static binary = process.env.CHATXD;

  /** Starts one and waits until it answers. The same port over restarts keeps the URL. */
  static async start({ port, flags = ['--dev'] }) {
    assert.ok(Chatxd.binary, 'set CHATXD to the path of a chatxd');
    const node = new Chatxd();
    node.url = `http://127.0.0.1:${port}`;
    node.log = '';
    node.process = spawn(Chatxd.binary, ['--listen', `127.0.0.1:${port}`, ...flags], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: withoutConfiguration(process.env),
    });
    node.ended = once(node.process, 'exit').then(([code, signal]) => ({ code, signal }));
    for (const stream of [node.process.stdout, node.process.stderr]) {
      stream.on('data', (data) => (node.log = (node.log + data).slice(-100_000)));
    }
    node.process.on('error', () => {});  // It cannot be run: `answers` says so.
    try {
      await eventually('an answer of /healthz', () => node.answers(), startMs);
    } catch (error) {
      node.process.kill('SIGKILL');
      throw new Error(`${error.message}; chatxd says:\n${node.log}`);
    }
    return node;
  }

  async answers() {
    assert.ok(this.process.pid, `cannot run ${Chatxd.binary}`);
    assert.ok(this.runs(), 'chatxd ended at once');
    return fetch(`${this.url}/healthz`).then((reply) => reply.ok, () => false);
  }

  runs() {
    return this.process.exitCode === null && this.process.signalCode === null;
  }

  /** Sends the signal and waits for the end: `{code, signal}`. */
  async end(signal = 'SIGTERM') {
    if (this.runs()) this.process.kill(signal);
    return this.ended;
  }
}

/** The node all tests of a file talk to: the one of $CHATX_URL, else an own one of $CHATXD until `end`. */
export async function sharedNode() {
  if (process.env.CHATX_URL) return { url: process.env.CHATX_URL, end: async () => {} };
  return Chatxd.start({ port: await freePort() });
}

/** The URL of the socket mount, as the phoenix client wants it. */
export const mount = (url) => `${url.replace(/^http/, 'ws')}/socket`;

/** A user through the released phoenix client. Keeps what its socket saw of closes, heartbeats and ended memberships. */
export class Client {
  constructor(url, user, options = {}) {
    this.closes = [];
    this.heartbeats = 0;
    this.ended = [];
    this.socket = new Socket(mount(url), { transport: WebSocket, params: { user_id: user }, ...options });
    this.socket.onClose((event) => this.closes.push(event.code));
    this.socket.onMessage(({ topic, event }) => {
      if (topic === 'phoenix' && event === 'phx_reply') this.heartbeats += 1;
      if (event === 'phx_close') this.ended.push(topic);
    });
  }

  async connect() {
    this.socket.connect();
    await eventually('the socket to open', () => this.socket.isConnected());
    return this;
  }

  /** Cuts the TCP connection without a close frame. */
  drop() {
    this.socket.conn.terminate();
  }

  disconnect() {
    return new Promise((resolve) => this.socket.disconnect(resolve));
  }
}

/** A push as a promise: the response of `ok`, or a Refused with the response of `error`. */
export function answer(push) {
  return new Promise((resolve, reject) => {
    push
      .receive('ok', resolve)
      .receive('error', (response) => reject(new Refused(response)))
      .receive('timeout', () => reject(new Error('no reply')));
  });
}

export class Refused extends Error {
  constructor(response) {
    super(`refused: ${JSON.stringify(response)}`);
    this.response = response;
  }
}

/** The response of a push that must be refused. */
export async function refusal(push) {
  const error = await answer(push).then((ok) => assert.fail(`accepted: ${JSON.stringify(ok)}`), (reason) => reason);
  if (!(error instanceof Refused)) throw error;
  return error.response;
}

/** A room as an application keeps it: in `messages` what the join replies and the live stream brought, in order. */
export class RoomView {
  /** `resume` makes the join parameters of a rejoin from the last message: by default none. */
  constructor(client, room, { params = {}, resume = () => ({}) } = {}) {
    this.messages = [];
    this.joins = [];
    this.channel = client.socket.channel(`room:${room}`, () => {
      const last = this.messages.at(-1);
      return last ? { ...params, ...resume(last) } : params;
    });
    this.channel.on('new_message', (message) => this.messages.push(message));
  }

  async join() {
    const push = this.channel.join();
    push.receive('ok', (reply) => {
      this.joins.push(reply);
      this.messages.push(...reply.messages);
    });
    await answer(push);
    return this;
  }

  send(content, more = {}) {
    return answer(this.channel.push('new_message', { content, ...more }));
  }

  contents() {
    return this.messages.map(({ content }) => content);
  }

  /** Waits for the message and asserts that the contents are then exactly these. */
  async expect(...contents) {
    await eventually(`the message ${contents.at(-1)}; got ${this.contents()}`, () =>
      this.contents().includes(contents.at(-1)),
    );
    assert.deepEqual(this.contents(), contents);
  }
}

/** A TCP relay to a node. `cut` drops what is connected and every new connection until `mend`. */
export class Cable {
  static async to(url) {
    const target = new URL(url);
    const cable = new Cable();
    cable.open = new Set();
    cable.whole = true;
    cable.server = net.createServer((near) => {
      if (!cable.whole) return near.destroy();
      const far = net.connect(target.port, target.hostname);
      for (const [end, other] of [[near, far], [far, near]]) {
        cable.open.add(end);
        end.on('error', () => {});
        end.on('close', () => (cable.open.delete(end), other.destroy()));
        end.pipe(other);
      }
    });
    cable.server.listen(0, '127.0.0.1');
    await once(cable.server, 'listening');
    cable.url = `http://127.0.0.1:${cable.server.address().port}`;
    return cable;
  }

  cut() {
    this.whole = false;
    for (const end of this.open) end.destroy();
  }

  mend() {
    this.whole = true;
  }

  end() {
    this.cut();
    this.server.close();
  }
}

/** A bare WebSocket on the mount: frames out as they are, frames in as parsed JSON, in order. */
export class Wire {
  static async open(url, { user = 'wire', vsn = '2.0.0' } = {}) {
    const wire = new Wire();
    wire.frames = [];
    wire.webSocket = new WebSocket(`${mount(url)}/websocket?user_id=${encodeURIComponent(user)}&vsn=${vsn}`);
    wire.closed = once(wire.webSocket, 'close').then(([code]) => (wire.closeCode = code));
    wire.closed.catch(() => {});  // It never opened: `open` fails.
    wire.webSocket.on('message', (data) => wire.frames.push(JSON.parse(data.toString())));
    wire.webSocket.on('error', () => {});  // A close follows.
    await once(wire.webSocket, 'open');
    return wire;
  }

  send(frame) {
    this.webSocket.send(typeof frame === 'string' || Buffer.isBuffer(frame) ? frame : JSON.stringify(frame));
  }

  /** The next frame that `wanted` accepts; frames before it are dropped. */
  async next(wanted = () => true, what = 'a frame') {
    return eventually(`${what}; closed: ${this.closeCode ?? 'no'}`, () => {
      while (this.frames.length) {
        const frame = this.frames.shift();
        if (wanted(frame)) return frame;
      }
      return undefined;
    });
  }

  close() {
    this.webSocket.terminate();
  }
}
