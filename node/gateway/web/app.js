// The page: joins the parts to the elements. What happens on the wire is in phoenix-lite.js, what a room is in room.js.
import { FrameLog } from './frames.js';
import { guestName, loadName, saveName } from './names.js';
import { Socket } from './phoenix-lite.js';
import { explain } from './reasons.js';
import { Room, counted } from './room.js';
import { Transcript, element, hue } from './transcript.js';

const roomDefault = 'general';
const offlineMs = 10000;
const typingShownMs = 3500;

const byId = id => document.getElementById(id);
const composer = byId('composer');
const status = byId('status');

const frames = new FrameLog(byId('frame-list'));
const transcript = new Transcript({
  scroller: byId('messages'),
  list: byId('message-list'),
  newer: byId('newer'),
  onRetry: clientId => room.retry(clientId),
});

let name = loadName();
let room = null;
let roomId = '';
let membership = { state: 'left', reason: '' };
let connection = 'closed';
let wasLive = false;
let unread = 0;

const socket = new Socket(socketUrl(), {
  state(state) {
    connection = state;
    showStatus();
  },
  frame: (direction, text) => frames.add(direction, text),
  roundTrip(ms) {
    byId('footer-rtt').textContent = `${ms.toFixed(ms < 10 ? 1 : 0)} ms`;
  },
});

// ---- what a room tells ----

const view = {
  busy: busy => byId('messages').setAttribute('aria-busy', String(busy)),
  message(message, recovered) {
    const isNew = transcript.message(message, recovered);
    typing.delete(message.user_id);
    showTyping();
    if (isNew && membership.state === 'joined') countUnread();
    showEmpty();
  },
  pending(entry) {
    transcript.pending(entry);
    showEmpty();
  },
  acknowledged: (entry, reply) => transcript.acknowledged(entry, reply),
  failed: (entry, reason, retryAfterMs) => transcript.failed(entry, reason, retryAfterMs),
  note(kind, text) {
    transcript.note(kind, text);
    showEmpty();
  },
  clear: () => transcript.clear(),
  typing(user) {
    clearTimeout(typing.get(user));
    typing.set(user, setTimeout(() => {
      typing.delete(user);
      showTyping();
    }, typingShownMs));
    showTyping();
  },
  people: showPeople,
  occupancy(count) {
    byId('people-count').textContent = count;
  },
  position({ node, owner, epoch, seq }) {
    for (const [field, value] of Object.entries({ node, owner, epoch, seq })) {
      const cell = byId(`footer-${field}`);
      cell.textContent = value ?? '–';
      cell.title = cell.textContent;
    }
  },
  membership(state, reason) {
    membership = { state, reason };
    showStatus();
    showEmpty();
  },
};

// ---- status, people, typing ----

function showStatus() {
  const [state, text] = statusNow();
  if (state === 'live') wasLive = true;
  status.dataset.state = state;
  if (status.textContent !== text) status.textContent = text;
  byId('people').classList.toggle('stale', state !== 'live');
}

function statusNow() {
  if (offlineTimer) return ['offline', 'Offline'];
  if (membership.state === 'refused') return ['refused', explain(membership.reason)];
  if (membership.state === 'closed') return ['refused', 'The server ended your membership'];
  if (connection !== 'open') return wasLive ? ['waiting', 'Reconnecting'] : ['connecting', 'Connecting'];
  if (membership.state === 'joined') return ['live', 'Live'];
  if (membership.state === 'waiting') return ['waiting', `${explain(membership.reason)} Trying again`];
  return wasLive ? ['waiting', 'Joining again'] : ['connecting', 'Joining'];
}

function showEmpty() {
  byId('empty').hidden = !(transcript.isEmpty && membership.state === 'joined');
}

function showPeople(people) {
  byId('people-count').textContent = people.length;
  byId('people-list').replaceChildren(...people.map(({ user, connections }) => {
    const item = element('li', user === name ? 'own' : '');
    item.dataset.user = user;
    const label = element('bdi', hue(user), user);
    label.title = user;
    item.append(label);
    if (user === name) item.append(element('span', 'you', 'you'));
    if (connections > 1) item.append(element('span', 'connections', counted(connections, 'tab')));
    return item;
  }));
}

const typing = new Map();  // user → timer

function showTyping() {
  const users = [...typing.keys()];
  byId('typing').textContent = users.length === 0 ? ''
    : users.length === 1 ? `${users[0]} is typing…`
    : users.length === 2 ? `${users[0]} and ${users[1]} are typing…`
    : `${users.length} people are typing…`;
}

function clearTyping() {
  for (const timer of typing.values()) clearTimeout(timer);
  typing.clear();
  showTyping();
}

function countUnread() {
  if (document.hidden) unread += 1;
  showTitle();
}

function showTitle() {
  document.title = `${unread ? `(${unread}) ` : ''}#${roomId} · chatx`;
}

// ---- where and who ----

