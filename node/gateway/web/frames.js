import { element } from './transcript.js';

const framesMax = 200;
const charactersMax = 4000;
const clock = new Intl.DateTimeFormat([], {
  hour: '2-digit', minute: '2-digit', second: '2-digit', fractionalSecondDigits: 3, hour12: false,
});

function eventOf(text) {
  const [, , , event, payload] = JSON.parse(text);
  return event === 'phx_reply' ? `${event} ${payload.status}` : event;
}

// The last frames of the connection, as they are on the wire.
export class FrameLog {
  #list;

  constructor(list) {
    this.#list = list;
  }

  add(direction, text) {
    const stays = this.#isAtEnd();
    const item = element('li', `frame ${direction}`);
    const cut = text.length > charactersMax ? `… ${text.length} characters in all` : '';
    item.append(
      element('span', 'direction', direction === 'in' ? '↓ in' : '↑ out'),
      element('time', '', clock.format(new Date())),
      element('span', 'event', eventOf(text)),
      element('code', '', text.slice(0, charactersMax) + cut));
    this.#list.append(item);
    while (this.#list.childElementCount > framesMax) this.#list.firstElementChild.remove();
    if (stays) this.toEnd();
  }

  clear() {
    this.#list.replaceChildren();
  }

  toEnd() {
    this.#list.scrollTop = this.#list.scrollHeight;
  }

  #isAtEnd() {
    const { scrollHeight, scrollTop, clientHeight } = this.#list;
    return scrollHeight - scrollTop - clientHeight < 40;
  }
}
