import { explain } from './reasons.js';

const itemsMax = 500;
const nearEndPixels = 48;
const hueCount = 6;

const clock = new Intl.DateTimeFormat([], { hour: '2-digit', minute: '2-digit' });
const calendar = new Intl.DateTimeFormat([], { weekday: 'long', day: 'numeric', month: 'long', year: 'numeric' });

// Makes an element; text becomes a text node, never markup.
export function element(name, className, text) {
  const made = document.createElement(name);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}

// A colour for a name, the same on every page.
export function hue(name) {
  let hash = 7;
  for (const character of name) hash = (hash * 33 ^ character.codePointAt(0)) >>> 0;
  return `hue-${(hash >>> 4) % hueCount}`;
}

// The list of messages: numbered ones in the order of their numbers, notes where they happened, pending ones last.
// Keeps the newest `itemsMax` items.
export class Transcript {
  #scroller;
  #list;
  #newer;
  #onRetry;
  #byId = new Map();
  #byClientId = new Map();  // Own ones without a number.
  #atEnd = true;
  #unseen = 0;
  user = '';  // Whose messages are one's own.

  constructor({ scroller, list, newer, onRetry }) {
    this.#scroller = scroller;
    this.#list = list;
    this.#newer = newer;
    this.#onRetry = onRetry;
    scroller.addEventListener('scroll', () => this.#scrolled(), { passive: true });
    newer.addEventListener('click', () => {
      this.#toEnd();
      scroller.focus({ preventScroll: true });
    });
    new ResizeObserver(() => this.#atEnd && this.#toEnd()).observe(scroller);
  }

  get isEmpty() {
    return this.#list.childElementCount === 0;
  }

  // Forgets all but what is still to be sent.
  clear() {
    this.#byId.clear();
    this.#list.replaceChildren(...this.#byClientId.values());
    this.#unseen = 0;
    this.#toEnd();
  }

  // Forgets what is still to be sent, too.
  reset() {
    this.#byClientId.clear();
    this.clear();
  }

  // False when the message is there already.
  message(message, recovered) {
    if (this.#byId.has(message.id)) return false;
    const item = this.#row(message.user_id, message.content, message.inserted_at);
    item.classList.toggle('recovered', recovered);
    if (message.user_id === this.user) this.#state(item, 'acknowledged', '✓');
    this.#number(item, message);
    this.#place(item);
    this.#follow(message.user_id !== this.user);
    return true;
  }

  pending(entry) {
    const known = this.#byClientId.get(entry.clientId);
    const item = known ?? this.#row(entry.user, entry.content, entry.writtenAt);
    item.dataset.clientId = entry.clientId;
    item.querySelector('.problem')?.remove();
    this.#state(item, 'pending', '…');
    this.#byClientId.set(entry.clientId, item);
    this.#place(item);
    this.#toEnd();
  }

  acknowledged(entry, reply) {
    const item = this.#byClientId.get(entry.clientId);
    this.#byClientId.delete(entry.clientId);
    if (!item) return;
    if (this.#byId.has(reply.id)) return item.remove();
    item.querySelector('.problem')?.remove();
    this.#state(item, 'acknowledged', '✓');
    this.#time(item, reply.inserted_at);
    this.#number(item, reply);
    this.#place(item);
    this.#follow(false);
  }

  failed(entry, reason, retryAfterMs) {
    const item = this.#byClientId.get(entry.clientId);
    if (!item) return;
    this.#state(item, 'failed', '✕');
    const problem = element('p', 'problem', explain(reason, retryAfterMs));
    problem.dataset.reason = reason;
    const retry = element('button', 'retry', 'Retry');
    retry.type = 'button';
    retry.addEventListener('click', () => this.#onRetry(entry.clientId));
    problem.append(' ', retry);
    item.append(problem);
    this.#follow(false);
  }

  // A line between the messages; kind is notice, recovery or warning.
  note(kind, text) {
    const item = element('li', `note ${kind}`, text);
    item.dataset.testid = kind;
    this.#place(item);
    this.#follow(false);
  }

  #row(user, content, at) {
    const item = element('li', 'message');
    item.classList.toggle('own', user === this.user);
    const number = element('span', 'number');
    number.setAttribute('aria-hidden', 'true');
    const text = element('p', 'content', content);
    text.dir = 'auto';
    const author = element('bdi', `author ${hue(user)}`, user);
    author.title = user;
    const state = element('span', 'state');
    state.setAttribute('aria-live', 'off');
    item.append(number, author, text, element('time'), state);
    this.#time(item, at);
    return item;
  }

  #time(item, at) {
    const date = new Date(at);
    const time = item.querySelector('time');
    time.dateTime = date.toISOString();
    time.title = date.toLocaleString();
    time.textContent = clock.format(date);
    item.dataset.day = calendar.format(date);
  }

  #number(item, { id, seq }) {
    item.dataset.id = id;
    item.dataset.seq = seq;
    item.querySelector('.number').textContent = seq;
    item.classList.toggle('even', seq % 2 === 0);
    this.#byId.set(id, item);
  }

  #state(item, name, mark) {
    item.classList.remove('pending', 'acknowledged', 'failed');
    item.classList.add(name);
    const sign = element('span', '', mark);
    sign.setAttribute('aria-hidden', 'true');
    item.querySelector('.state').replaceChildren(sign, element('span', 'unseen', name));
  }

  // Most items belong at the end, so the search begins there. An item that is in its place is not moved: screen
  // readers would read it again.
  #place(item) {
    let previous = this.#list.lastElementChild;
    while (previous && (previous === item || this.#comesAfter(previous, item))) {
      previous = previous.previousElementSibling;
    }
    const next = previous ? previous.nextElementSibling : this.#list.firstElementChild;
    if (next !== item) this.#list.insertBefore(item, next);
    this.#markDay(item);
    this.#markDay(neighbour(item, 'nextElementSibling'));
    this.#trim();
  }

  #comesAfter(other, item) {
    if (other.classList.contains('pending')) return !item.classList.contains('pending');
    return Number(other.dataset.seq) > Number(item.dataset.seq);
  }

  #markDay(item) {
    if (!item?.dataset.day) return;
    const before = neighbour(item, 'previousElementSibling');
    item.classList.toggle('new-day', before?.dataset.day !== item.dataset.day);
  }

  #trim() {
    while (this.#list.childElementCount > itemsMax) {
      const oldest = this.#list.firstElementChild;
      this.#byId.delete(oldest.dataset.id);
      oldest.remove();
      this.#markDay(this.#list.firstElementChild);
    }
  }

  #follow(countsAsUnseen) {
    if (this.#atEnd) return this.#toEnd();
    if (countsAsUnseen) this.#unseen += 1;
    this.#showNewer();
  }

  #scrolled() {
    const { scrollHeight, scrollTop, clientHeight } = this.#scroller;
    this.#atEnd = scrollHeight - scrollTop - clientHeight < nearEndPixels;
    if (this.#atEnd) this.#unseen = 0;
    this.#showNewer();
  }

  #toEnd() {
    this.#atEnd = true;
    this.#unseen = 0;
    this.#scroller.scrollTop = this.#scroller.scrollHeight;
    this.#showNewer();
  }

  #showNewer() {
    this.#newer.hidden = this.#unseen === 0;
    this.#newer.textContent = `${this.#unseen} new ${this.#unseen === 1 ? 'message' : 'messages'} ↓`;
  }
}

// The next message in a direction, past notes.
function neighbour(item, direction) {
  let other = item[direction];
  while (other && !other.dataset.day) other = other[direction];
  return other;
}
