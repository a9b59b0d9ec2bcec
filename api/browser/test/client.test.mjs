// The client in bearer mode, and what holds in both modes.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createClient, PortcullisError } from '../dist/index.js';
import { API, BASE, FakeService, lost, refusal } from './service.mjs';

const memory = () => {
  const items = new Map();
  return { items, getItem: (key) => items.get(key) ?? null, setItem: (key, value) => void items.set(key, value), removeItem: (key) => void items.delete(key) };
};

const loggedIn = async (more = {}) => {
  const service = new FakeService();
  const ends = [];
  const client = createClient({ base: BASE, mode: 'bearer', fetch: service.fetch, onLoggedOut: (why) => ends.push(why), ...more });
  await client.login({ email: 'alice@example.com', password: 'x' });
  service.sent.length = 0;
  return { service, client, ends };
};
const told = () => new Promise((done) => setTimeout(done));

test('ten calls at once with a dead token: one refresh, each call sent once more', async () => {
  const { service, client } = await loggedIn();
  service.age();
  const answers = await Promise.all(Array.from({ length: 10 }, () => client.fetch(`${API}/me`)));
  assert.deepEqual(new Set(answers.map((answer) => answer.status)), new Set([200]));
  assert.equal(service.count('/refresh'), 1);
  assert.equal(service.count('/me'), 20);
});

test('refreshes that are asked for at once are one', async () => {
  const { service, client } = await loggedIn();
  await Promise.all([client.refresh(), client.refresh(), client.refresh()]);
  assert.deepEqual(service.log, ['POST /refresh 200']);
  await client.refresh();
  assert.equal(service.count('/refresh'), 2, 'and the next one is another');
});

test('ten calls at once whose one refresh is lost are told so, and the service was asked once', async () => {
  const { service, client, ends } = await loggedIn();
  service.age();
  service.instead['/refresh'] = [lost];
  const faults = await Promise.all(Array.from({ length: 10 }, () => client.me().catch((fault) => fault)));
  assert.deepEqual(new Set(faults.map((fault) => fault.code)), new Set(['network']));
  assert.equal(service.count('/refresh'), 1);
  assert.deepEqual([ends, client.snapshot().status], [[], 'in']);
});

test('a call that was refused before another had refreshed does not refresh again', async () => {
  const { service, client } = await loggedIn();
  service.age();
  let release;
  service.instead['/slow'] = [() => new Promise((done) => (release = () => done(refusal(401, 'invalid_token'))))];
  const slow = client.fetch(`${API}/slow`);
  await client.me();
  release();
  assert.equal((await slow).status, 200);
  assert.equal(service.count('/refresh'), 1);
});

test('one retry: a second refusal stands', async () => {
  const { service, client } = await loggedIn();
  service.instead['/orders'] = [() => refusal(401, 'invalid_token'), () => refusal(401, 'invalid_token')];
  assert.equal((await client.fetch(`${API}/orders`)).status, 401);
  assert.deepEqual(service.log, ['GET /orders 401', 'POST /refresh 200', 'GET /orders 401']);
});

for (const [status, code] of [[401, 'bad_credentials'], [401, 'insufficient_user_authentication'], [403, 'forbidden'], [403, 'csrf_failed'], [422, 'wrong_password'], [500, 'internal']]) {
  test(`${status} ${code} is sent once and refreshes nothing`, async () => {
    const { service, client } = await loggedIn();
    service.instead['/orders'] = [() => refusal(status, code)];
    const answer = await client.fetch(`${API}/orders`, { method: 'POST', body: '{}' });
    assert.equal(answer.status, status);
    assert.equal((await answer.json()).code, code, 'the body is still to be read');
    assert.deepEqual(service.log, [`POST /orders ${status}`]);
  });
}

test('a 401 of a proxy that does not say why may be mended, one that says otherwise may not', async () => {
  const { service, client } = await loggedIn();
  const bare = (challenge) => () => new Response('no', { status: 401, headers: challenge ? { 'www-authenticate': challenge } : {} });
  service.instead['/a'] = [bare()];
  service.instead['/b'] = [bare('Bearer realm="x", error="invalid_token"')];
  service.instead['/c'] = [bare('Bearer realm="x", error="insufficient_user_authentication"')];
  for (const path of ['/a', '/b', '/c']) await client.fetch(`${API}${path}`);
  assert.equal(service.count('/a') + service.count('/b'), 4);
  assert.equal(service.count('/c'), 1);
});