function socketUrl() {
  const url = new URL('socket/websocket', document.baseURI);
  url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
  url.search = new URLSearchParams({ vsn: '2.0.0', user_id: name });
  url.hash = '';
  return url.href;
}

function roomFromUrl() {
  const text = location.hash.slice(1);
  try {
    return decodeURIComponent(text) || roomDefault;
  } catch {
    return text;  // A lone percent sign is part of the name.
  }
}

function enterRoom() {
  const abandoned = room?.unacknowledged ?? 0;
  room?.leave();
  transcript.reset();
  transcript.user = name;
  clearTyping();
  showPeople([]);
  membership = { state: 'left', reason: '' };
  wasLive = false;
  roomId = roomFromUrl();
  if (abandoned) {
    const messages = counted(abandoned, 'message');
    view.note('warning', `${messages} written before had no acknowledgement yet and may not have arrived.`);
  }
  room = new Room(socket, roomId, name, view);
  byId('room').value = roomId;
  byId('name').value = name;
  const secondTab = new URL(location.href);
  secondTab.searchParams.set('name', guestName());
  byId('second-tab').href = secondTab.href;
  showTitle();
  showStatus();
}

function changeName(wanted) {
  const changed = wanted.trim();
  if (!changed || changed === name) return enterFieldsBack();
  name = changed;
  saveName(name);
  const offline = offlineTimer !== 0;
  room.leave();
  socket.disconnect();
  enterRoom();
  if (!offline) socket.connect(socketUrl());
  composer.focus();
}

function changeRoom(wanted) {
  const changed = wanted.trim().replace(/^#+/, '');
  if (!changed || (changed === roomId && membership.state === 'joined')) return enterFieldsBack();
  if (changed === roomId) enterRoom();
  else location.hash = encodeURIComponent(changed);
  composer.focus();
}

function enterFieldsBack() {
  byId('room').value = roomId;
  byId('name').value = name;
  composer.focus();
}

// ---- offline on purpose ----

let offlineTimer = 0;

function goOffline() {
  if (offlineTimer) return comeBack();
  const until = performance.now() + offlineMs;
  const show = () => {
    const left = until - performance.now();
    if (left <= 0) return comeBack();
    byId('offline').textContent = `Back in ${Math.ceil(left / 1000)} s`;
  };
  offlineTimer = setInterval(show, 250);
  show();
  socket.disconnect();
}

function comeBack() {
  clearInterval(offlineTimer);
  offlineTimer = 0;
  byId('offline').textContent = 'Go offline 10 s';
  socket.connect(socketUrl());
}

// ---- panes ----

function showPane(id, open) {
  const pane = byId(id);
  const toggle = byId(`${id}-toggle`);
  pane.classList.toggle('open', open);
  if (id === 'frames') pane.hidden = !open;
  toggle.setAttribute('aria-expanded', String(open));
  if (open) showPane(id === 'frames' ? 'people' : 'frames', false);
  if (open && id === 'frames') frames.toEnd();
}

function closePane(id) {
  if (!byId(id).classList.contains('open')) return false;
  showPane(id, false);
  byId(`${id}-toggle`).focus();
  return true;
}

for (const id of ['frames', 'people']) {
  byId(`${id}-toggle`).addEventListener('click', () => showPane(id, !byId(id).classList.contains('open')));
  document.querySelector(`[data-closes=${id}]`).addEventListener('click', () => closePane(id));
}
byId('frames-clear').addEventListener('click', () => frames.clear());
byId('offline').addEventListener('click', goOffline);

// ---- writing ----

function submitComposer() {
  const content = composer.value;
  if (!content.trim()) return;
  if (room.send(content)) composer.value = '';
  else view.note('warning', 'Too many messages wait for their acknowledgement. This one was not sent.');
}

composer.addEventListener('keydown', event => {
  if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  submitComposer();
});
composer.addEventListener('input', () => composer.value.trim() && room.typing());

const submits = {
  'composer-form': submitComposer,
  'room-form': () => changeRoom(byId('room').value),
  'name-form': () => changeName(byId('name').value),
};
for (const [id, act] of Object.entries(submits)) {
  byId(id).addEventListener('submit', event => {
    event.preventDefault();
    act();
  });
}

document.addEventListener('keydown', event => {
  if (event.key !== 'Escape' || event.isComposing) return;
  if (event.target.id === 'room' || event.target.id === 'name') enterFieldsBack();
  else closePane('frames') || closePane('people');
});
document.querySelector('.skip').addEventListener('click', event => {
  event.preventDefault();  // The fragment names the room.
  composer.focus();
});

addEventListener('hashchange', enterRoom);
addEventListener('online', () => socket.hurry());
document.addEventListener('visibilitychange', () => {
  if (document.hidden) return;
  unread = 0;
  showTitle();
  socket.hurry();
});

if (!location.hash) history.replaceState(null, '', `#${roomDefault}`);
enterRoom();
socket.connect();
if (matchMedia('(pointer: fine)').matches) composer.focus();
