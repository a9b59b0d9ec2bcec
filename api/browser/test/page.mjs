// A page around the client, as far as it looks: each import of `tab()` is a tab of the same browser.

const target = new EventTarget();
export const items = new Map();
export const page = { cookie: '', href: 'https://auth.example.com/shop' };

const localStorage = {
  getItem: (key) => items.get(key) ?? null,
  setItem(key, newValue) {
    const oldValue = items.get(key) ?? null;
    items.set(key, newValue);
    if (oldValue !== newValue) wake('storage', { key, newValue, oldValue });
  },
  removeItem(key) {
    const had = items.delete(key);
    if (had) wake('storage', { key, newValue: null });
  },
};

/** Something happens to the window. */
export const wake = (name, more = {}) => target.dispatchEvent(Object.assign(new Event(name), more));

Object.assign(globalThis, {
  localStorage,
  addEventListener: target.addEventListener.bind(target),
  removeEventListener: target.removeEventListener.bind(target),
});
for (const [name, get] of [
  ['document', () => ({ get cookie() { return page.cookie; }, baseURI: page.href })],
  ['location', () => ({ href: page.href, origin: new URL(page.href).origin })],
]) Object.defineProperty(globalThis, name, { get, configurable: true });

let tabs = 0;
export const tab = () => import(`../dist/index.js?tab=${(tabs += 1)}`);

/** Web Locks, as browsers have them. */
export class Locks {
  #last = new Map();
  requests = 0;

  request(name, { signal }, deed) {
    this.requests += 1;
    const before = this.#last.get(name) ?? Promise.resolve();
    const mine = new Promise((done, failed) => {
      signal.addEventListener('abort', () => failed(signal.reason));
      before.then(() => (signal.aborted ? undefined : Promise.resolve(deed({ name })).then(done, failed)));
    });
    this.#last.set(name, mine.catch(() => {}));
    return mine;
  }
}

export const without = (name) => {
  const was = Object.getOwnPropertyDescriptor(globalThis, name);
  Object.defineProperty(globalThis, name, { value: undefined, configurable: true, writable: true });
  return () => (was ? Object.defineProperty(globalThis, name, was) : delete globalThis[name]);
};

export const withLocks = (locks) => {
  const was = Object.getOwnPropertyDescriptor(globalThis, 'navigator');
  Object.defineProperty(globalThis, 'navigator', { value: { locks }, configurable: true });
  return () => (was ? Object.defineProperty(globalThis, 'navigator', was) : delete globalThis.navigator);
};

export const until = async (holds) => {
  for (let many = 0; many < 2_000; many += 1) {
    if (await holds()) return;
    await new Promise((done) => setTimeout(done, 5));
  }
  throw new Error(`in vain: ${holds}`);
};
