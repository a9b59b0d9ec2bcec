// The end of a session that nobody uses, by the service's own limit. The clock is the test's.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { API, BASE, FakeService } from './service.mjs';
import { page, tab, until, wake } from './page.mjs';

const MINUTE = 60_000;

/** A session with a limit of ten minutes, whose clock moves only when told. */
const idling = async (t, story, more = {}) => {
  const late = setTimeout;
  t.mock.timers.enable({ apis: ['setTimeout', 'Date'], now: 1_800_000_000_000 });
  const settle = () => new Promise((done) => late(done, 5));
  const service = new FakeService({ byCookie: true });
  service.idle = 10 * MINUTE;
  const { createClient } = await tab();
  const [warnings, ends] = [[], []];
  const client = createClient({ base: BASE, mode: 'cookie', fetch: service.fetch, onIdleWarning: (warning) => warnings.push(warning), onLoggedOut: (why) => ends.push(why), ...more });
  const pass = async (ms) => {
    t.mock.timers.tick(ms);
    for (let many = 0; many < 4; many += 1) {
      await settle();
      t.mock.timers.tick(60);
    }
  };
  const login = client.login({ email: 'alice@example.com', password: 'x' });
  await pass(0);
  await login;
  page.cookie = `__Host-csrf=${service.csrf}`;
  await pass(0);
  service.sent.length = 0;
  await story({ service, client, warnings, ends, pass, began: Date.now() }).finally(client.close);
};

test('the page is warned before the end, and the end is the service\'s word', (t) =>
  idling(t, async ({ service, client, warnings, ends, pass, began }) => {
    for (let minute = 0; minute < 7; minute += 1) await pass(MINUTE);
    assert.deepEqual([warnings, service.sent.length], [[], 0], 'a timer is no use of the session');
    await pass(MINUTE);
    assert.equal(warnings.length, 1);
    const early = began + 10 * MINUTE - warnings[0].endsAt.getTime();
    assert.ok(early >= 0 && early < 2_000, `${early}`);
    assert.equal(client.snapshot().warning, warnings[0]);
    service.over = { ended_reason: 'idle', ended_at: new Date().toISOString() };
    await pass(MINUTE);
    await pass(MINUTE + 1_000);
    assert.deepEqual(ends.map(({ by, reason }) => [by, reason]), [['idle', 'idle']]);
    assert.deepEqual(service.log, ['POST /refresh 401']);
    assert.equal(warnings.at(-1), null);
  }));

test('stay() uses the session, and the warning is over', (t) =>
  idling(t, async ({ service, client, warnings, ends, pass }) => {
    await pass(8 * MINUTE);
    assert.equal(warnings.length, 1);
    const stays = client.stay();
    await pass(0);
    await stays;
    assert.equal(warnings.at(-1), null);
    assert.deepEqual(service.log, ['GET /sessions 200']);
    await pass(7 * MINUTE);
    assert.equal(warnings.length, 2);
    await pass(MINUTE);
    assert.deepEqual([warnings.length, ends.length], [3, 0]);
  }));

test('calls of the service count as use, what it does not see does not', (t) =>
  idling(t, async ({ client, warnings, pass }) => {
    await pass(5 * MINUTE);
    await Promise.all([client.fetch(`${API}/orders`), pass(0)]);
    await pass(5 * MINUTE);
    assert.equal(warnings.length, 0);
    await pass(MINUTE);
    await Promise.all([client.fetch('/picture.png'), pass(0)]);
    await pass(2 * MINUTE);
    assert.equal(warnings.length, 1);
  }));

test('a machine that slept knows when it wakes', (t) =>
  idling(t, async ({ service, ends, pass, client }) => {
    service.over = { ended_reason: 'idle' };
    const now = Date.now();
    t.mock.timers.setTime(now + 3 * 60 * MINUTE);
    wake('visibilitychange');
    await pass(0);
    assert.equal(client.snapshot().status, 'out');
    assert.equal(ends[0].by, 'idle');
  }));

test('a session that was used where nobody hears of it goes on', (t) =>
  idling(t, async ({ service, ends, warnings, pass, client }) => {
    for (let minute = 0; minute < 11; minute += 1) await pass(MINUTE);
    assert.deepEqual(service.log.slice(0, 2), ['POST /refresh 200', 'GET /sessions 200']);
    assert.deepEqual([ends.length, client.snapshot().status, warnings.at(-1)], [0, 'in', null]);
  }));

test('an outage at the end is no end', (t) =>
  idling(t, async ({ service, ends, pass, client }) => {
    service.instead['/refresh'] = [() => { throw new TypeError('lost'); }];
    await pass(11 * MINUTE);
    assert.deepEqual([service.count('/refresh'), ends.length, client.snapshot().status], [1, 0, 'in']);
    service.over = { ended_reason: 'idle' };
    await pass(30_000);
    await pass(1_000);
    assert.equal(ends[0]?.by, 'idle');
  }));

/** What fits into 31 bits of milliseconds; a timer that is set for longer fires at once. */
const FURTHEST = 2 ** 31 - 1;

test('a limit that is further away than timers reach is no limit that has passed', (t) =>
  idling(t, async ({ service, client, warnings, ends, pass }) => {
    const { setTimeout: later } = globalThis;
    const set = [];
    globalThis.setTimeout = (tell, ms = 0, ...more) => {
      set.push(ms);
      return later(tell, ms > FURTHEST ? 1 : ms, ...more);
    };
    service.idle = 60 * 24 * 60 * MINUTE;
    await Promise.all([client.stay(), pass(0)]);
    await pass(MINUTE);
    await pass(60 * MINUTE);
    globalThis.setTimeout = later;
    assert.deepEqual([warnings, ends], [[], []]);
    assert.ok(set.length > 0 && Math.max(...set) <= FURTHEST, `a timer was set for ${Math.max(...set)} ms`);
  }));
