// The demo page in a real browser, as two people use it.
//
//   node tests/browser/chat.mjs [URL]
//
// Talks to the node at URL, else at $CHATX_URL, else to an own one of $CHATXD. Packages come from tests/clients.
// $CHATX_SCREENSHOTS names a folder for pictures of the page; $CHROMIUM another browser than Debian's. Prints one
// TAP line for each check; the exit code is 1 when one failed. Every check has pages and a room of its own.
import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { sharedNode, unique } from '../clients/support.mjs';

const { chromium } = createRequire(new URL('../clients/package.json', import.meta.url))('playwright-core');

const pageBytesMax = 60 * 1024;
const waitMs = 10_000;
const offlineMs = 10_000;
const desktop = { width: 1280, height: 800 };
const phone = { width: 390, height: 844 };

if (process.argv[2]) process.env.CHATX_URL = process.argv[2];
const screenshots = process.env.CHATX_SCREENSHOTS;

let browser;
let base;
let contexts = [];
let complaints = [];  // What no page may do: console errors, exceptions, requests to elsewhere.

/** Somebody's page, in a browser profile of its own. `prepare(page)` runs before the page is loaded. */
class Person {
  static async open(name, room, { prepare, ...options } = {}) {
    const context = await browser.newContext({ viewport: desktop, ...options });
    contexts.push(context);
    const person = new Person();
    person.name = name;
    person.context = context;
    await person.#load(room, prepare);
    return person;
  }

  /** Another tab of the same person, in the same profile. */
  async secondTab(room) {
    const tab = new Person();
    tab.name = this.name;
    tab.context = this.context;
    await tab.#load(room);
    return tab;
  }

  async #load(room, prepare) {
    this.page = await this.context.newPage();
    this.page.setDefaultTimeout(waitMs);
    watch(this.page);
    await prepare?.(this.page);
    const query = this.name ? `?name=${encodeURIComponent(this.name)}` : '';
    await this.page.goto(`${base}/${query}${room ? `#${encodeURIComponent(room)}` : ''}`);
    await this.live();
  }

  live() {
    return this.page.locator('#status[data-state=live]').waitFor();
  }

  async say(text) {
    await this.page.locator('#composer').fill(text);
    await this.page.locator('#composer').press('Enter');
  }

  /** A message with exactly this text; `more` narrows it down by further selectors. */
  message(text, more = '') {
    const content = this.page.locator('.content').filter({ hasText: text });
    return this.page.locator(`.message${more}`).filter({ has: content });
  }

  note(kind) {
    return this.page.getByTestId(kind);
  }
}

function watch(page) {
  page.on('pageerror', error => complaints.push(`exception: ${error.message}`));
  page.on('console', message => {
    if (['error', 'warning'].includes(message.type())) complaints.push(`${message.type()}: ${message.text()}`);
  });
  page.on('request', request => {
    if (!sameHost(request.url())) complaints.push(`request to ${request.url()}`);
  });
  page.on('websocket', socket => {
    if (!sameHost(socket.url())) complaints.push(`socket to ${socket.url()}`);
  });
}

function sameHost(url) {
  return url.startsWith('data:') || new URL(url).host === new URL(base).host;
}

async function adaAndBob(options = {}) {
  const room = unique('browser');
  return { room, ada: await Person.open('ada', room, options), bob: await Person.open('bob', room) };
}

/** Puts `relay` between page and server: its functions get each parsed frame and return whether it may pass. */
function between({ toServer = () => true, toPage = () => true }) {
  return page => page.routeWebSocket(/\/socket\/websocket/, near => {
    const far = near.connectToServer();
    const line = { near, far, reply: frame => near.send(JSON.stringify(frame)) };
    near.onMessage(text => toServer(JSON.parse(text), line) && far.send(text));
    far.onMessage(text => toPage(JSON.parse(text), line) && near.send(text));
  });
}

// ---- the checks ----

