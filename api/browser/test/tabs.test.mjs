// One refresh at a time in all tabs, with what the browser has: locks, or a lease in its storage.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { API, BASE, FakeService } from './service.mjs';
import { items, Locks, page, tab, until, withLocks, without } from './page.mjs';

const withTabs = async (many, story) => {
  const service = new FakeService({ byCookie: true });
  const clients = [];
  for (let number = 0; number < many; number += 1) {
    const { createClient } = await tab();
    clients.push(createClient({ base: BASE, mode: 'cookie', fetch: service.fetch }));
  }
  await clients[0].login({ email: 'alice@example.com', password: 'x' });
  page.cookie = `__Host-csrf=${service.csrf}`;
  for (const client of clients) await client.me();
  service.age();
  service.sent.length = 0;
  try {
    await story(service, clients);
  } finally {
    for (const client of clients) client.close();
  }
};

/** Every refresh takes a while; two at once are noticed. */
const watch = (service) => {
  const seen = { now: 0, most: 0 };
  const answer = async () => {
    seen.now += 1;
    seen.most = Math.max(seen.most, seen.now);
    await new Promise((done) => setTimeout(done, 30));
    seen.now -= 1;
    return new Response(JSON.stringify({ status: 'success', data: service.pair() }));
  };
  service.instead['/refresh'] = Array.from({ length: 20 }, () => answer);
  return seen;
};

for (const [kind, locks, broadcast] of [['locks', true, true], ['a lease and a channel', false, true], ['a lease and storage alone', false, false]]) {
  test(`tabs refresh one after the other and hear of it: ${kind}`, async () => {
    const undo = [withLocks(locks ? new Locks() : undefined), ...(broadcast ? [] : [without('BroadcastChannel')])];
    await withTabs(3, async (service, clients) => {
      const seen = watch(service);
      await Promise.all(clients.flatMap((client) => [client.me(), client.me()]));
      assert.equal(seen.most, 1);
      assert.equal(service.count('/refresh'), 1, 'the others have heard of it');
    });
    undo.forEach((it) => it());
  });
}

test('a logout is heard through storage alone', async () => {
  const undo = [withLocks(undefined), without('BroadcastChannel')];
  await withTabs(2, async (service, [one, other]) => {
    page.cookie = '';
    await one.logout();
    await until(() => other.snapshot().status === 'out');
  });
  undo.forEach((it) => it());
});

const TURN = `portcullis:${API}:turn`;
const holder = () => JSON.parse(items.get(TURN) ?? '{}').id;

test('a lease that its tab has left behind, or that is no lease, is taken over', async () => {
  const undo = withLocks(undefined);
  const inDays = Date.now() + 1e9;
  for (const left of [JSON.stringify({ id: 'x', until: Date.now() - 1 }), JSON.stringify({ id: 'x', until: inDays }), 'garbage', '7']) {
    await withTabs(1, async (service, [client]) => {
      let during;
      service.instead['/refresh'] = [() => {
        during = holder();
        return new Response(JSON.stringify({ status: 'success', data: service.pair() }));
      }];
      items.set(TURN, left);
      await client.me();
      assert.equal(service.count('/refresh'), 1);
      assert.ok(during && during !== 'x', `${left}: it went on without a lease: ${during}`);
      assert.equal(items.has(TURN), false, 'and gave it back');
    });
  }
  undo();
});

test('of two tabs that find no lease at once, the one whose lease is overwritten waits for the other', async () => {
  const undo = withLocks(undefined);
  await withTabs(1, async (service, [client]) => {
    const other = { id: 'the other tab', until: Date.now() + 20_000 };
    const { setItem } = localStorage;
    let written = 0;
    // Processes of a browser see each other's storage a little late: the other one has written as well.
    localStorage.setItem = (key, value) => {
      setItem(key, value);
      if (key === TURN && (written += 1) === 1) queueMicrotask(() => items.set(TURN, JSON.stringify(other)));
    };
    const told = client.me();
    await until(() => written > 0 && holder() === other.id);
    // Long enough for several looks at whose turn it is.
    await new Promise((done) => setTimeout(done, 400));
    assert.equal(service.count('/refresh'), 0, 'it is the turn of the other');
    items.delete(TURN);
    await told;
    localStorage.setItem = setItem;
    assert.deepEqual([service.count('/refresh'), written], [1, 2]);
  });
  undo();
});

test('locks that are refused, as in a sandbox, keep nobody from refreshing', async () => {
  const undo = withLocks({ request: async () => { throw new DOMException('no', 'SecurityError'); } });
  await withTabs(1, async (service, [client]) => {
    await client.me();
    assert.equal(service.count('/refresh'), 1);
  });
  undo();
});

test('a tab that hangs with the lock is not waited for for ever', async (t) => {
  const undo = withLocks({ request: (name, { signal }) => new Promise((_, failed) => signal.addEventListener('abort', () => failed(signal.reason))) });
  t.mock.method(globalThis, 'setTimeout', ((later) => (tell, ms) => later(tell, ms === 10_000 ? 10 : ms))(setTimeout));
  await withTabs(1, async (service, [client]) => {
    await client.me();
    assert.equal(service.count('/refresh'), 1);
  });
  undo();
});

test('nothing of the shop\'s is touched in its storage', async () => {
  items.clear();
  items.set('cart', 'three apples');
  const undo = [withLocks(undefined), without('BroadcastChannel')];
  await withTabs(2, async (service, [client]) => {
    await client.me();
    await client.logout({ everywhere: true });
  });
  undo.forEach((it) => it());
  assert.deepEqual([...items], [['cart', 'three apples']]);
});
