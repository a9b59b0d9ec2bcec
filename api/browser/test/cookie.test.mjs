// The client in cookie mode: it holds no token, only what must be shown with each change.

import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';
import { API, BASE, FakeService, refusal } from './service.mjs';
import { page, tab, until, wake } from './page.mjs';

const clients = [];
afterEach(() => clients.splice(0).forEach((client) => client.close()));

const open = async ({ isReadable = true, isLoggedIn = true, service = new FakeService({ byCookie: true }), ...more } = {}) => {
  page.href = isReadable ? `${BASE}/shop` : 'https://www.example.com/shop';
  if (isLoggedIn) page.cookie = '';
  const { createClient, PortcullisError } = await tab();
  const ends = [];
  const client = createClient({ base: BASE, mode: 'cookie', fetch: service.fetch, onLoggedOut: (why) => ends.push(why), ...more });
  clients.push(client);
  if (isLoggedIn) await client.login({ email: 'alice@example.com', password: 'x' });
  page.cookie = service.csrf ? `a=b; __Host-csrf=${service.csrf}; c=d` : '';
  service.sent.length = 0;
  return { service, client, ends, PortcullisError };
};

test('a login asks for cookies, and cookies go along with every call', async () => {
  const service = new FakeService({ byCookie: true });
  const { client } = await open({ service, isLoggedIn: false });
  await client.login({ email: 'alice@example.com', password: 'x' });
  await client.fetch(`${API}/orders`, { method: 'POST', body: '{}' });
  assert.equal(JSON.parse(service.sent[0].body).mode, 'cookie');
  assert.deepEqual(new Set(service.sent.map(({ credentials }) => credentials)), new Set(['include']));
  assert.equal(service.sent[1].headers.get('authorization'), null);
});

test('the CSRF token is read at each change, for another tab may have logged in again', async () => {
  const { service, client } = await open();
  service.begin('alice again');
  page.cookie = `__Host-csrf=${service.csrf}`;
  await client.sessions.endOthers();
  assert.deepEqual(service.log, ['DELETE /sessions 200']);
});

test('the CSRF token is shown to the service alone, and only with changes', async () => {
  const { service, client } = await open();
  for (const [url, method] of [[`${API}/me`, 'GET'], ['https://evil.example/', 'POST'], ['https://api.example.com/', 'POST']]) {
    await client.fetch(url, { method, ...(method === 'POST' && { body: '{}' }) }).catch(() => {});
    assert.equal(service.sent.at(-1).headers.get('x-csrf-token'), null, url);
  }
  await client.fetch('/cart', { method: 'PUT', body: '{}' });
  assert.equal(service.sent.at(-1).headers.get('x-csrf-token'), service.csrf);
});

test('a page of another host of the site is told the token by a refusal, once', async () => {
  const { service } = await open();
  const { client } = await open({ service, isReadable: false, isLoggedIn: false });
  await client.sessions.endOthers();
  await client.sessions.endOthers();
  assert.deepEqual(service.log, ['DELETE /sessions 403', 'DELETE /sessions 200', 'DELETE /sessions 200']);
});

test('and asks for it where the refusal does not tell', async () => {
  const { service } = await open();
  service.told = null;
  const { client } = await open({ service, isReadable: false, isLoggedIn: false });
  await client.sessions.endOthers();
  assert.deepEqual(service.log, ['DELETE /sessions 403', 'GET /me 200', 'DELETE /sessions 200']);
});

test('a page that is not one of ours takes no for an answer', async () => {
  const { service, client } = await open();
  service.isForeign = true;
  service.instead['/sessions'] = Array.from({ length: 2 }, () => () => refusal(403, 'csrf_failed'));
  const fault = await client.sessions.endOthers().catch((fault) => fault);
  assert.equal(fault.code, 'csrf_failed');
  assert.equal(service.count('/sessions'), 1);
});

test('after a reload elsewhere on the site, long after: the refresh is told the token', async () => {
  const { service } = await open();
  service.age();
  const { client } = await open({ service, isReadable: false, isLoggedIn: false });
  await client.me();
  assert.deepEqual(service.log, ['GET /me 401', 'POST /refresh 403', 'POST /refresh 200', 'GET /me 200']);
  await client.logout();
  assert.equal(service.log.at(-1), 'POST /logout 200');
});

test('a logout needs no access token', async () => {
  const { service, client } = await open();
  service.age();
  await client.logout();
  assert.deepEqual(service.log, ['POST /logout 200']);
});

test('who never was logged in hears nothing about the end of a session', async () => {
  const { client, ends, service } = await open({ isLoggedIn: false });
  const fault = await client.me().catch((fault) => fault);
  assert.equal(fault.status, 401);
  assert.deepEqual(service.log, ['GET /me 401', 'POST /refresh 400']);
  await new Promise((done) => setTimeout(done));
  assert.deepEqual([client.snapshot().status, ends], ['out', []]);
});

test('a logout in one tab ends the others, another user there is a new beginning', async () => {
  const { service, client } = await open();
  const { client: other, ends } = await open({ service, isLoggedIn: false });
  await other.me();
  page.cookie = '';
  await client.logout();
  await until(() => ends.length);
  assert.deepEqual([ends, other.snapshot().status], [[{ by: 'tab' }], 'out']);
  await client.login({ email: 'bob@example.com', password: 'x' });
  await until(() => other.snapshot().status === 'in');
  assert.equal(other.snapshot().user, undefined, 'who that is has to be asked');
});

test('tabs that cannot see the cookies are told of a logout', async () => {
  const { service, client } = await open({ isReadable: false });
  const { client: other, ends } = await open({ service, isReadable: false, isLoggedIn: false });
  await other.me();
  await client.logout();
  await until(() => ends.length);
  assert.deepEqual([ends, other.snapshot().status], [[{ by: 'tab' }], 'out']);
});

test('a tab that slept through a logout notices it when it wakes', async () => {
  const { client, ends } = await open();
  await client.me();
  page.cookie = '';
  wake('pageshow');
  await until(() => ends.length);
  assert.deepEqual(ends, [{ by: 'tab' }]);
});

test('what one user began is not sent again for another who logged in elsewhere', async () => {
  const { service, client } = await open();
  service.instead['/orders'] = [() => {
    service.begin('bob');
    page.cookie = `__Host-csrf=${service.csrf}`;
    return refusal(401, 'invalid_token');
  }];
  await client.fetch('/orders', { method: 'POST', body: '{}' }).catch(() => {});
  await client.fetch(`${API}/orders`, { method: 'POST', body: '{}' });
  assert.equal(service.sent.filter(({ path }) => path === '/orders').length, 1);
});

test('a refresh in another tab is known here', async () => {
  const { service, client } = await open();
  const { client: other } = await open({ service, isLoggedIn: false });
  service.age();
  let release;
  service.instead['/slow'] = [() => new Promise((done) => (release = () => done(refusal(401, 'invalid_token'))))];
  const slow = other.fetch(`${API}/slow`);
  await until(() => release);
  await client.me();
  await new Promise((done) => setTimeout(done, 20));
  release();
  assert.equal((await slow).status, 200);
  assert.equal(service.count('/refresh'), 1);
});