test('a bare 403 of a proxy is sent once as well', async () => {
  const { service, client } = await loggedIn();
  service.instead['/orders'] = [() => new Response('no', { status: 403 })];
  assert.equal((await client.fetch(`${API}/orders`)).status, 403);
  assert.deepEqual(service.log, ['GET /orders 403']);
});

test('429 is handed on with its seconds and nothing is tried again', async () => {
  const { service, client } = await loggedIn();
  service.instead['/change-password'] = [() => refusal(429, 'throttled', {}, { 'retry-after': '42' })];
  const fault = await client.changePassword({ current_password: 'a', new_password: 'b' }).catch((fault) => fault);
  assert.ok(fault instanceof PortcullisError);
  assert.deepEqual([fault.code, fault.status, fault.retryAfter], ['throttled', 429, 42]);
  assert.equal(service.sent.length, 1);
});

test('an outage of the refresh keeps everything and is not asked again before its time', async (t) => {
  const { service, client, ends } = await loggedIn();
  service.age();
  service.instead['/refresh'] = [() => refusal(503, 'unavailable', {}, { 'retry-after': '7' })];
  const answer = await client.fetch(`${API}/me`);
  assert.equal(answer.status, 503, 'what is wrong is the outage, not the token');
  const fault = await client.me().catch((fault) => fault);
  assert.deepEqual([fault.code, fault.status], ['unavailable', 503]);
  assert.ok(fault.retryAfter > 0 && fault.retryAfter <= 7);
  assert.equal(service.count('/refresh'), 1);
  const now = Date.now();
  t.mock.method(Date, 'now', () => now + 8_000);
  assert.equal((await client.fetch(`${API}/me`)).status, 200);
  assert.deepEqual([service.count('/refresh'), ends.length, client.snapshot().status], [2, 0, 'in']);
});

test('a date as Retry-After is understood, nonsense is none', async () => {
  const { service, client } = await loggedIn();
  const in20 = new Date(Date.now() + 20_000).toUTCString();
  for (const [said, holds] of [[in20, (seconds) => seconds > 15 && seconds <= 20], ['soon', (seconds) => seconds === undefined], ['-3', (seconds) => seconds === undefined], ['1e9', (seconds) => seconds === 3600]]) {
    service.instead['/x'] = [() => refusal(503, 'unavailable', {}, { 'retry-after': said })];
    const { retryAfter } = await client.call('GET', '/x').catch((fault) => fault);
    assert.ok(holds(retryAfter), `${said}: ${retryAfter}`);
  }
});

test('a lost connection keeps everything', async () => {
  const { service, client, ends } = await loggedIn();
  service.age();
  service.instead['/refresh'] = [lost, lost];
  await assert.rejects(client.fetch(`${API}/me`), TypeError);
  const fault = await client.me().catch((fault) => fault);
  assert.deepEqual([fault instanceof PortcullisError, fault.code, fault.status], [true, 'network', 0]);
  assert.equal((await client.fetch(`${API}/me`)).status, 200);
  assert.equal(ends.length, 0);
});

test('who stands in between is not the service: their pages and refusals end no session', async () => {
  const { service, client, ends } = await loggedIn();
  const portal = () => new Response('<h1>Accept our terms</h1>', { status: 200, headers: { 'content-type': 'text/html' } });
  const proxy = () => new Response('<h1>Proxy login</h1>', { status: 401 });
  for (const answer of [portal, proxy, () => new Response('{"data":null}'), () => refusal(407, 'proxy')]) {
    service.age();
    service.instead['/refresh'] = [answer];
    await client.fetch(`${API}/me`).catch(() => {});
  }
  assert.equal((await client.fetch(`${API}/me`)).status, 200);
  assert.equal(ends.length, 0);
  service.instead['/me'] = [portal];
  assert.equal((await client.me().catch((fault) => fault)).code, 'network');
});

