// kill -9 under load, twenty times over one data directory. With the default `ack` of a node with a store, disk: what
// was acknowledged or shown to anybody is still there, in its place, once.
//   CHATXD=build/dev/bin/chatxd node --test tests/chaos/kill9.test.mjs        KILL9_ROUNDS and KILL9_SEED vary it
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Chatxd, eventually, freePort, temporaryFolder, WebSocket, Wire } from '../clients/support.mjs';

const rounds = Number(process.env.KILL9_ROUNDS ?? 20);
const seed = Number(process.env.KILL9_SEED ?? Date.now() % 1_000_000);
const rooms = ['red', 'green', 'blue'];
const senderCount = 6;
const windowMax = 8; // Sends of one sender without an answer.
const acksBeforeKill = { min: 20, max: 400 };
const roundMsMax = 20_000;
const pageMax = 200;

/** Numbers from a seed (Park and Miller, 1988), so that the kills of a run can be repeated, if not its timing. */
function randomFrom(state) {
  let value = (state % 2_147_483_646) + 1;
  return (min, max) => {
    value = (value * 48_271) % 2_147_483_647;
    return min + (value % (max - min + 1));
  };
}

/** One user who sends numbered messages to a room, and repeats after a crash those whose fate it does not know. */
class Sender {
  constructor(name, room) {
    Object.assign(this, { name, room, count: 0, unanswered: new Map(), again: [], acked: [], shown: [], lastRef: 0 });
  }

  async connect(url) {
    this.again.push(...this.unanswered.values());
    this.unanswered.clear();
    this.wire = await Wire.open(url, { user: this.name });
    await joinRoom(this.wire, this.room, {});
    this.wire.webSocket.on('message', (data) => this.take(JSON.parse(data.toString())));
  }

  /** Sends until the window is full; nothing once the connection is gone. */
  fill() {
    if (this.wire.webSocket.readyState !== WebSocket.OPEN) return;
    while (this.unanswered.size < windowMax) {
      const clientId = this.again.shift() ?? `${this.name}-${(this.count += 1)}`;
      const ref = `m${(this.lastRef += 1)}`;
      this.unanswered.set(ref, clientId);
      this.wire.send(['1', ref, `room:${this.room}`, 'new_message', { content: clientId, client_id: clientId }]);
    }
  }

  take([, ref, , event, payload]) {
    if (event === 'new_message') this.shown.push(payload);
    if (event !== 'phx_reply' || !this.unanswered.has(ref)) return;
    const clientId = this.unanswered.get(ref);
    this.unanswered.delete(ref);
    if (payload.status === 'ok') {
      this.acked.push({ content: clientId, ...payload.response });
      this.fill();
    } else {
      this.again.push(clientId);
      setTimeout(() => this.fill(), payload.response.retry_after_ms ?? 10);
    }
  }
}

async function ask(wire, frame) {
  wire.send(frame);
  const [, , , , { status, response }] = await wire.next(([, ref, , event]) => event === 'phx_reply' && ref === frame[1], 'an answer');
  assert.equal(status, 'ok', JSON.stringify(response));
  return response;
}

const joinRoom = (wire, room, params) => ask(wire, ['1', '1', `room:${room}`, 'phx_join', params]);

/** What the clients know of one room, told by the node over all its lives. */
class Order {
  constructor(room) {
    Object.assign(this, { room, messages: [], ids: new Set(), clientIds: new Set(), epochs: [] });
  }

