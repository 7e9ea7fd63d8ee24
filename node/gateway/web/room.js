import { Presence } from './phoenix-lite.js';

const historySize = 50;
const outboxMax = 100;
const attemptsMax = 5;
const typingEveryMs = 2000;

export const counted = (count, word) => `${count} ${word}${count === 1 ? '' : 's'}`;
const range = (from, to) => (from === to ? `message ${from}` : `messages ${from} to ${to}`);

// One room as this connection sees it: its order, what was missed, and what is still to be sent.
//
// The server numbers the messages of a room without holes. `#cursor` is the last place the stream has reached; it
// goes with every rejoin, and the difference to what comes back says what was recovered and what was lost.
//
// The view is told busy(bool), message(message, recovered), pending(entry), acknowledged(entry, reply),
// failed(entry, reason, retryAfterMs), note(kind, text), clear(), typing(user), people(list), occupancy(count),
// position({node, owner, epoch, seq}) and membership(state, reason).
export class Room {
  #view;
  #user;
  #channel;
  #presence = new Presence();
  #cursor = null;  // {epoch, seq}
  #recovery = null;  // While catching up: {from, seqs}
  #live = false;
  #place = {};  // node and owner, as told by the last join
  #outbox = new Map();  // client_id → entry, in the order written
  #typedAt = -Infinity;