test('a refused refresh ends the session, once, and says why', async () => {
  const { service, client, ends } = await loggedIn();
  service.age();
  service.over = { ended_reason: 'password_change', ended_at: '2026-01-01T00:00:00.000Z' };
  const answers = await Promise.all(Array.from({ length: 5 }, () => client.fetch(`${API}/me`)));
  assert.deepEqual(new Set(answers.map((answer) => answer.status)), new Set([401]));
  await told();
  assert.deepEqual(ends, [{ by: 'service', reason: 'password_change', at: new Date('2026-01-01T00:00:00.000Z') }]);
  assert.equal(service.count('/refresh'), 1);
  assert.equal(client.snapshot().status, 'out');
  await client.fetch(`${API}/me`);
  assert.equal(service.sent.at(-1).headers.get('authorization'), null);
});

test('no token leaves for a foreign origin, however it is spelled', async () => {
  const { service, client } = await loggedIn({ origins: ['https://api.example.com'] });
  const foreign = [
    'https://evil.example/api/v1/auth/me', 'http://auth.example.com/api/v1/auth/me', 'https://auth.example.com:8443/me', 'https://auth.example.com.evil.example/',
    '//evil.example/x', 'https:\\\\evil.example\\x', new URL('https://evil.example/'), new Request('https://evil.example/', { method: 'POST', body: 'x' }),
  ];
  for (const address of foreign) await client.fetch(address);
  for (const { headers } of service.sent) assert.equal(headers.get('authorization'), null);
  assert.equal(await client.authorize('https://auth.example.com@evil.example/'), undefined);
  service.sent.length = 0;
  for (const address of [`${API}/me`, new URL(`${API}/me`), new Request(`${API}/me`), 'https://api.example.com/orders', '/orders']) await client.fetch(address);
  for (const { headers, path } of service.sent) assert.match(headers.get('authorization') ?? '', /^Bearer /, path);
});

test('a 401 of a foreign origin is its own business', async () => {
  const { service, client } = await loggedIn();
  service.instead['https://evil.example/'] = [() => refusal(401, 'invalid_token')];
  assert.equal((await client.fetch('https://evil.example/')).status, 401);
  assert.equal(service.sent.length, 1);
});

test('the caller\'s own Authorization stays', async () => {
  const { service, client } = await loggedIn();
  service.instead['/orders'] = [() => refusal(401, 'invalid_token')];
  await client.fetch(`${API}/orders`, { headers: { Authorization: 'Basic abc' } });
  assert.deepEqual([service.sent.length, service.sent[0].headers.get('authorization')], [1, 'Basic abc']);
});

test('a bearer token never travels beside cookies of the service', async () => {
  const { service, client } = await loggedIn();
  await client.me();
  await client.fetch(`${API}/token-stats`);
  await client.logout();
  assert.deepEqual(new Set(service.sent.map(({ credentials }) => credentials)), new Set(['omit']));
});

for (const [kind, make] of [
  ['a string', () => [`${API}/upload`, { method: 'POST', body: 'all of it' }]],
  ['a Blob', () => [`${API}/upload`, { method: 'POST', body: new Blob(['all of it']) }]],
  ['a Request', () => [new Request(`${API}/upload`, { method: 'POST', body: 'all of it', headers: { 'x-a': '1' } }), undefined]],
  ['a Request and more headers', () => [new Request(`${API}/upload`, { method: 'POST', body: 'all of it' }), { headers: { 'x-a': '1' } }]],
]) {
  test(`the body is sent again as a whole: ${kind}`, async () => {
    const { service, client } = await loggedIn();
    service.age();
    assert.equal((await client.fetch(...make())).status, 200);
    const bodies = service.sent.filter(({ path }) => path === '/upload').map(({ body }) => body);
    assert.deepEqual(bodies, ['all of it', 'all of it']);
    if (kind.includes('Request')) assert.equal(service.sent.at(-1).headers.get('x-a'), '1');
  });
}

const stream = () => new ReadableStream({ start: (out) => (out.enqueue(new TextEncoder().encode('once')), out.close()) });

test('a stream is not sent twice; the refusal is handed on, and the next call has a new token', async () => {
  const { service, client } = await loggedIn();
  service.age();
  const answer = await client.fetch(`${API}/upload`, { method: 'POST', body: stream(), duplex: 'half' });
  assert.equal(answer.status, 401);
  assert.deepEqual(service.log, ['POST /upload 401', 'POST /refresh 200']);
  assert.equal((await client.fetch(`${API}/upload`, { method: 'POST', body: stream(), duplex: 'half' })).status, 200);
});

