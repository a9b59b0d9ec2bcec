// Plays the user at a browser, as a test tells it, line by line: each line is an order with an `id`, and is
// answered by a line with the same `id` and a `value` or a `fault`. Ends, and Chromium with it, when nobody
// has anything to say any more.

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { createInterface } from 'node:readline';
import { chromium } from 'playwright-core';

/** Far beyond what any of it takes on a busy machine. */
const PATIENCE = 60_000;
const axe = readFileSync(new URL('node_modules/axe-core/axe.min.js', import.meta.url), 'utf8');

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM,
  args: [
    '--no-sandbox',
    '--disable-dev-shm-usage',
    '--host-resolver-rules=MAP *.shop.test 127.0.0.1',
    `--ignore-certificate-errors-spki-list=${process.env.CERTIFICATE}`,
  ],
});
const profiles = new Map();
const tabs = new Map();

const follow = (profile, page) => {
  const noted = { sent: [], faults: [] };
  page.on('response', (response) => {
    const { pathname } = new URL(response.url());
    noted.sent.push(`${response.request().method()} ${pathname} ${response.status()}`);
  });
  page.on('requestfailed', (request) => noted.sent.push(`${request.method()} ${new URL(request.url()).pathname} lost`));
  page.on('pageerror', (fault) => noted.faults.push(`${fault}`));
  page.on('console', (message) => {
    if (/Content Security Policy/.test(message.text())) noted.faults.push(message.text());
  });
  page.setDefaultTimeout(PATIENCE);
  return { page, profile, ...noted };
};

const run = (page, script, given) =>
  page.evaluate(
    async ([script, given]) => {
      const AsyncFunction = Object.getPrototypeOf(async () => {}).constructor;
      try {
        return { value: (await new AsyncFunction('given', script)(given)) ?? null };
      } catch (fault) {
        return { thrown: { name: fault?.name, code: fault?.code, status: fault?.status, message: `${fault?.message ?? fault}` } };
      }
    },
    [script, given ?? null],
  );

const plain = (page, path) => page.screenshot({ path, fullPage: true }).then(() => null);
/** A picture for a page of text: Playwright itself makes none of this kind. */
const small = async (page, path) => {
  const { scrollWidth: width, scrollHeight: height } = await page.evaluate(() => {
    const { scrollWidth, scrollHeight } = document.documentElement;
    return { scrollWidth, scrollHeight };
  });
  const session = await page.context().newCDPSession(page);
  const clip = { x: 0, y: 0, width, height, scale: 1 };
  const { data } = await session.send('Page.captureScreenshot', { format: 'webp', quality: 80, captureBeyondViewport: true, clip });
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, Buffer.from(data, 'base64'));
  await session.detach();
};

/** What has the focus, and why that cannot be seen, if so. */
const focused = (selector) => {
  const it = document.activeElement;
  const what = it.id || it.name || it.dataset.nav || it.textContent.trim().slice(0, 30) || it.localName;
  if (it === document.body) return { is: selector === 'body', what: 'body' };
  const { outlineStyle, outlineWidth } = getComputedStyle(it);
  const { top, bottom, left, right, width, height } = it.getBoundingClientRect();
  const isDrawn = outlineStyle !== 'none' && parseFloat(outlineWidth) >= 2;
  const isInside = bottom > 0 && top < innerHeight && right > 0 && left < innerWidth && width > 1 && height > 1;
  const hidden = !isDrawn ? `${what} has no outline` : !isInside ? `${what} is outside of the window` : undefined;
  return { is: it.matches(selector), what, hidden };
};