const checks = {
  async 'the page is small, complete in itself, and allows no inline script'() {
    const sizes = [];
    let policy;
    const prepare = page => page.on('response', response => {
      if (response.url() === `${base}/`) policy = response.headers()['content-security-policy'];
      if (!response.url().startsWith('data:')) sizes.push(response.body().then(body => body.length));
    });
    await Person.open('', '', { prepare });
    const bytes = (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0);
    assert.ok(bytes > 0 && bytes < pageBytesMax, `${bytes} bytes`);
    assert.match(policy ?? '', /default-src 'none'/);
    assert.doesNotMatch(policy, /unsafe/);
  },

  async 'a first visit gets a guest name and the room general, and may change both'() {
    const { page } = await Person.open('', '');
    assert.equal(new URL(page.url()).hash, '#general');
    assert.match(await page.locator('#name').inputValue(), /^[a-z]+-[a-z]+-\d+$/);
    const room = unique('browser');
    await page.locator('#room').fill(room);
    await page.locator('#room').press('Enter');
    await page.waitForFunction(hash => location.hash === hash, `#${room}`);
    await page.locator('#name').fill('žofie');
    await page.locator('#name').press('Enter');
    await page.locator('#people-list [data-user="žofie"]').waitFor();
    await page.reload();
    await page.locator('#people-list [data-user="žofie"]').waitFor();
    assert.equal(await page.locator('#room').inputValue(), room);
  },

  async 'two people talk, also beyond ASCII, and own messages get their tick'() {
    const { ada, bob } = await adaAndBob();
    await ada.say('Grüße, 世界 👋🏽');
    await ada.message('Grüße, 世界 👋🏽', '.own.acknowledged[data-seq="1"]').waitFor();
    await bob.message('Grüße, 世界 👋🏽', '[data-seq="1"]:not(.own)').waitFor();
    await bob.say('مرحبا ada');
    await bob.message('مرحبا ada', '.own.acknowledged[data-seq="2"]').waitFor();
    await ada.message('مرحبا ada', '[data-seq="2"]:not(.own)').waitFor();
    assert.equal(await ada.page.locator('.message').count(), 2);
    assert.equal(await ada.page.locator('#footer-seq').textContent(), '2');
    assert.match(await ada.page.locator('#footer-rtt').textContent(), /^[\d.]+ ms$/);
  },

  async 'who comes later reads what was said before'() {
    const room = unique('browser');
    const ada = await Person.open('ada', room);
    await ada.say('early');
    await ada.message('early', '.acknowledged').waitFor();
    const bob = await Person.open('bob', room);
    await bob.message('early', '[data-seq="1"]').waitFor();
  },

  async 'presence shows both, counts tabs, and forgets who left'() {
    const { ada, bob, room } = await adaAndBob();
    const people = bob.page.locator('#people-list');
    await people.locator('[data-user=ada]').waitFor();
    await people.locator('[data-user=bob].own').waitFor();
    const tab = await ada.secondTab(room);
    await people.locator('[data-user=ada] .connections', { hasText: '2 tabs' }).waitFor();
    await tab.page.close();
    await people.locator('[data-user=ada] .connections').waitFor({ state: 'detached' });
    await ada.page.close();
    await people.locator('[data-user=ada]').waitFor({ state: 'detached' });
  },

  async 'typing shows while somebody types and ends with the message'() {
    const { ada, bob } = await adaAndBob();
    await ada.page.locator('#composer').pressSequentially('hm');
    await bob.page.locator('#typing', { hasText: 'ada is typing…' }).waitFor();
    await ada.page.locator('#composer').press('Enter');
    await bob.message('hm').waitFor();
    await bob.page.waitForFunction(() => document.getElementById('typing').textContent === '');
  },

  async 'ten seconds offline, three messages missed: three recovered, none lost'() {
    const { ada, bob } = await adaAndBob();
    await ada.say('before');
    await bob.message('before').waitFor();
    await bob.page.locator('#offline').click();
    await bob.page.locator('#status[data-state=offline]').waitFor();
    for (const text of ['one', 'two', 'three']) {
      await ada.say(text);
      await ada.message(text, '.acknowledged').waitFor();
    }
    await bob.note('recovery').waitFor({ timeout: offlineMs + waitMs });
    assert.match(await bob.note('recovery').textContent(), /^Recovered 3 messages, 0 lost/);
    assert.deepEqual(await bob.page.locator('.message .content').allTextContents(), ['before', 'one', 'two', 'three']);
    assert.equal(await bob.page.locator('.message.recovered').count(), 3);
  },

  async 'what is written offline waits and is sent once'() {
    const { ada, bob } = await adaAndBob();
    await ada.page.locator('#offline').click();
    await ada.say('written offline');
    await ada.message('written offline', '.pending').waitFor();
    await ada.page.locator('#offline').click();  // Comes back at once.
    await ada.message('written offline', '.acknowledged[data-seq="1"]').waitFor();
    await bob.say('and then');
    await ada.message('and then', '[data-seq="2"]').waitFor();
    assert.equal(await bob.page.locator('.message').count(), 2);
  },

  async 'a message whose acknowledgement got lost is sent again and stands there once'() {
    let cut = false;
    const sent = [];
    const prepare = between({
      toServer([, , , event, payload]) {
        if (event === 'new_message') sent.push(payload.client_id);
        return true;
      },
      toPage([, , , event, payload], { near, far }) {
        const tells = event === 'new_message' || (event === 'phx_reply' && payload.response.seq === 1);
        if (cut || !tells) return true;
        cut = true;
        far.close();
        near.close({ code: 1012 });
        return false;
      },
    });
    const { ada, bob } = await adaAndBob({ prepare });
    await ada.say('once');
    await ada.message('once', '.acknowledged[data-seq="1"]').waitFor();
    await bob.say('twice?');
    await ada.message('twice?', '[data-seq="2"]').waitFor();
    assert.ok(cut);
    assert.equal(new Set(sent).size, 1, `client ids ${sent}`);
    assert.equal(await ada.page.locator('.message').count(), 2);
    assert.equal(await bob.page.locator('.message').count(), 2);
  },

  async 'a refusal is told in words at the message, and Retry sends it'() {
    let refused = false;
    const prepare = between({
      toServer([joinRef, ref, topic, event], { reply }) {
        if (refused || event !== 'new_message') return true;
        refused = true;
        const response = { reason: 'rate_limited', retry_after_ms: 400 };
        reply([joinRef, ref, topic, 'phx_reply', { status: 'error', response }]);
        return false;
      },
    });
    const ada = await Person.open('ada', unique('browser'), { prepare });
    await ada.say('too fast');
    const failed = ada.message('too fast', '.failed');
    await failed.locator('[data-reason=rate_limited]').waitFor();
    assert.match(await failed.locator('.problem').textContent(), /^You are sending too fast\. Wait 0\.4 s\./);
    await failed.getByRole('button', { name: 'Retry' }).click();
    await ada.message('too fast', '.acknowledged[data-seq="1"]').waitFor();
    assert.equal(await ada.page.locator('.problem').count(), 0);
  },

  async 'a hole in the numbers is shown, and so is a gap the server tells'() {
    const prepare = between({
      toPage([, , topic, event, payload], { reply }) {
        if (event !== 'new_message') return true;
        const gap = { from: payload.seq, to: payload.seq, reason: 'slow_consumer' };
        if (payload.content === 'told') reply([null, null, topic, 'gap', gap]);
        return !['silent', 'told'].includes(payload.content);
      },
    });
    const { ada, bob } = await adaAndBob({ prepare });
    for (const text of ['first', 'silent', 'third', 'told', 'fifth']) {
      await bob.say(text);
      await bob.message(text, '.acknowledged').waitFor();
    }
    await ada.message('fifth').waitFor();
    const warnings = await ada.note('warning').allTextContents();
    assert.equal(warnings.length, 2, warnings.join('; '));
    assert.match(warnings[0], /message 2 never came/);
    assert.match(warnings[1], /left out message 4: slow consumer/);
  },

  async 'markup in names and messages stays text'() {
    const room = unique('browser');
    const markup = '<img src=x onerror="document.title=1"><b>bold</b>';
    const mallory = await Person.open(markup, room);
    const bob = await Person.open('bob', room);
    await mallory.say(markup);
    await bob.message(markup).waitFor();
    await bob.page.locator('#people-list').getByText(markup).waitFor();
    await bob.page.locator('#frames-toggle').click();
    assert.equal(await bob.page.locator('img, b').count(), 0);
  },

  async 'the frames pane shows what is on the wire; Escape closes it and focus returns'() {
    const { page } = await Person.open('ada', unique('browser'));
    await page.getByRole('button', { name: 'Frames' }).click();
    const frames = page.getByRole('region', { name: 'Frames' });
    await frames.locator('.frame.out', { hasText: '"phx_join",{"history":50}' }).waitFor();
    await frames.locator('.frame.in', { hasText: '"presence_state"' }).waitFor();
    await page.keyboard.press('Escape');
    await frames.waitFor({ state: 'hidden' });
    assert.equal(await page.evaluate(() => document.activeElement.id), 'frames-toggle');
  },

  async 'everything needed to send can be done by keyboard'() {
    const { ada, bob } = await adaAndBob();
    await ada.page.evaluate(() => document.activeElement.blur());
    const stops = [];
    while (stops.at(-1) !== 'composer' && stops.length < 30) {
      await ada.page.keyboard.press('Tab');
      stops.push(await ada.page.evaluate(() => document.activeElement.id));
    }
    for (const id of ['room', 'name', 'offline', 'frames-toggle', 'theme', 'messages', 'composer']) {
      assert.ok(stops.includes(id), `${id} is not among ${stops}`);
    }
    await ada.page.keyboard.type('two');
    await ada.page.keyboard.press('Shift+Enter');
    await ada.page.keyboard.type('lines');
    await ada.page.keyboard.press('Enter');
    await bob.message('two').waitFor();
    assert.equal(await bob.page.locator('.content').textContent(), 'two\nlines');
    await ada.page.getByRole('log', { name: 'Messages' }).waitFor();
    assert.equal(await ada.page.getByRole('textbox', { name: 'Message' }).inputValue(), '');
  },

  async 'a reader who scrolled up stays there and is told of new messages'() {
    const { ada, bob } = await adaAndBob();
    const tall = number => `${number}\n`.repeat(10).trim();
    for (const number of [1, 2, 3, 4, 5, 6]) await ada.say(tall(number));
    await bob.page.locator('.message[data-seq="6"]').waitFor();
    await bob.page.locator('#messages').evaluate(scroller => { scroller.scrollTop = 0; });
    await bob.page.evaluate(() => new Promise(requestAnimationFrame));  // The page has noticed by then.
    await ada.say('news');
    await bob.message('news').waitFor();
    await bob.page.getByRole('button', { name: '1 new message ↓' }).click();
    await bob.page.locator('#newer').waitFor({ state: 'hidden' });
    await bob.page.waitForFunction(() => {
      const { scrollHeight, scrollTop, clientHeight } = document.getElementById('messages');
      return scrollHeight - scrollTop - clientHeight < 2;
    });
  },

  async 'rooms are apart'() {
    const { ada, bob } = await adaAndBob();
    await ada.say('in the first room');
    await bob.message('in the first room').waitFor();
    await bob.page.locator('#room').fill(unique('browser'));
    await bob.page.locator('#room').press('Enter');
    await ada.page.locator('#people-list [data-user=bob]').waitFor({ state: 'detached' });
    await bob.live();
    assert.equal(await bob.page.locator('.message').count(), 0);
    await bob.page.goBack();
    await bob.message('in the first room').waitFor();
  },

  async 'light and dark follow the system until the button says otherwise'() {
    const { page } = await Person.open('ada', unique('browser'), { colorScheme: 'dark' });
    const ground = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    const dark = await ground();
    await page.getByRole('button', { name: 'Switch between light and dark' }).click();
    const light = await ground();
    assert.notEqual(light, dark);
    await page.reload();
    assert.equal(await ground(), light);
  },

  async 'desktop and phone fit in light and dark'() {
    if (screenshots) mkdirSync(screenshots, { recursive: true });
    for (const colorScheme of ['light', 'dark']) {
      for (const [device, viewport] of Object.entries({ desktop, phone })) {
        const options = { viewport, colorScheme, hasTouch: device === 'phone' };
        await showOff(`${device}-${colorScheme}`, options);
      }
    }
  },
};

