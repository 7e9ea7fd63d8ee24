// The released npm client `phoenix`, unmodified, against a running chatxd.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { Presence } from 'phoenix';
import { answer, Cable, Chatxd, Client, eventually, freePort, refusal, RoomView, sharedNode, temporaryFolder, unique } from './support.mjs';

const limits = { timeout: 60_000 };
let node;
const clients = [];
const cables = [];

/** A connected client of a user nobody else is, unless one is named; disconnected after the tests. */
async function connect({ user = unique('user'), url = node.url, ...options } = {}) {
  const client = new Client(url, user, options);
  clients.push(client);
  return client.connect();
}

async function enter(room, options = {}) {
  return new RoomView(await connect(options), room, options).join();
}

/** The same, with the Presence of the client, which must be there before the join. */
async function watch(room, options = {}) {
  const view = new RoomView(await connect(options), room, options);
  const presence = new Presence(view.channel);
  await view.join();
  return { view, presence };
}

async function cableToNode() {
  const cable = await Cable.to(node.url);
  cables.push(cable);
  return cable;
}

before(async () => {
  node = await sharedNode();
});
after(async () => {
  cables.forEach((cable) => cable.end());
  await Promise.all(clients.map((client) => client.disconnect()));
  await node.end();
});

describe('rooms', limits, () => {
  test('a join is answered with where the room stands', async () => {
    const view = await enter(unique('join'));
    const [reply] = view.joins;
    assert.deepEqual(reply.messages, []);
    assert.equal(reply.seq, 0);
    assert.equal(typeof reply.epoch, 'string');
    assert.equal(typeof reply.recovered, 'boolean');
    assert.equal(reply.more, false);
  });

  test('a message is acknowledged with its place and reaches both sides as it was written', async () => {
    const room = unique('talk');
    const content = 'Grüße, 世界 \u{1F44B}\u{1F3FD} "quoted" \\ \u0000 end';
    const alice = await enter(room, { user: unique('alice') });
    const bob = await enter(room, { user: unique('bøb') });
    const reply = await alice.send(content);
    await bob.expect(content);
    const [message] = bob.messages;
    assert.match(reply.id, /^[0-9]+$/);
    assert.equal(reply.seq, 1);
    assert.ok(Math.abs(reply.inserted_at - Date.now()) < 60_000);
    const { id, seq, epoch, inserted_at } = message;
    assert.deepEqual({ id, seq, epoch, inserted_at }, reply);
    assert.equal(message.room_id, room);
    assert.match(message.user_id, /^alice-/);
    await alice.expect(content);
  });

  test('messages of two senders reach everybody in one order without a hole', async () => {
    const room = unique('order');
    const views = [await enter(room), await enter(room), await enter(room)];
    await Promise.all([0, 1, 2, 3, 4, 5].flatMap((n) => [views[0].send(`a${n}`), views[1].send(`b${n}`)]));
    for (const view of views) {
      await eventually('all messages', () => view.messages.length === 12);
      assert.deepEqual(view.messages.map(({ seq }) => seq), [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
      assert.deepEqual(view.contents(), views[0].contents());
    }
  });

  test('a sender and every connection of a user get each message once', async () => {
    const room = unique('once');
    const user = unique('twice');
    const [first, second] = [await enter(room, { user }), await enter(room, { user })];
    const other = await enter(room);
    await first.send('one');
    await other.send('two');
    await second.send('three');
    for (const view of [first, second, other]) await view.expect('one', 'two', 'three');
  });

  test('typing reaches the others, never the history', async () => {
    const room = unique('typing');
    const user = unique('typist');
    const typist = await enter(room, { user });
    const reader = await enter(room);
    const seen = [];
    reader.channel.on('typing', (payload) => seen.push(payload));
    typist.channel.push('typing', {}, 1000);  // Never answered.
    await eventually('typing', () => seen.length);
    assert.equal(seen[0].user_id, user);
    const late = await enter(room, { params: { history: 10 } });
    assert.equal(late.joins[0].seq, 0);
  });

  test('a first join brings as much history as it asks for', async () => {
    const room = unique('history');
    const writer = await enter(room);
    for (const content of ['1', '2', '3', '4', '5']) await writer.send(content);
    const reader = await enter(room, { params: { history: 3 } });
    assert.deepEqual(reader.contents(), ['3', '4', '5']);
    assert.equal(reader.joins[0].seq, 5);
    await writer.send('6');
    await reader.expect('3', '4', '5', '6');
  });

  test('a second channel of the same topic takes the place of the first', async () => {
    const client = await connect();
    const room = unique('double');
    const first = await new RoomView(client, room).join();
    let closed = 0;
    first.channel.onClose(() => (closed += 1));
    const second = await new RoomView(client, room).join();
    await second.send('hello');
    await second.expect('hello');
    await eventually('the close of the first channel', () => closed === 1);
    assert.deepEqual(first.contents(), []);
    assert.equal(second.channel.state, 'joined');
  });

  test('who left hears nothing and may come back', async () => {
    const room = unique('leave');
    const client = await connect();
    const stayer = await enter(room);
    const leaver = await new RoomView(client, room).join();
    leaver.channel.leave();  // The client itself calls this ok before the server has heard of it.
    await eventually('the server to end the membership', () => client.ended.includes(`room:${room}`));
    await stayer.send('while away');
    const again = await new RoomView(client, room).join();
    await stayer.send('back');
    await again.expect('back');
    assert.deepEqual(leaver.contents(), []);
  });
});

describe('refusals', limits, () => {
  test('a topic that names no room is unmatched', async () => {
    const { socket } = await connect();
    const channel = socket.channel('lobby', {});
    assert.deepEqual(await refusal(channel.join()), { reason: 'unmatched topic' });
    channel.leave();
  });

  test('an invalid room id is refused and the connection goes on', async () => {
    const client = await connect();
    const channel = client.socket.channel('room:', {});
    assert.equal((await refusal(channel.join())).reason, 'invalid_room_id');
    channel.leave();
    await new RoomView(client, unique('fine')).join();
    assert.deepEqual(client.closes, []);
  });

  test('content of the limit passes and one byte more is too large', async () => {
    const view = await enter(unique('large'));
    await view.send('é'.repeat(2048));
    const { reason } = await refusal(view.channel.push('new_message', { content: 'é'.repeat(2048) + '!' }));
    assert.equal(reason, 'message_too_large');
  });

  for (const payload of [{}, { content: 5 }, { content: null }, { content: ['a'] }]) {
    test(`the payload ${JSON.stringify(payload)} is invalid content`, async () => {
      const view = await enter(unique('content'));
      assert.equal((await refusal(view.channel.push('new_message', payload))).reason, 'invalid_content');
      await view.send('still here');
      await view.expect('still here');
    });
  }

  test('a flood is limited with the time to wait, and what was acknowledged is delivered', async () => {
    const view = await enter(unique('flood'));
    const sends = Array.from({ length: 60 }, (_, n) => view.send(`${n}`).then(() => `${n}`, ({ response }) => response));
    const outcomes = await Promise.all(sends);
    const accepted = outcomes.filter((outcome) => typeof outcome === 'string');
    const refused = outcomes.filter((outcome) => typeof outcome !== 'string');
    assert.ok(accepted.length >= 20 && refused.length > 0, `${accepted.length} of 60 accepted`);
    for (const response of refused) {
      assert.equal(response.reason, 'rate_limited');
      assert.ok(response.retry_after_ms > 0 && response.retry_after_ms <= 5_000, JSON.stringify(response));
    }
    await view.expect(...accepted);
  });

  test('a retry with the same client_id gets the first answer and makes no second message', async () => {
    const room = unique('retry');
    const view = await enter(room);
    const first = await view.send('once', { client_id: 'c-1' });
    const retry = await view.send('once', { client_id: 'c-1' });
    assert.deepEqual(retry, first);
    const other = await view.send('once', { client_id: 'c-2' });
    assert.equal(other.seq, first.seq + 1);
    await view.send('end');
    await view.expect('once', 'once', 'end');
    assert.equal(view.messages[0].client_id, 'c-1');
  });
});

describe('presence', limits, () => {
  const tabs = (presence) => Object.fromEntries(presence.list((user, { metas }) => [user, metas.length]));

  test('shows two users, one of them with two tabs, and forgets each when it goes', async () => {
    const room = unique('presence');
    const [ann, ben] = [unique('ann'), unique('ben')];
    const watcher = new RoomView(await connect({ user: ann }), room);
    const presence = new Presence(watcher.channel);
    const events = [];
    presence.onJoin((user, before, { metas }) => events.push(['join', user, before ? 'again' : 'first', metas.length]));
    presence.onLeave((user, { metas }) => events.push(['leave', user, metas.length]));
    await watcher.join();
    const clients = [await connect({ user: ben }), await connect({ user: ben })];
    for (const client of clients) await new RoomView(client, room).join();
    await eventually('two tabs of ben', () => tabs(presence)[ben] === 2);
    assert.deepEqual(tabs(presence), { [ann]: 1, [ben]: 2 });
    const refs = presence.list((_, { metas }) => metas.map((meta) => meta.phx_ref)).flat();
    assert.equal(new Set(refs).size, 3);
    assert.ok(refs.every((ref) => typeof ref === 'string' && ref));

    const late = await watch(room, { user: ann });
    await eventually('the same from another tab', () => tabs(late.presence)[ann] === 2 && tabs(late.presence)[ben] === 2);
    await answer(late.view.channel.leave());
    await eventually('one tab of ann', () => tabs(presence)[ann] === 1);

    clients[0].drop();
    await clients[0].disconnect();
    await eventually('one tab of ben', () => tabs(presence)[ben] === 1);
    await clients[1].disconnect();
    await eventually('nobody but ann', () => !(ben in tabs(presence)));
    assert.deepEqual(tabs(presence), { [ann]: 1 });
    const about = (user) => events.filter((event) => event[1] === user).map((event) => [event[0], event[2]]);
    assert.deepEqual(about(ben), [['join', 'first'], ['join', 'again'], ['leave', 1], ['leave', 0]]);
  });

  test('is right again after a reconnect, without a ghost of the lost connection', async () => {
    const room = unique('ghost');
    const user = unique('ghost');
    const cable = await cableToNode();
    const watcher = await watch(room);
    const own = await watch(room, { user, url: cable.url });
    await eventually('the user', () => tabs(watcher.presence)[user] === 1);
    cable.cut();
    await eventually('the loss', () => !(user in tabs(watcher.presence)));
    cable.mend();
    await eventually('the return', () => tabs(watcher.presence)[user] === 1);
    await eventually('the state of the rejoin', () => tabs(own.presence)[user] === 1);
    await eventually('just the two', () => Object.keys(tabs(own.presence)).length === 2);
  });
});

describe('connections', limits, () => {
  test('heartbeats are answered, joined or not', async () => {
    const idle = await connect({ heartbeatIntervalMs: 50 });
    const joined = await connect({ heartbeatIntervalMs: 50 });
    await new RoomView(joined, unique('heart')).join();
    for (const client of [idle, joined]) {
      await eventually('five heartbeats', () => client.heartbeats >= 5);
      assert.deepEqual(client.closes, []);
    }
  });

  const resumes = {
    since: ({ epoch, seq }) => ({ since: { epoch, seq } }),
    last_seen_id: ({ id }) => ({ last_seen_id: id }),
  };
  for (const [name, resume] of Object.entries(resumes)) {
    test(`a client that lost its connection gets what it missed once, by ${name}`, async () => {
      const room = unique('resume');
      const cable = await cableToNode();
      const writer = await enter(room);
      const reader = await enter(room, { url: cable.url, resume });
      await writer.send('before');
      await reader.expect('before');
      cable.cut();
      await eventually('the loss', () => !reader.channel.socket.isConnected());
      for (const content of ['missed 1', 'missed 2', 'missed 3']) await writer.send(content);
      cable.mend();
      await eventually('the rejoin', () => reader.joins.length === 2);
      await writer.send('after');
      await reader.expect('before', 'missed 1', 'missed 2', 'missed 3', 'after');
      assert.equal(reader.joins[1].recovered, true);
      assert.deepEqual(reader.joins[1].messages.map(({ content }) => content), ['missed 1', 'missed 2', 'missed 3']);
    });

    test(`a client that missed nothing gets nothing twice, by ${name}`, async () => {
      const room = unique('nothing');
      const reader = await enter(room, { resume });
      await reader.send('seen');
      await reader.expect('seen');
      reader.channel.socket.conn.terminate();
      await eventually('the rejoin', () => reader.joins.length === 2);
      assert.equal(reader.joins[1].recovered, true);
      await reader.send('new');
      await reader.expect('seen', 'new');
    });
  }

  test('a point that the room never had is answered as not recovered', async () => {
    const reader = await enter(unique('lost'), { params: { since: { epoch: 'nonsense', seq: 7 } } });
    assert.equal(reader.joins[0].recovered, false);
    const other = await enter(unique('lost'), { params: { last_seen_id: '1' } });
    assert.equal(other.joins[0].recovered, false);
  });
});

describe('restarts', { ...limits, skip: Chatxd.binary ? false : 'CHATXD names no binary' }, () => {
  test('close with 1012, and clients find every message again', async (context) => {
    const folder = temporaryFolder();
    const options = { port: await freePort(), flags: ['--data', folder.path] };
    let own;
    context.after(async () => {
      await own?.end('SIGKILL');
      folder.remove();
    });
    own = await Chatxd.start(options);
    const room = unique('restart');
    const unjoined = await connect({ url: own.url });
    const view = await enter(room, { url: own.url, resume: ({ epoch, seq }) => ({ since: { epoch, seq } }) });
    await view.send('before');
    await view.expect('before');

    assert.deepEqual(await own.end('SIGTERM'), { code: 0, signal: null });
    await eventually('both closes', () => view.channel.socket.isConnected() === false && unjoined.closes.length);
    own = await Chatxd.start(options);
    const writer = await enter(room, { url: own.url, params: { history: 10 } });
    assert.deepEqual(writer.contents(), ['before']);
    await writer.send('after');
    await eventually('the rejoin', () => view.joins.length === 2);
    await view.expect('before', 'after');
    assert.equal(view.joins[1].recovered, true);
    assert.deepEqual(view.messages.map(({ seq }) => seq), [1, 2]);
    await eventually('the return of the other', () => unjoined.socket.isConnected());
    assert.equal(unjoined.closes[0], 1012);
    const { closes } = clients.find(({ socket }) => socket === view.channel.socket);
    assert.equal(closes[0], 1012);
  });
});
