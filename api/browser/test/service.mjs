// A service as the client sees it, in this process: what it answers is decided by each test.

import { setImmediate as soon } from 'node:timers/promises';

export const BASE = 'https://auth.example.com';
export const API = `${BASE}/api/v1/auth`;

const jwt = (claims) => `h.${Buffer.from(JSON.stringify(claims)).toString('base64url')}.s`;
const json = (status, body, headers = {}) =>
  new Response(JSON.stringify(body), { status, headers: { 'content-type': 'application/json', ...headers } });

export const refusal = (status, code, more = {}, headers = {}) =>
  json(status, { type: 'about:blank', status, code, detail: `This is ${code}.`, ...more }, headers);

/** Sessions and tokens of one browser; `byCookie` keeps them in its jar. */
export class FakeService {
  constructor({ byCookie = false } = {}) {
    Object.assign(this, { byCookie, sent: [], number: 0, session: undefined, alive: undefined, cookie: undefined, csrf: undefined });
    this.fetch = (input, init) => this.#answer(new Request(input, init), init);
    /** What a path answers instead, once each: `{ '/refresh': [(request) => response] }`. */
    this.instead = {};
  }

  pair() {
    this.number += 1;
    this.alive = jwt({ sid: this.session, n: this.number });
    this.refresh = `prt_${this.session}_${this.number}`;
    const told = (token) => (this.byCookie ? {} : { token });
    if (this.byCookie) this.cookie = this.alive;
    return {
      access: { ...told(this.alive), expires_in: 900, type: 'Bearer' },
      refresh: { ...told(this.refresh), expires_in: 2592000 },
      ...(this.byCookie && { csrf_token: this.csrf }),
    };
  }

  begin(name) {
    this.session = `session_${name}`;
    this.csrf = `csrf of ${name}`;
    return {
      user: { id: 1, email: `${name}@example.com`, first_name: name, last_name: '', is_active: true },
      tokens: this.pair(),
      session: { id: this.session },
    };
  }

  /** The access token dies, as it does after a quarter of an hour. */
  age() {
    this.alive = undefined;
  }

  async #answer(request, init) {
    const path = request.url.startsWith(API) ? request.url.slice(API.length) : request.url;
    const entry = { path, method: request.method, headers: request.headers, credentials: init?.credentials ?? request.credentials, body: await request.clone().text() };
    this.sent.push(entry);
    await soon();
    if (request.signal.aborted) throw request.signal.reason;
    const special = this.instead[path]?.shift();
    const left = new Promise((_, failed) => request.signal.addEventListener('abort', () => failed(request.signal.reason)));
    left.catch(() => {});
    const answer = special ? await Promise.race([special(request), left]) : this.#serve(path, request, entry);
    entry.status = answer.status;
    return answer;
  }

  #serve(path, request, { body }) {
    const said = body.startsWith('{') ? JSON.parse(body) : {};
    const isUnsafe = request.method !== 'GET';
    if (path === '/login-enhanced') return json(200, { status: 'success', data: this.begin(said.email.split('@')[0]) });
    if (path === '/refresh') {
      if (this.byCookie && !this.cookie) return refusal(400, 'missing_fields');
      if (this.byCookie && request.headers.get('x-csrf-token') !== this.csrf) return this.#noCsrf();
      if (!this.byCookie && said.refresh_token !== this.refresh) return refusal(401, 'invalid_grant', this.over);
      if (this.over) return refusal(401, 'invalid_grant', this.over);
      return json(200, { status: 'success', data: this.pair() });
    }
    const shown = this.byCookie ? this.cookie : request.headers.get('authorization')?.slice(7);
    const isKnown = shown && shown === this.alive;
    if (path === '/logout') {
      if (this.byCookie && request.headers.get('x-csrf-token') !== this.csrf) return this.#noCsrf();
      this.alive = this.refresh = this.cookie = undefined;
      return json(200, { status: 'success', message: 'Bye' });
    }
    if (!shown) return refusal(401, 'no_token');
    if (!isKnown) return refusal(401, 'invalid_token');
    if (this.byCookie && isUnsafe && request.headers.get('x-csrf-token') !== this.csrf) return this.#noCsrf();
    const csrf_token = this.byCookie ? this.csrf : undefined;
    if (path === '/me') return json(200, { status: 'success', data: { user: { id: 1, email: 'me' }, csrf_token } });
    if (path === '/sessions' && !isUnsafe) {
      const now = Date.now();
      const own = { id: this.session, last_activity: new Date(now).toISOString(), idle_expires_at: this.idle ? new Date(now + this.idle).toISOString() : null };
      return json(200, { status: 'success', data: { current_session: own, other_sessions: [], csrf_token } });
    }
    if (path === '/change-password') {
      this.session += '+';
      return json(200, { status: 'success', data: this.pair() });
    }
    return json(200, { status: 'success', data: { path, body } });
  }

  #noCsrf() {
    return refusal(403, 'csrf_failed', this.isForeign ? {} : { csrf_token: this.told === undefined ? this.csrf : this.told });
  }

  /** What was sent, as `POST /refresh 200`. */
  get log() {
    return this.sent.map(({ method, path, status }) => `${method} ${path} ${status ?? 'lost'}`);
  }

  count(path) {
    return this.sent.filter((entry) => entry.path === path).length;
  }
}

export const lost = () => {
  throw new TypeError('fetch failed');
};