const orders = {
  async profile({ name, options }) {
    profiles.set(name, await browser.newContext({ ...options, ignoreHTTPSErrors: false }));
  },
  async open({ profile, tab, url }) {
    const page = await profiles.get(profile).newPage();
    tabs.set(tab, follow(profile, page));
    await page.goto(url, { waitUntil: 'load', timeout: PATIENCE });
  },
  goto: ({ tab, url }) => tabs.get(tab).page.goto(url, { waitUntil: 'load', timeout: PATIENCE }).then((answer) => answer.status()),
  reload: ({ tab }) => tabs.get(tab).page.reload({ waitUntil: 'load', timeout: PATIENCE }).then((answer) => answer.status()),
  run: ({ tab, script, given }) => run(tabs.get(tab).page, script, given),
  together: ({ tabs: names, script, given }) => Promise.all(names.map((name) => run(tabs.get(name).page, script, given))),
  // Asked from here each time: what a page evaluates later by itself its policy may forbid.
  async until({ tab, script }) {
    const { page } = tabs.get(tab);
    for (const end = Date.now() + PATIENCE; ; ) {
      // While it goes elsewhere there is nobody to ask.
      if (await page.evaluate(`!!(${script})`).catch(() => false)) return null;
      if (Date.now() > end) throw new Error(`waited in vain until ${script}`);
      await new Promise((done) => setTimeout(done, 50));
    }
  },
  at: ({ tab, url }) => tabs.get(tab).page.waitForURL(new RegExp(url), { timeout: PATIENCE }).then(() => null),
  url: ({ tab }) => tabs.get(tab).page.url(),
  text: ({ tab, selector }) => tabs.get(tab).page.locator(selector).first().innerText(),
  count: ({ tab, selector }) => tabs.get(tab).page.locator(selector).count(),
  fill: ({ tab, selector, text }) => tabs.get(tab).page.locator(selector).first().fill(text),
  click: ({ tab, selector }) => tabs.get(tab).page.locator(selector).first().click(),
  async type({ tab, texts }) {
    const { keyboard } = tabs.get(tab).page;
    for (const text of texts) {
      if (text === '\t') await keyboard.press('Tab');
      else if (text === '\n') await keyboard.press('Enter');
      else await keyboard.type(text);
    }
  },
  async keys({ tab, keys }) {
    for (const key of keys) await tabs.get(tab).page.keyboard.press(key);
  },
  // Goes on with Tab until something like this has the focus; all that has it on the way must be seen.
  async walk({ tab, selector, most }) {
    const { page } = tabs.get(tab);
    const way = [];
    await page.waitForLoadState();
    while (way.length < most) {
      await page.keyboard.press('Tab');
      const stop = await page.evaluate(focused, selector);
      way.push(stop.what);
      if (stop.hidden) throw new Error(`the focus cannot be seen: ${stop.hidden}: ${way.join(' > ')}`);
      if (stop.is) return way;
    }
    throw new Error(`no ${selector} in ${most} steps: ${way.join(' > ')}`);
  },
  shot: ({ tab, file }) => (file.endsWith('.webp') ? small : plain)(tabs.get(tab).page, file),
  // Into a world of its own, so that no policy of the page stands in the way.
  async axe({ tab }) {
    const { page } = tabs.get(tab);
    const session = await page.context().newCDPSession(page);
    const { frameTree } = await session.send('Page.getFrameTree');
    const { executionContextId: contextId } = await session.send('Page.createIsolatedWorld', { frameId: frameTree.frame.id, worldName: 'axe' });
    await session.send('Runtime.evaluate', { contextId, expression: axe });
    const expression = `axe.run(document, { resultTypes: ['violations'] }).then(({ violations }) =>
      violations.map(({ id, impact, help, nodes }) => ({ id, impact, help, where: nodes.map(({ target }) => target.join(' ')) })))`;
    const { result, exceptionDetails } = await session.send('Runtime.evaluate', { contextId, expression, awaitPromise: true, returnByValue: true });
    await session.detach();
    if (exceptionDetails) throw new Error(JSON.stringify(exceptionDetails));
    return result.value;
  },
  sent({ tab }) {
    return tabs.get(tab).sent.splice(0);
  },
  faults: ({ tab }) => tabs.get(tab).faults.splice(0),
  cookies: ({ profile }) => profiles.get(profile).cookies(),
  forget: ({ profile, cookie }) => profiles.get(profile).clearCookies({ name: cookie }),
  clock: ({ tab }) => tabs.get(tab).page.clock.install(),
  forward: ({ tab, ms }) => tabs.get(tab).page.clock.fastForward(ms),
  offline: ({ profile, isOffline }) => profiles.get(profile).setOffline(isOffline),
  async leave({ profile }) {
    await profiles.get(profile)?.close();
    profiles.delete(profile);
  },
};

const say = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);
createInterface({ input: process.stdin })
  .on('line', async (line) => {
    const { id, order, ...details } = JSON.parse(line);
    try {
      say({ id, value: (await orders[order](details)) ?? null });
    } catch (fault) {
      say({ id, fault: `${fault?.stack ?? fault}` });
    }
  })
  .on('close', async () => {
    await browser.close();
    process.exit();
  });
say({ id: 0, value: browser.version() });
