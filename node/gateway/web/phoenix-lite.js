// A small client of the Phoenix Channels protocol, version 2, over WebSocket text frames.
//
// Socket: one connection that comes back by itself. Channel: membership in one topic, renewed after every
// reconnect. Presence: who is in a topic, from `presence_state` and `presence_diff`.
//
// A push resolves to {status, response}. Beside the server's "ok" and "error", status is "timeout" (no reply in
// time, the outcome is unknown) or "disconnected" (the connection ended first, or there is none).

const reconnectAfterMs = [10, 50, 100, 150, 200, 250, 500, 1000, 2000, 5000];
const rejoinAfterMs = [1000, 2000, 5000, 10000];
const heartbeatIntervalMs = 30000;
const replyTimeoutMs = 10000;
const presenceDiffsMax = 1000;

// Somewhere between the delay and twice the delay, so that clients of one lost node do not return in step.
function backOff(delays, tries) {
  const delay = delays[Math.min(tries, delays.length - 1)];
  return delay + Math.random() * delay;
}

export class Socket {
  #url;
  #observer;
  #webSocket = null;
  #wanted = false;
  #tries = 0;
  #timer = 0;
  #heartbeatTimer = 0;
  #ref = 0;
  #replies = new Map();  // ref → what to do with its reply
  #channels = new Map();  // topic → Channel

  // `observer` is told state(name, retryInMs) with name connecting, open, waiting or closed; frame(direction, text)
  // for each frame, direction "in" or "out"; roundTrip(ms).
  constructor(url, observer) {
    this.#url = url;
    this.#observer = observer;
  }

  get isOpen() {
    return this.#webSocket?.readyState === WebSocket.OPEN;
  }