  /** Reads on from the last message known: by a join that resumes, then page by page. */
  async readOn(url) {
    const wire = await Wire.open(url, { user: 'reader' });
    const last = this.messages.at(-1);
    const reply = await joinRoom(wire, this.room, last ? { since: { epoch: last.epoch, seq: last.seq } } : {});
    if (last) assert.equal(reply.recovered, true, 'the point is known');
    let more = last ? reply.more : true;
    reply.messages.forEach((message) => this.add(message));
    for (let page = 2; more; page += 1) {
      const after = this.messages.at(-1)?.seq ?? 0;
      const { messages, more: further } = await ask(wire, ['1', `${page}`, `room:${this.room}`, 'history', { after, limit: pageMax }]);
      messages.forEach((message) => this.add(message));
      more = further;
    }
    assert.equal(this.messages.length, reply.seq, 'the order is read to its head');
    wire.close();
  }

  add(message) {
    assert.equal(message.seq, this.messages.length + 1, 'the order has no hole');
    assert.ok(!this.ids.has(message.id), `id ${message.id} twice`);
    assert.ok(!this.clientIds.has(message.client_id), `client_id ${message.client_id} twice`);
    if (message.epoch !== this.epochs.at(-1)) {
      assert.ok(!this.epochs.includes(message.epoch), `epoch ${message.epoch} came back`);
      this.epochs.push(message.epoch);
    }
    this.ids.add(message.id);
    this.clientIds.add(message.client_id);
    this.messages.push(message);
  }

  /** Asserts that something told to a client is in the order as it was told. */
  expect({ id, epoch, seq, content }, what) {
    const { id: i, epoch: e, seq: s, content: c } = this.messages[seq - 1] ?? assert.fail(`lost: ${what} ${content} at ${seq}`);
    assert.deepEqual({ id: i, epoch: e, seq: s, content: c }, { id, epoch, seq, content }, what);
  }
}

async function load(node, senders, acksWanted) {
  await Promise.all(senders.map((sender) => sender.connect(node.url)));
  const acks = () => senders.reduce((sum, { acked }) => sum + acked.length, 0);
  const before = acks();
  senders.forEach((sender) => sender.fill());
  await eventually(`${acksWanted} acknowledgements`, () => acks() - before >= acksWanted, roundMsMax);
  const { signal } = await node.end('SIGKILL');
  assert.equal(signal, 'SIGKILL');
  await Promise.all(senders.map(({ wire }) => wire.closed));
}

function expectAll(orders, senders, field, what) {
  for (const sender of senders) sender[field].splice(0).forEach((told) => orders.get(sender.room).expect(told, what));
}

test(`${rounds} times kill -9 under load lose nothing that was acknowledged (seed ${seed})`, { timeout: 120_000 }, async (context) => {
  const random = randomFrom(seed);
  const folder = temporaryFolder();
  const flags = ['--data', folder.path, '--set', 'rate_limit.messages_per_sec=1000000', '--set', 'rate_limit.burst=1000000'];
  const options = { port: await freePort(), flags };
  const senders = Array.from({ length: senderCount }, (_, n) => new Sender(`sender-${n}`, rooms[n % rooms.length]));
  const orders = new Map(rooms.map((room) => [room, new Order(room)]));
  let node;
  context.after(async () => {
    await node?.end('SIGKILL');
    folder.remove();
  });

  for (let round = 0; round < rounds; round += 1) {
    node = await Chatxd.start(options);
    await load(node, senders, random(acksBeforeKill.min, acksBeforeKill.max));
    node = await Chatxd.start(options);
    for (const order of orders.values()) await order.readOn(node.url);
    expectAll(orders, senders, 'acked', 'acknowledged');
    expectAll(orders, senders, 'shown', 'shown');
    await node.end('SIGKILL');
  }

  node = await Chatxd.start(options);
  for (const [room, order] of orders) {
    const whole = new Order(room);
    await whole.readOn(node.url);
    assert.deepEqual(whole.messages, order.messages, 'the history does not change');
  }
  assert.deepEqual(await node.end('SIGTERM'), { code: 0, signal: null });
  const total = [...orders.values()].reduce((sum, { messages }) => sum + messages.length, 0);
  context.diagnostic(`${total} messages, ${senders.reduce((sum, { count }) => sum + count, 0)} sent`);
});