test('a token that is known to be dead is replaced before anything is sent', async (t) => {
  const { service, client } = await loggedIn();
  service.age();
  const now = Date.now();
  t.mock.method(Date, 'now', () => now + 901_000);
  assert.equal((await client.fetch(`${API}/upload`, { method: 'POST', body: stream(), duplex: 'half' })).status, 200);
  assert.deepEqual(service.log, ['POST /refresh 200', 'POST /upload 200']);
});

test('who gives a call up does not wait for the refresh, which goes on for the others', async () => {
  const { service, client } = await loggedIn();
  service.age();
  let release;
  service.instead['/refresh'] = [async () => {
    await new Promise((done) => (release = done));
    return new Response(JSON.stringify({ status: 'success', data: service.pair() }), { status: 200 });
  }];
  const controller = new AbortController();
  const given = client.fetch(`${API}/me`, { signal: controller.signal });
  const patient = client.fetch(`${API}/me`);
  while (!release) await told();
  controller.abort();
  await assert.rejects(given, { name: 'AbortError' });
  release();
  assert.equal((await patient).status, 200);
  assert.equal(service.count('/refresh'), 1);
});

test('a refresh that is under way does not bring back who logs out', async () => {
  const storage = memory();
  const { service, client, ends } = await loggedIn({ storage });
  service.age();
  let release;
  service.instead['/refresh'] = [async () => {
    await new Promise((done) => (release = done));
    return new Response(JSON.stringify({ status: 'success', data: service.pair() }), { status: 200 });
  }];
  const call = client.fetch(`${API}/me`);
  while (!release) await told();
  const logout = client.logout();
  release();
  await logout;
  assert.equal((await call).status, 401);
  await told();
  assert.deepEqual([storage.items.size, client.snapshot().status, ends.map(({ by }) => by)], [0, 'out', ['user']]);
  assert.deepEqual(service.log.slice(-1), ['POST /logout 200'], 'nothing is sent afterwards');
});

test('what was meant as one user is not done as another', async () => {
  const { service, client } = await loggedIn();
  service.age();
  let release;
  service.instead['/orders'] = [() => new Promise((done) => (release = () => done(refusal(401, 'invalid_token'))))];
  const order = client.fetch(`${API}/orders`, { method: 'POST', body: '{}' });
  while (!release) await told();
  await client.login({ email: 'bob@example.com', password: 'x' });
  release();
  assert.equal((await order).status, 401);
  assert.equal(service.count('/orders'), 1);
});

test('a token that another tab has renewed is taken from the storage', async () => {
  const storage = memory();
  const { service, client } = await loggedIn({ storage });
  service.age();
  const [[key, text]] = storage.items;
  service.instead['/orders'] = [() => {
    const { access, refresh } = service.pair();
    storage.setItem(key, JSON.stringify({ ...JSON.parse(text), access: access.token, refresh: refresh.token }));
    return refusal(401, 'invalid_token');
  }];
  assert.equal((await client.fetch(`${API}/orders`)).status, 200);
  assert.equal(service.count('/refresh'), 0);
});

test('a refused refresh is no end if another tab was faster', async () => {
  const storage = memory();
  const { service, client, ends } = await loggedIn({ storage });
  service.age();
  const [[key, text]] = storage.items;
  service.instead['/refresh'] = [() => {
    const { access, refresh } = service.pair();
    storage.setItem(key, JSON.stringify({ ...JSON.parse(text), access: access.token, refresh: refresh.token }));
    return refusal(401, 'invalid_grant');
  }];
  assert.equal((await client.fetch(`${API}/orders`)).status, 200);
  await told();
  assert.equal(ends.length, 0);
});

test('tokens outlive a reload where they are stored, and a storage that fails is no obstacle', async () => {
  const storage = memory();
  const { service } = await loggedIn({ storage });
  const reloaded = createClient({ base: BASE, mode: 'bearer', storage, fetch: service.fetch });
  assert.equal((await reloaded.me()).user.id, 1);
  storage.items.set([...storage.items.keys()][0], 'not JSON');
  assert.equal((await reloaded.me()).user.id, 1, 'what was known stays');
  const broken = { getItem: () => null, setItem: () => { throw new DOMException('full', 'QuotaExceededError'); }, removeItem() { throw new Error('no'); } };
  const { client } = await loggedIn({ storage: broken });
  assert.equal((await client.me()).user.id, 1);
  await client.logout();
  assert.equal(client.snapshot().status, 'out');
});