  // Connects, to `url` if given. Does nothing when there is a connection or one is being made.
  connect(url = this.#url) {
    this.#url = url;
    this.#wanted = true;
    clearTimeout(this.#timer);
    if (this.#webSocket) return;
    this.#observer.state('connecting');
    const webSocket = new WebSocket(this.#url);
    this.#webSocket = webSocket;
    const current = handle => event => {
      if (this.#webSocket === webSocket) handle(event);
    };
    webSocket.onopen = current(() => this.#opened());
    webSocket.onmessage = current(event => this.#received(event.data));
    webSocket.onclose = current(() => this.#lost());
  }

  // Closes and stays closed until `connect`.
  disconnect() {
    this.#wanted = false;
    this.#lost();
  }

  // Tries at once when a retry is being waited for.
  hurry() {
    if (this.#wanted) this.connect();
  }

  // Enters a topic now and after every reconnect; see Channel for the handlers.
  join(topic, handlers) {
    this.#channels.get(topic)?.leave();
    const channel = new Channel(this, topic, handlers, () => {
      if (this.#channels.get(topic) === channel) this.#channels.delete(topic);
    });
    this.#channels.set(topic, channel);
    channel.join();
    return channel;
  }

  nextRef() {
    return String(++this.#ref);
  }

  push(joinRef, topic, event, payload, { ref = this.nextRef(), timeoutMs = replyTimeoutMs } = {}) {
    if (!this.isOpen) return Promise.resolve({ status: 'disconnected', response: {} });
    const reply = new Promise(resolve => {
      const timer = setTimeout(() => this.#settle(ref, { status: 'timeout', response: {} }), timeoutMs);
      this.#replies.set(ref, answer => {
        clearTimeout(timer);
        resolve(answer);
      });
    });
    this.send([joinRef, ref, topic, event, payload]);
    return reply;
  }

  // Sends a frame that wants no reply.
  send(frame) {
    if (!this.isOpen) return;
    const text = JSON.stringify(frame);
    this.#observer.frame('out', text);
    this.#webSocket.send(text);
  }

  #opened() {
    this.#observer.state('open');
    this.#heartbeat();
    for (const channel of this.#channels.values()) channel.join();
  }

  #received(text) {
    if (typeof text !== 'string') return;  // Binary frames are for payloads this client never asks for.
    this.#observer.frame('in', text);
    const [joinRef, ref, topic, event, payload] = JSON.parse(text);
    this.#tries = 0;
    if (event === 'phx_reply') this.#settle(ref, payload);
    else this.#channels.get(topic)?.received(joinRef, event, payload);
  }

  #settle(ref, answer) {
    const resolve = this.#replies.get(ref);
    this.#replies.delete(ref);
    resolve?.(answer);
  }

  async #heartbeat() {
    const webSocket = this.#webSocket;
    const sentAt = performance.now();
    const { status } = await this.push(null, 'phoenix', 'heartbeat', {}, { timeoutMs: heartbeatIntervalMs });
    if (webSocket !== this.#webSocket) return;
    if (status === 'timeout') return this.#lost();
    this.#observer.roundTrip(performance.now() - sentAt);
    this.#heartbeatTimer = setTimeout(() => this.#heartbeat(), heartbeatIntervalMs);
  }

  #lost() {
    clearTimeout(this.#timer);
    clearTimeout(this.#heartbeatTimer);
    const webSocket = this.#webSocket;
    this.#webSocket = null;  // Whatever the old connection still has to say is not heard.
    webSocket?.close(1000);
    for (const ref of [...this.#replies.keys()]) this.#settle(ref, { status: 'disconnected', response: {} });
    for (const channel of this.#channels.values()) channel.disconnected();
    if (!this.#wanted) return this.#observer.state('closed');
    const delay = backOff(reconnectAfterMs, this.#tries++);
    this.#timer = setTimeout(() => this.connect(), delay);
    this.#observer.state('waiting', delay);
  }
}

// Membership in one topic. Made by `Socket.join`. Handlers:
//   params()              what to join with, asked for each time
//   joined(response)      in; frames of the topic follow
//   refused(reason, final)  the server said no; not `final` means another try follows
//   left()                the membership ended, another try follows
//   closed()              the server ended it for good
//   event(name, payload)  everything else
export class Channel {
  #socket;
  #topic;
  #handlers;
  #forget;
  #joinRef = null;
  #tries = 0;
  #timer = 0;
  #over = false;

  constructor(socket, topic, handlers, forget) {
    this.#socket = socket;
    this.#topic = topic;
    this.#handlers = handlers;
    this.#forget = forget;
  }

  // Joins. When joined already, the new membership takes the place of the old one.
  async join() {
    clearTimeout(this.#timer);
    if (this.#over || !this.#socket.isOpen) return;
    const ref = this.#socket.nextRef();
    this.#joinRef = ref;
    const params = this.#handlers.params();
    const { status, response } = await this.#socket.push(ref, this.#topic, 'phx_join', params, { ref });
    if (this.#joinRef !== ref || status === 'disconnected') return;
    if (status === 'ok') {
      this.#tries = 0;
      this.#handlers.joined(response);
      return;
    }
    if (status === 'timeout') this.#socket.send([ref, this.#socket.nextRef(), this.#topic, 'phx_leave', {}]);
    this.#refused(status === 'timeout' ? 'timeout' : response.reason);
  }

  push(event, payload) {
    return this.#socket.push(this.#joinRef, this.#topic, event, payload);
  }

  // An event nobody answers.
  send(event, payload) {
    this.#socket.send([this.#joinRef, this.#socket.nextRef(), this.#topic, event, payload]);
  }

  leave() {
    this.send('phx_leave', {});
    this.#end();
  }

  // For Socket alone: a frame of this topic; the connection is gone.
  received(joinRef, event, payload) {
    if (this.#joinRef === null || (joinRef !== null && joinRef !== this.#joinRef)) return;
    if (event === 'phx_close') {
      this.#end();
      this.#handlers.closed();
    } else if (event === 'phx_error') {
      this.#joinRef = null;
      this.#rejoinLater();
      this.#handlers.left();
    } else {
      this.#handlers.event(event, payload);
    }
  }

  disconnected() {
    clearTimeout(this.#timer);
    this.#joinRef = null;
    this.#handlers.left();
  }

  #refused(reason) {
    this.#joinRef = null;
    const final = ['unauthorized', 'banned', 'invalid_room_id', 'invalid_user_id', 'unmatched topic']
      .includes(reason);
    if (final) this.#end();
    else this.#rejoinLater();
    this.#handlers.refused(reason, final);
  }

  #rejoinLater() {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.join(), backOff(rejoinAfterMs, this.#tries++));
  }

  #end() {
    clearTimeout(this.#timer);
    this.#over = true;
    this.#joinRef = null;
    this.#forget();
  }
}

// Who is present: user → how many connections. Maps, because a user may be called "__proto__".
export class Presence {
  #refs = new Map();  // user → set of phx_ref
  #early = [];  // Differences that came before the state they belong to.
  #hasState = false;

  // Begins anew: a state follows each join. Until then the old state is shown.
  reset() {
    this.#hasState = false;
    this.#early = [];
  }

  state(state) {
    this.#refs.clear();
    this.#add(state);
    this.#hasState = true;
    for (const diff of this.#early.splice(0)) this.diff(diff);
  }

  diff(diff) {
    if (!this.#hasState) {
      if (this.#early.length < presenceDiffsMax) this.#early.push(diff);
      return;
    }
    this.#add(diff.joins);
    for (const [user, { metas }] of Object.entries(diff.leaves)) {
      const refs = this.#refs.get(user);
      for (const { phx_ref } of metas) refs?.delete(phx_ref);
      if (refs?.size === 0) this.#refs.delete(user);
    }
  }

  // [{user, connections}] in order of name.
  list() {
    return [...this.#refs]
      .map(([user, refs]) => ({ user, connections: refs.size }))
      .sort((a, b) => a.user.localeCompare(b.user));
  }

  #add(users) {
    for (const [user, { metas }] of Object.entries(users)) {
      const refs = this.#refs.get(user) ?? new Set();
      for (const { phx_ref } of metas) refs.add(phx_ref);
      this.#refs.set(user, refs);
    }
  }
}