  constructor(socket, id, user, view) {
    this.#user = user;
    this.#view = view;
    this.#channel = socket.join(`room:${id}`, {
      params: () => (this.#cursor ? { since: this.#cursor } : { history: historySize }),
      joined: reply => this.#joined(reply),
      refused: (reason, final) => this.#view.membership(final ? 'refused' : 'waiting', reason),
      left: () => this.#left(),
      closed: () => {
        this.#left();
        this.#view.membership('closed');
      },
      event: (name, payload) => this.#event(name, payload),
    });
  }

  get unacknowledged() {
    return [...this.#outbox.values()].filter(entry => !entry.failed).length;
  }

  leave() {
    this.#live = false;
    this.#channel.leave();
  }

  // Shows the text as pending and sends it now or after the next join. False when too many wait already.
  send(content) {
    if (this.#outbox.size >= outboxMax) return false;
    const entry = { clientId: newClientId(), user: this.#user, content, writtenAt: Date.now(), attempts: 0 };
    this.#outbox.set(entry.clientId, entry);
    this.#view.pending(entry);
    this.#typedAt = -Infinity;
    if (this.#live) this.#transmit(entry);
    return true;
  }

  // Sends a failed entry again, under the same client_id: had it arrived after all, the server knows it.
  retry(clientId) {
    const entry = this.#outbox.get(clientId);
    if (!entry?.failed) return;
    entry.failed = false;
    entry.attempts = 0;
    this.#view.pending(entry);
    if (this.#live) this.#transmit(entry);
  }

  typing() {
    const now = performance.now();
    if (!this.#live || now - this.#typedAt < typingEveryMs) return;
    this.#typedAt = now;
    this.#channel.send('typing', {});
  }

  #left() {
    this.#live = false;
    this.#presence.reset();
    this.#view.membership('left');
  }

  #joined(reply) {
    this.#presence.reset();
    this.#place = { node: reply.node, owner: reply.owner };
    if (this.#cursor && !reply.recovered) return this.#beginAnew(reply);
    if (this.#cursor) this.#recovery ??= { from: this.#cursor.seq, seqs: new Set() };

    this.#view.busy(true);
    for (const message of reply.messages) this.#admit(message, this.#recovery !== null);
    this.#view.busy(false);
    if (this.#recovery && this.#morePages(reply)) return this.#channel.join();

    this.#cursor = { epoch: reply.epoch, seq: reply.seq };
    if (this.#recovery) this.#tellRecovery(reply.seq);
    this.#recovery = null;
    this.#goLive();
  }

  // A reply can be one page of what was missed. The next join asks for what follows its last message.
  #morePages(reply) {
    const last = reply.messages.at(-1);
    if (!last || last.seq <= this.#cursor.seq) return false;
    this.#cursor = { epoch: last.epoch, seq: last.seq };
    return last.seq < reply.seq;
  }

  // The server cannot continue from the cursor: what it has now is shown instead.
  #beginAnew(reply) {
    const from = this.#cursor.seq;
    this.#view.clear();
    this.#view.note('warning', reply.seq < from
      ? `The server does not know message ${from} any more: the room begins anew.`
      : `The server could not continue after message ${from}: these are the latest messages.`);
    this.#reload();
  }

  #reload() {
    this.#cursor = null;
    this.#recovery = null;
    this.#live = false;
    this.#channel.join();
  }

  #tellRecovery(head) {
    const { from, seqs } = this.#recovery;
    const lost = head - from - seqs.size;
    const numbers = head > from ? ` (${range(from + 1, head)})` : '';
    this.#view.note(lost ? 'warning' : 'recovery',
      `Recovered ${counted(seqs.size, 'message')}, ${lost} lost${numbers}`);
  }

  #goLive() {
    this.#live = true;
    this.#tellPosition();
    this.#view.membership('joined');
    for (const entry of this.#outbox.values()) {
      if (!entry.failed) this.#transmit(entry);
    }
  }

  #event(name, payload) {
    switch (name) {
      case 'new_message': return this.#message(payload);
      case 'typing': return payload.user_id !== this.#user && this.#view.typing(payload.user_id);
      case 'gap': return this.#gap(payload);
      case 'rebase': return this.#rebase(payload);
      case 'occupancy': return this.#view.occupancy(payload.count);
      case 'presence_state':
        this.#presence.state(payload);
        return this.#view.people(this.#presence.list());
      case 'presence_diff':
        this.#presence.diff(payload);
        return this.#view.people(this.#presence.list());
    }
  }

  #message(message) {
    // Before the join is answered nothing counts: the answer contains it.
    if (!this.#live || message.seq <= this.#cursor.seq) return;
    this.#expect(message.seq);
    if (message.epoch !== this.#cursor.epoch) {
      this.#place.owner = message.owner;  // Whoever it is now, the join did not say.
      this.#view.note('notice', `The room is under epoch ${message.epoch} now; its numbers go on.`);
    }
    this.#cursor = { epoch: message.epoch, seq: message.seq };
    this.#admit(message, false);
    this.#tellPosition();
  }

  #gap({ from, to, reason }) {
    if (!this.#live || to <= this.#cursor.seq) return;
    this.#expect(from);
    this.#cursor.seq = to;
    this.#view.note('warning', `The server left out ${range(from, to)}: ${String(reason).replaceAll('_', ' ')}.`);
    this.#tellPosition();
  }

  #rebase({ from_seq }) {
    this.#view.clear();
    this.#view.note('notice', `Two halves of the cluster are one again; the order is new from message ${from_seq} on.`);
    this.#reload();
  }

  // Numbers without holes are a promise; a broken one is shown.
  #expect(seq) {
    const next = this.#cursor.seq + 1;
    if (seq > next) this.#view.note('warning', `Hole in the order: ${range(next, seq - 1)} never came.`);
  }

  #admit(message, recovered) {
    if (message.seq > this.#recovery?.from) this.#recovery.seqs.add(message.seq);
    const entry = message.user_id === this.#user && this.#outbox.get(message.client_id);
    if (entry) this.#acknowledge(entry, message);
    else this.#view.message(message, recovered);
  }

  #acknowledge(entry, reply) {
    if (!this.#outbox.delete(entry.clientId)) return;
    this.#view.acknowledged(entry, reply);
  }

  // Attempts are counted over reconnects too: a message may be what ends the connection.
  async #transmit(entry) {
    if (entry.attempts >= attemptsMax) return this.#fail(entry, 'timeout');
    const attempt = ++entry.attempts;
    const content = { content: entry.content, client_id: entry.clientId };
    const { status, response } = await this.#channel.push('new_message', content);
    if (status === 'ok') return this.#acknowledge(entry, response);
    // Another attempt is under way, or the entry was acknowledged by the stream: this result is old.
    if (attempt !== entry.attempts || !this.#outbox.has(entry.clientId)) return;
    if (status === 'disconnected') return;  // It goes out after the next join.
    if (status === 'timeout') {
      if (this.#live) this.#transmit(entry);
    } else if (response.reason === 'unmatched topic') {
      this.#lostMembership();
    } else {
      this.#fail(entry, response.reason, response.retry_after_ms);
    }
  }

  // The server has forgotten that this connection is in the room; the outbox goes out after the new join.
  #lostMembership() {
    if (!this.#live) return;
    this.#left();
    this.#channel.join();
  }

  #fail(entry, reason, retryAfterMs) {
    entry.failed = true;
    this.#view.failed(entry, reason, retryAfterMs);
  }

  #tellPosition() {
    this.#view.position({ ...this.#place, ...this.#cursor });
  }
}

// Unlike crypto.randomUUID this also works on a page served without TLS.
function newClientId() {
  const bytes = crypto.getRandomValues(new Uint8Array(12));
  return Array.from(bytes, byte => byte.toString(16).padStart(2, '0')).join('');
}