test('a logout that could not be heard changes nothing', async () => {
  const { service, client, ends } = await loggedIn();
  service.instead['/logout'] = [() => refusal(503, 'unavailable', {}, { 'retry-after': '2' }), lost];
  assert.equal((await client.logout().catch((fault) => fault)).status, 503);
  assert.equal((await client.logout().catch((fault) => fault)).code, 'network');
  assert.deepEqual([client.snapshot().status, ends.length], ['in', 0]);
  await client.me();
});

test('who is not logged in any more is logged out, unless it was about other devices as well', async () => {
  for (const everywhere of [false, true]) {
    const { service, client } = await loggedIn();
    service.instead['/logout'] = [() => refusal(401, 'invalid_grant')];
    const fault = await client.logout({ everywhere }).catch((fault) => fault);
    assert.equal(fault?.status, everywhere ? 401 : undefined);
    assert.equal(client.snapshot().status, 'out');
  }
});

test('a logout shows both tokens, so that it needs no refresh', async () => {
  const { service, client } = await loggedIn();
  service.age();
  await client.logout({ everywhere: true });
  assert.deepEqual(service.log, ['POST /logout 200']);
  const body = JSON.parse(service.sent[0].body);
  assert.equal(body.logout_all, true);
  assert.match(body.refresh_token, /^prt_/);
});

test('a changed password comes with new tokens, after a refresh if there must be one', async () => {
  const { service, client } = await loggedIn();
  service.age();
  await client.changePassword({ current_password: 'a', new_password: 'b' });
  assert.deepEqual(service.log, ['POST /change-password 401', 'POST /refresh 200', 'POST /change-password 200']);
  await client.me();
});

test('ending the session that asks is a logout, ending another is not', async () => {
  const { client, ends } = await loggedIn();
  await client.sessions.end('session_of_another_device');
  await told();
  assert.equal(ends.length, 0);
  await client.sessions.end('session_alice');
  await told();
  assert.equal(ends.length, 1);
});

test('a refusal tells where the values are wrong', async () => {
  const { service, client } = await loggedIn();
  const errors = [{ pointer: '#/email', code: 'not_an_email', detail: 'must be an e-mail address' }];
  service.instead['/register'] = [() => refusal(422, 'unacceptable', { errors })];
  const fault = await client.register({ email: 'x', password: 'y', first_name: '', last_name: '' }).catch((fault) => fault);
  assert.deepEqual(fault.violations, errors);
  assert.equal(fault.message, 'This is unacceptable.');
  assert.equal(service.sent[0].headers.get('authorization'), null);
});

test('a callback that throws disturbs nobody', async (t) => {
  const thrown = [];
  t.mock.method(globalThis, 'setTimeout', ((later) => (tell, ms) => later(() => { try { tell(); } catch (fault) { thrown.push(fault); } }, ms))(setTimeout));
  const { client } = await loggedIn({ onLoggedOut: () => { throw new Error('of the page'); } });
  await client.logout();
  await new Promise((done) => setTimeout(done, 5));
  assert.deepEqual([client.snapshot().status, thrown.length], ['out', 1]);
});

test('settings that cannot be meant are refused at once', () => {
  assert.throws(() => createClient({ base: BASE, mode: 'jwt' }), TypeError);
  assert.throws(() => createClient({ base: 'javascript:alert(1)', mode: 'cookie' }), TypeError);
  assert.throws(() => createClient({ mode: 'cookie' }), TypeError, 'there is no page here');
});

test('an address is confirmed with the password where a page has asked for it', async () => {
  const service = new FakeService();
  const client = createClient({ base: BASE, mode: 'bearer', fetch: service.fetch });
  for (const more of [[], ['secret']]) await client.verifyEmail('t', ...more).catch(() => {});
  assert.deepEqual(service.sent.map(({ body }) => JSON.parse(body)), [{ token: 't' }, { token: 't', password: 'secret' }]);
});

test('a base below a path is kept, a slash at its end does not count', async () => {
  const service = new FakeService();
  for (const base of ['https://example.com/sso', 'https://example.com/sso/']) {
    const client = createClient({ base, mode: 'bearer', fetch: service.fetch });
    await client.verifyEmail('t').catch(() => {});
    assert.equal(service.sent.at(-1).path, 'https://example.com/sso/api/v1/auth/verify-email');
  }
});
