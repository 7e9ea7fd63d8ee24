// The released npm client `phoenix`, unmodified, over its long-poll transport against a running chatxd.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { LongPoll, Presence } from 'phoenix';
import { answer, Cable, Chatxd, Client, eventually, freePort, refusal, RoomView, unique } from './support.mjs';

const limits = { timeout: 60_000, skip: Chatxd.binary ? false : 'CHATXD names no binary' };
let node;
const clients = [];

/** A client that polls, of a user nobody else is, unless one is named. */
async function poll({ user = unique('poller'), url = node.url, ...options } = {}) {
  const client = new Client(url, user, { transport: LongPoll, ...options });
  clients.push(client);
  return client.connect();
}

async function enter(room, options = {}) {
  return new RoomView(await poll(options), room, options).join();
}

describe('a client that polls', limits, () => {
  before(async () => {
    // A short window, so that a lost client is given up soon.
    node = await Chatxd.start({
      port: await freePort(),
      flags: ['--dev', '--set', 'limits.long_poll_window_s=2', '--set', 'shards=2'],
    });
  });
  after(async () => {
    await Promise.all(clients.map((client) => client.disconnect()));
    await node?.end();
  });

  test('speaks and hears with those who have WebSockets, each message once and in one order', async () => {
    const room = unique('mixed');
    const poller = await enter(room);
    const other = new Client(node.url, unique('socket'));
    clients.push(other);
    const socket = await new RoomView(await other.connect(), room).join();
    const content = 'Grüße, 世界 \u{1F44B} "quoted" \\ \u0000 \u2028 end';
    const reply = await poller.send(content);
    assert.equal(reply.seq, 1);
    await Promise.all([socket.send('two'), socket.send('three')]);
    await poller.send('four');
    for (const view of [poller, socket]) {
      await eventually('all messages', () => view.messages.length === 4);
      assert.deepEqual(view.messages.map(({ seq }) => seq), [1, 2, 3, 4]);
      assert.equal(view.messages[0].content, content);
    }
    assert.deepEqual(await refusal(poller.channel.push('new_message', {})), { reason: 'invalid_content' });
  });

  test('sends more at once than fits one request', async () => {
    const view = await enter(unique('burst'));
    const replies = Array.from({ length: 150 }, () => answer(view.channel.push('typing', {})));
    assert.equal((await Promise.all(replies)).length, 150);
  });

  test('waits through windows without a word, and hears what comes then', async () => {
    const room = unique('patience');
    const [reader, writer] = [await enter(room), await enter(room)];
    const polls = [];
    reader.channel.socket.onClose(() => polls.push('closed'));
    await new Promise((resolve) => setTimeout(resolve, 4_500));
    await writer.send('at last');
    await reader.expect('at last');
    assert.deepEqual(polls, []);
  });

  test('is seen by others until it has been gone for one and a half windows, and rejoins', async () => {
    const room = unique('presence');
    const watcher = new Client(node.url, unique('watcher'));
    clients.push(watcher);
    const view = new RoomView(await watcher.connect(), room);
    const presence = new Presence(view.channel);
    await view.join();
    const cable = await Cable.to(node.url);
    const user = unique('lost');
    const lost = await enter(room, { user, url: cable.url, resume: ({ id }) => ({ last_seen_id: id }) });
    await eventually('the poller to be seen', () => presence.state[user]);
    await view.send('before');
    await lost.expect('before');
    cable.cut();
    await eventually('the poller to be gone', () => !presence.state[user]);
    await view.send('missed');
    cable.mend();
    await lost.expect('before', 'missed');
    await eventually('the poller to be back', () => presence.state[user]?.metas.length === 1);
    await lost.send('after');
    await view.expect('before', 'missed', 'after');
    cable.end();
  });

  test('comes again after the node was drained', async (context) => {
    const own = { port: await freePort() };
    let first = await Chatxd.start(own);
    context.after(() => first.end('SIGKILL'));
    const view = await enter(unique('drain'), { url: first.url });
    assert.deepEqual(await first.end('SIGTERM'), { code: 0, signal: null });
    const { closes } = clients.find(({ socket }) => socket === view.channel.socket);
    await eventually('the close', () => closes.length);
    assert.equal(closes[0], 3410);
    first = await Chatxd.start(own);
    await eventually('the rejoin', () => view.joins.length === 2);
    await view.send('hello');
    await view.expect('hello');
  });
});
