// Every released client of the family, unmodified, does the same things against one chatxd. Prints one table.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { promisify } from 'node:util';
import { answer, Chatxd, eventually, freePort, mount, refusal, temporaryFolder, unique, WebSocket } from './support.mjs';

globalThis.window ??= globalThis;  // The oldest clients take a browser for granted.
const require = createRequire(import.meta.url);
const run = promisify(execFile);
const limits = { timeout: 60_000 };
const cpp = { node: undefined, folder: undefined };

/** What is tried: a name in the package, what the release can do beyond the common, and how many checks it passed. */
const releases = [
  { name: 'phoenix 1.8.16', from: 'phoenix', binary: true, longPoll: true, authToken: true },
  { name: 'phoenix 1.7.21', from: 'phoenix-1.7', binary: true },
  { name: 'phoenix 1.6.16', from: 'phoenix-1.6', binary: true },
  { name: 'phoenix 1.5.14', from: 'phoenix-1.5', binary: true },
  { name: 'phoenix 1.4.18', from: 'phoenix-1.4' },
  { name: 'phoenix 1.3.4', from: 'phoenix-1.3', version: 'V1' },
  { name: 'phoenix-channels 1.0.0', from: 'phoenix-channels', version: 'V1', ownTransport: true, withoutRefs: true },
].map((release) => ({ ...release, ...require(release.from), results: new Map() }));

const open = [];

function connect(release, { user = unique('user'), ...options } = {}) {
  const transport = release.ownTransport ? {} : { transport: WebSocket };
  const socket = new release.Socket(mount(cpp.node.url), {
    ...transport,
    params: { user_id: user },
    heartbeatIntervalMs: 200,
    reconnectAfterMs: () => 100,
    rejoinAfterMs: () => 20,
    ...options,
  });
  socket.seen = [];
  socket.onMessage((message) => socket.seen.push(message));
  socket.connect();
  open.push(socket);
  return socket;
}

async function enter(release, room, options = {}) {
  const socket = options.socket ?? connect(release, options);
  const channel = socket.channel(`room:${room}`, {});
  const events = [];
  channel.on('new_message', (message) => events.push(message));
  channel.onError(() => events.push('error'));
  channel.onClose(() => events.push('close'));
  await answer(channel.join());
  return { socket, channel, events };
}

const chatxctl = (...arguments_) =>
  run(join(dirname(Chatxd.binary), 'chatxctl'), ['--socket', join(cpp.folder.path, 'admin.sock'), ...arguments_]);