/** A short talk with everything in it, for the picture; nothing may be wider than the page. */
async function showOff(name, options) {
  const room = unique('browser');
  const ada = await Person.open('ada', room, options);
  const bob = await Person.open('bob', room);
  await ada.say('Does the second tab see this?');
  await bob.message('Does the second tab see this?').waitFor();
  await ada.page.locator('#offline').click();
  for (const text of ['It does.', `A long word: ${'x'.repeat(300)}`, '안녕하세요 مرحبا 👋']) await bob.say(text);
  await bob.message('👋', '.acknowledged').waitFor();
  await ada.page.locator('#offline').click();
  await ada.note('recovery').waitFor();
  await bob.page.locator('#composer').pressSequentially('hm');
  await ada.page.locator('#typing', { hasText: 'bob is typing…' }).waitFor();
  await picture(ada.page, name);
  await ada.page.locator('#frames-toggle').click();
  await picture(ada.page, `${name}-frames`);
}

async function picture(page, name) {
  const excess = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  assert.ok(excess <= 0, `${name}: ${excess} pixels too wide`);
  if (screenshots) await page.screenshot({ path: join(screenshots, `${name}.png`) });
}

// ---- running them ----

async function run(check) {
  complaints = [];
  try {
    await check();
    assert.deepEqual(complaints, [], 'the page complained or asked elsewhere');
  } finally {
    await Promise.all(contexts.splice(0).map(context => context.close()));
  }
}

async function runAll() {
  const entries = Object.entries(checks);
  let failures = 0;
  console.log(`1..${entries.length}`);
  for (const [index, [name, check]] of entries.entries()) {
    const problem = await run(check).then(() => null, error => error);
    console.log(`${problem ? 'not ok' : 'ok'} ${index + 1} - ${name}`);
    if (!problem) continue;
    failures += 1;
    console.log(String(problem.stack).replace(/^/gm, '  # '));
  }
  return failures;
}

const node = await sharedNode();
base = node.url.replace(/\/$/, '');
browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: [
    '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
    '--disable-component-update', '--disable-sync',
  ],
});
try {
  process.exitCode = (await runAll()) ? 1 : 0;
} finally {
  await browser.close();
  await node.end();
}