/** The checks, each given a release; `when` says which releases can do it. */
const checks = {
  'join': async (release) => {
    await enter(release, unique('join'));
  },
  'push, reply': async (release) => {
    const { channel } = await enter(release, unique('push'));
    const reply = await answer(channel.push('new_message', { content: 'hello' }));
    assert.equal(reply.seq, 1);
  },
  'broadcast': async (release) => {
    const room = unique('broadcast');
    const content = 'Grüße, 世界 \u{1F44B}\u{1F3FD} "quoted" \\ \u0000';
    const [ann, ben] = [await enter(release, room), await enter(releases[0], room)];
    ben.channel.push('new_message', { content });
    await eventually('the message', () => ann.events.length === 1 && ben.events.length === 1);
    assert.equal(ann.events[0].content, content);
  },
  'presence': async (release) => {
    const room = unique('presence');
    const [first, second] = [unique('one'), unique('two')];
    const socket = connect(release, { user: first });
    const channel = socket.channel(`room:${room}`, {});
    let list = [];
    if (release.version === 'V1') {
      let state = {};
      const keep = (now) => (list = Object.keys((state = now ?? state)));
      channel.on('presence_state', (message) => keep(release.Presence.syncState(state, message)));
      channel.on('presence_diff', (message) => keep(release.Presence.syncDiff(state, message)));
    } else {
      const presence = new release.Presence(channel);
      presence.onSync(() => (list = presence.list((user) => user)));
    }
    await answer(channel.join());
    const other = await enter(releases[0], room, { user: second });
    await eventually('both users', () => list.length === 2);
    assert.deepEqual([...list].sort(), [first, second].sort());
    other.channel.leave();
    await eventually('one user', () => list.length === 1);
  },
  'refusal': async (release) => {
    const { channel } = await enter(release, unique('refusal'));
    const response = await refusal(channel.push('new_message', { content: '' }));
    assert.equal(response.reason, 'invalid_content');
    const lobby = connect(release).channel('lobby:1', {});
    assert.equal((await refusal(lobby.join())).reason, 'unmatched topic');
    lobby.leave();
  },
  'duplicate join': async (release) => {
    const room = unique('duplicate');
    const { socket, events } = await enter(release, room);
    const second = await enter(release, room, { socket });
    // Without refs a client cannot tell whose close it is, and gets none.
    if (!release.withoutRefs) await eventually('the first channel to close', () => events.includes('close'));
    await answer(second.channel.push('new_message', { content: 'still here' }));
    await eventually('the message', () => second.events.length === 1);
  },
  'leave': async (release) => {
    const { channel, events } = await enter(release, unique('leave'));
    await answer(channel.leave());
    await eventually('the end', () => events.includes('close'));
  },
  'crash, rejoin': async (release) => {
    const room = unique('crash');
    const { channel, events } = await enter(release, room);
    await chatxctl('room', 'reset', room);
    await eventually('the error', () => events.includes('error'));
    await eventually('the rejoin', () => channel.state === 'joined');
    await answer(channel.push('new_message', { content: 'back' }));
  },
  'heartbeat': async (release) => {
    const { socket } = await enter(release, unique('heartbeat'));
    const beats = () => socket.seen.filter(({ topic, event }) => topic === 'phoenix' && event === 'phx_reply');
    await eventually('two answers', () => beats().length >= 2);
  },
  'reconnect': async (release) => {
    const user = unique('reconnect');
    const { channel, events } = await enter(release, unique('reconnect'), { user });
    const { stdout } = await chatxctl('conn', 'ls', '--json');
    const { id } = JSON.parse(stdout).connections.find((connection) => connection.user === user);
    await chatxctl('conn', 'close', id);
    await eventually('the error', () => events.includes('error'));
    await eventually('the rejoin', () => channel.state === 'joined');
    await answer(channel.push('new_message', { content: 'back' }));
  },
  'binary': async (release) => {
    const room = unique('binary');
    const [ann, ben] = [await enter(release, room), await enter(release, room)];
    let heard;
    ben.channel.on('cursor', (payload) => (heard = payload));
    const reply = await answer(ann.channel.push('cursor', Uint8Array.from([0, 1, 255]).buffer));
    assert.equal(reply.byteLength, 0);
    await eventually('the signal', () => heard);
    assert.deepEqual([...new Uint8Array(heard)], [0, 1, 255]);
    assert.equal((await refusal(ann.channel.push('new_message', new ArrayBuffer(1)))).reason, 'invalid_content');
  },
  'long-poll': async (release) => {
    const room = unique('poll');
    const { LongPoll } = release;
    const polling = await enter(release, room, { transport: LongPoll, heartbeatIntervalMs: 30_000 });
    const other = await enter(release, room);
    await answer(polling.channel.push('new_message', { content: 'from a poll' }));
    await answer(other.channel.push('new_message', { content: 'to a poll' }));
    await eventually('both messages', () => polling.events.length === 2 && other.events.length === 2);
  },
  'auth token': async (release) => {
    await enter(release, unique('token'), { authToken: 'a token of ours' });
  },
};

const applies = {
  'binary': (release) => release.binary,
  'long-poll': (release) => release.longPoll,
  'auth token': (release) => release.authToken,
};

function table() {
  const names = Object.keys(checks);
  const width = Math.max(...releases.map(({ name }) => name.length));
  const rows = releases.map(({ name, version = 'V2', results }) => {
    const marks = names.map((check) => results.get(check) ?? '-');
    return `${name.padEnd(width)}  ${version}  ${marks.join('   ')}`;
  });
  const legend = names.map((name, index) => `${String.fromCharCode(97 + index)} ${name}`).join(', ');
  const heads = names.map((_, index) => String.fromCharCode(97 + index)).join('   ');
  return [`${''.padEnd(width)}      ${heads}`, ...rows, legend].join('\n');
}

before(async () => {
  cpp.folder = temporaryFolder();
  const flags = ['--data', cpp.folder.path, '--set', 'rate_limit.messages_per_sec=1000', '--set', 'rate_limit.burst=1000'];
  cpp.node = await Chatxd.start({ port: await freePort(), flags });
});
/** Old clients try to join for ever, also when they are disconnected, and keep the process with that. */
function calm(socket) {
  for (const channel of socket.channels) channel.rejoinTimer?.reset();
  socket.reconnectTimer?.reset();
  clearInterval(socket.heartbeatTimer);
}

after(async () => {
  for (const socket of open) socket.disconnect();
  await cpp.node?.end();
  open.forEach(calm);
  cpp.folder.remove();
  console.log(table());
  if (process.env.CHATX_TABLE) writeFileSync(process.env.CHATX_TABLE, `${table()}\n`);
});

for (const release of releases) {
  describe(release.name, limits, () => {
    for (const [name, check] of Object.entries(checks)) {
      if (applies[name] && !applies[name](release)) continue;
      test(name, async () => {
        release.results.set(name, 'FAIL');
        await check(release);
        release.results.set(name, 'ok');
      });
    }
  });
}
