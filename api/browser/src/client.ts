// The client: who is logged in, what calls are sent with, and what becomes of those that are refused.

import { PortcullisError, errorOf, orError, problemOf, secondsToWait } from './error.js';
import { idleTimer } from './idle.js';
import { isPage, joinTabs, onWaking, type News } from './tabs.js';
import type { Client, LoggedOut, Options, Pass, Sessions, Snapshot, TokenPair } from './types.js';
import { tokensOf, vault, type Tokens } from './vault.js';
import { canRepeat, isMendable, request, SAFE, unlessAborted } from './wire.js';

const PATH = '/api/v1/auth';
/** Nobody waits longer for a refresh. */
const DEADLINE = 15_000;
/** Why a refresh is given up that nobody needs any more. */
const LEFT = 'left';

/** Makes a client; one for a page is enough. */
export const createClient = (options: Options): Client => {
  const { mode, onLoggedOut, onIdleWarning } = options;
  const byCookie = mode === 'cookie';
  if (!byCookie && mode !== 'bearer') throw new TypeError('mode: cookie or bearer');
  const here = globalThis.location?.href as string | undefined;
  const root = new URL(options.base || '/', here);
  if (!/^https?:$/.test(root.protocol)) throw new TypeError('base: not http');
  const api = root.origin + root.pathname.replace(/\/+$/, '') + PATH;
  /** Whether the cookie with the CSRF token is this page's to read. */
  const canRead = isPage && !!here && new URL(here).origin === root.origin;
  const trusted = new Set([root.origin]);
  if (!byCookie) {
    if (/^https?:/.test(here ?? '')) trusted.add(new URL(here!).origin);
    for (const origin of options.origins ?? []) trusted.add(new URL(origin).origin);
  }
  const name = `portcullis:${api}`;
  const kept = vault(name, byCookie ? undefined : options.storage);
  const raw: typeof fetch = (input, init) => (options.fetch ?? fetch)(input, init);

  let state: Snapshot = { status: 'unknown', user: undefined, warning: undefined, loggedOut: undefined };
  const listeners = new Set<() => void>();
  /** Counts who logs in and out here: what was begun for one is not ended for another. */
  let login = 0;
  /** Counts refreshes, for those who cannot see their token. */
  let generation = 0;
  let csrf: string | undefined;
  /** The id of this session, where it was told. */
  let current: string | undefined;
  /** When the access token in the cookie dies, where that is known. */
  let until = Infinity;
  let notBefore = 0;
  let busy: Response | undefined;
  let refreshing: Promise<boolean | Response> | undefined;
  let hurry: AbortController | undefined;
  /** The idle limit is being asked for. */
  let isAsking = false;
  /** The session as far as it can be seen from here: its CSRF token, or its id. */
  let whose: string | undefined;

  const set = (change: Partial<Snapshot>) => {
    state = { ...state, ...change };
    for (const changed of [...listeners]) changed();
  };
  /** What a page does in its callbacks does not disturb us, nor do we wait for it. */
  const later = (tell: () => void) => void setTimeout(tell);

  const idle = idleTimer(
    (options.idleWarning ?? 120) * 1000,
    (endsAt) => {
      const warning = endsAt ? { endsAt } : undefined;
      set({ warning });
      later(() => onIdleWarning?.(warning ?? null));
    },
    // The limit has passed since the last call that we know of. Only the service knows of all calls.
    async () => {
      if ((await tabs.inTurn(() => renew(''))) === true) await client.stay();
    },
  );

  const cookie = () =>
    canRead ? /(?:^|; )__Host-csrf=([^;]+)/.exec(document.cookie)?.[1] : undefined;

  const seen = async () => (byCookie ? cookie() : (await kept.read())?.session);

  /** Nothing that was begun before counts any more. */
  const turnOver = () => {
    login += 1;
    hurry?.abort(LEFT);
    [notBefore, generation, until] = [0, generation + 1, Infinity];
    [csrf, current] = [undefined, undefined];
    idle.forget();
  };

  const begin = async (user?: Snapshot['user']) => {
    turnOver();
    whose = await seen();
    set({ status: 'in', user, loggedOut: undefined });
  };

  const end = async (why: LoggedOut, tell = true) => {
    const wasKnown = state.status !== 'out';
    const session = (await kept.read())?.session;
    whose = await seen();
    turnOver();
    await kept.clear();
    set({ status: 'out', user: undefined, loggedOut: why });
    if (!wasKnown) return;
    if (tell) tabs.tell({ kind: 'out', session });
    later(() => onLoggedOut?.(why));
  };

  const hear = async ({ kind, session, at }: News) => {
    if (kind === 'used') idle.used(true, at);
    if (kind === 'fresh' && byCookie) [generation, until, notBefore] = [generation + 1, Infinity, 0];
    if (kind === 'in' && byCookie) await begin();
    if (kind !== 'out' || state.status === 'out') return;
    // Tokens that every tab has for itself are nobody else's business.
    const own = await kept.read();
    if (byCookie || (own ? own.session && own.session === session : state.status === 'in')) await end({ by: 'tab' }, false);
  };
  const tabs = joinTabs(name, (news) => void hear(news));

  /** What another tab has done without a word, or while this one slept. */
  const look = async () => {
    if (byCookie && !canRead) return;
    const now = await seen();
    if (!now && whose && state.status === 'in') return end({ by: 'tab' }, false);
    if (now && (whose ? now !== whose : state.status === 'out')) return begin();
    whose = now ?? whose;
  };
  const deafen = onWaking(look);

  const mark = async () => (byCookie ? `${generation}` : (await kept.read())?.access ?? '');

  /** A call of ours, as it stands. */
  const ask = async (method: string, path: string, body?: unknown, more = {}, signal: AbortSignal | null = null) =>
    raw(api + path, { ...request(method, body, more), credentials: byCookie ? 'include' : 'omit', signal });

  /** Sends what needs a CSRF token, and once more if it was not the right one and another is found. */
  const meant = async (send: (token: string | undefined) => Promise<Response>, mayRepeat = true) => {
    const shown = cookie() ?? csrf;
    const answer = await send(shown);
    if (!byCookie || answer.status !== 403) return answer;
    const problem = await problemOf(answer);
    if (problem.code !== 'csrf_failed') return answer;
    let next = problem.csrf_token ?? cookie();
    if (!next || next === shown) next = (await data(ask('GET', '/me')).catch(() => {}))?.csrf_token;
    if (!next || next === shown) return answer;
    csrf = next;
    return mayRepeat ? send(next) : answer;
  };
  const shows = (token: string | undefined): Record<string, string> => (byCookie && token ? { 'x-csrf-token': token } : {});

  /** Exchanges the refresh token; for whoever has the turn. True: there is a new access token. */
  const renew = async (used: string): Promise<boolean | Response> => {
    // Another tab may have been faster.
    if (used && used !== (await mark())) return true;
    const wait = notBefore - Date.now();
    if (wait > 0 && busy) {
      busy.headers.set('retry-after', `${Math.ceil(wait / 1000)}`);
      return busy.clone();
    }
    const own = await kept.read();
    if (!byCookie && !own) {
      if (state.status === 'unknown') set({ status: 'out' });
      return false;
    }
    const before = login;
    const body = byCookie ? undefined : { refresh_token: own!.refresh };
    const { signal } = (hurry = new AbortController());
    const timer = setTimeout(() => hurry?.abort(), DEADLINE);
    let answer: Response;
    let pair: TokenPair | undefined;
    try {
      answer = await meant((token) => ask('POST', '/refresh', body, shows(token), signal));
      // Whatever is no pair of ours comes from somebody in between, and says nothing about the session.
      if (answer.ok) (pair = (await answer.json()).data as TokenPair).access.expires_in.toFixed();
    } catch (lost) {
      // Logged out, or in as somebody else, in the meantime.
      if (before !== login || signal.reason === LEFT) return false;
      throw new TypeError('Connection lost.', { cause: lost });
    } finally {
      clearTimeout(timer);
    }
    if (before !== login) return false;
    if (pair) return renewed(pair, own);
    return refused(answer, own);
  };

  /** What is kept now, after an answer to `own`; somebody may have been faster where they are not heard. */
  const overtaken = async (own: Tokens | undefined) => {
    const now = await kept.read();
    if (byCookie || now?.refresh === own!.refresh) return undefined;
    // For the same session that is as good; it may also be over, or another's.
    return !!now && now.session === own!.session;
  };

  const renewed = async (pair: TokenPair, own: Tokens | undefined) => {
    const other = await overtaken(own);
    if (other !== undefined) return other;
    await take(pair);
    tabs.tell({ kind: 'fresh' });
    if (state.status !== 'in') set({ status: 'in', loggedOut: undefined });
    return true;
  };

  const take = async (pair: TokenPair) => {
    if (!byCookie) await kept.write(tokensOf(pair));
    csrf = pair.csrf_token ?? csrf;
    until = Date.now() + pair.access.expires_in * 1000;
    [generation, notBefore] = [generation + 1, 0];
    whose = (await seen()) ?? whose;
  };

  const refused = async (answer: Response, own: Tokens | undefined) => {
    const { code, ended_reason: reason, ended_at: at } = await problemOf(answer);
    // There was no cookie: nobody is logged in, and perhaps nobody was.
    const isStranger = byCookie && code === 'missing_fields';
    if (code === 'invalid_grant' || isStranger) {
      const other = await overtaken(own);
      if (other !== undefined) return other;
      if (isStranger && state.status === 'unknown') set({ status: 'out' });
      else await end({ by: reason === 'idle' ? reason : 'service', reason, at: at ? new Date(at) : undefined });
      return false;
    }
    const seconds = secondsToWait(answer);
    if (seconds) {
      notBefore = Date.now() + seconds * 1000;
      // A copy whose header can be set.
      busy = new Response(await answer.clone().text(), answer);
    }
    return answer;
  };

  const refreshOnce = (used: string) => {
    refreshing ??= tabs.inTurn(() => renew(used)).finally(() => {
      refreshing = undefined;
    });
    return refreshing;
  };

  const authorize = async (url: string, method = 'GET'): Promise<Pass | undefined> => {
    if (!trusted.has(new URL(url, here ?? root).origin)) return undefined;
    let own = await kept.read();
    const dies = byCookie ? until : (own?.until ?? Infinity);
    // A body that can be sent only once is better not sent in vain.
    if (Date.now() >= dies && Date.now() >= notBefore) {
      await refreshOnce(await mark()).catch(() => {});
      own = await kept.read();
    }
    const headers: Record<string, string> = own ? { authorization: `Bearer ${own.access}` } : {};
    if (!SAFE.includes(method.toUpperCase())) Object.assign(headers, shows(cookie() ?? csrf));
    return { headers, mark: await mark(), login, whose: await seen() };
  };

  const mend = async (pass: Pass, answer: Response, held = false): Promise<boolean | Response> => {
    if (!(await isMendable(answer))) return false;
    if (pass.login === login && pass.mark === (await mark())) {
      const outcome = await (held ? renew(pass.mark) : refreshOnce(pass.mark));
      if (outcome !== true) return outcome;
    }
    // What was meant for one login is not done in another.
    const now = await seen();
    return pass.login === login && (!pass.whose || !now || pass.whose === now);
  };

  const send = async (input: RequestInfo | URL, init: RequestInit = {}, held = false): Promise<Response> => {
    const given = typeof input === 'object' && 'url' in input ? input : undefined;
    const url = given?.url ?? new URL(`${input as string}`, globalThis.document?.baseURI ?? here ?? root).href;
    const method = init.method ?? given?.method ?? 'GET';
    const own = new Headers(init.headers ?? given?.headers);
    const wish = init.credentials ?? given?.credentials;
    const isOwnBusiness = own.has('authorization') || (byCookie && wish === 'omit');
    const pass = isOwnBusiness ? undefined : await authorize(url, method);
    if (!pass) return raw(here || given ? input : url, init);

    const isApi = url.startsWith(`${api}/`);
    const signal = init.signal ?? given?.signal;
    const credentials = byCookie ? 'include' : isApi ? 'omit' : wish;
    const once = ({ headers }: Pass) => (token?: string) => {
      signal?.throwIfAborted();
      const all = new Headers(own);
      for (const [name, value] of Object.entries(headers)) all.set(name, value);
      if (token && !SAFE.includes(method.toUpperCase())) all.set('x-csrf-token', token);
      const with_ = { ...init, headers: all, ...(credentials && { credentials }) };
      return raw(given ? given.clone() : url, with_);
    };
    const mayRepeat = canRepeat(init.body);
    const answer = await meant(once(pass), mayRepeat);
    const again = await unlessAborted(mend(pass, answer, held), signal);
    if (typeof again === 'object') return again;
    const last = again && mayRepeat ? await once((await authorize(url, method))!)(cookie() ?? csrf) : answer;
    if (last.status < 400) used(isApi);
    return last;
  };

  const used = (isApi: boolean) => {
    if (idle.used(isApi)) tabs.tell({ kind: 'used', at: Date.now() });
    const isWanted = onIdleWarning || options.idleWarning;
    if (isWanted && isApi && !idle.knows() && !isAsking) void client.sessions.list().catch(() => {});
  };

  const data = async (answering: Promise<Response>): Promise<any> => {
    const answer = await orError(answering);
    if (!answer.ok) throw await errorOf(answer);
    const body = await answer.json().catch(() => undefined);
    if (!body || typeof body !== 'object') throw new PortcullisError('network', answer.status);
    return 'status' in body ? body.data : body;
  };
  const open = async (path: string, body: unknown) => void (await data(ask('POST', path, body)));
  const call = (method: string, path: string, body?: unknown, held = false) =>
    data(send(api + path, request(method, body), held));

  const leave = async (everywhere?: boolean) => {
    const own = await kept.read();
    const body = { ...(everywhere && { logout_all: true }), ...(own && { refresh_token: own.refresh }) };
    const bearer: Record<string, string> = own ? { authorization: `Bearer ${own.access}` } : {};
    if (!byCookie && !own) return end({ by: 'user' });
    const answer = await orError(meant((token) => ask('POST', '/logout', body, { ...bearer, ...shows(token) })));
    // Whoever is not logged in any more has what they wanted, unless it was about other devices as well.
    if (answer.ok || answer.status === 401) await end({ by: 'user' });
    if (!answer.ok && (everywhere || answer.status !== 401)) throw await errorOf(answer);
    return answer.ok ? data(Promise.resolve(answer)) : undefined;
  };

  const client: Client = {
    login: (body) =>
      tabs.inTurn(async () => {
        const told = await data(ask('POST', '/login-enhanced', { ...body, ...(byCookie && { mode }) }));
        turnOver();
        await take(told.tokens);
        current = told.session.id;
        set({ status: 'in', user: told.user, loggedOut: undefined });
        tabs.tell({ kind: 'in' });
        used(true);
        return told;
      }),
    register: (body) => open('/register', body),
    verifyEmail: (token, password) => open('/verify-email', { token, password }),
    resendVerification: (email) => open('/resend-verification', { email }),
    forgotPassword: (email) => open('/forgot-password', { email }),
    resetPassword: (body) => open('/reset-password', body),
    changePassword: (body) =>
      tabs.inTurn(async () => {
        await take(await call('POST', '/change-password', body, true));
        current = undefined;
        tabs.tell({ kind: 'fresh' });
      }),
    logout: ({ everywhere } = {}) => {
      hurry?.abort(LEFT);
      return tabs.inTurn(() => leave(everywhere));
    },
    async me() {
      const me = await call('GET', '/me');
      csrf = me.csrf_token ?? csrf;
      set({ status: 'in', user: me.user, loggedOut: undefined });
      await look();
      return me;
    },
    sessions: {
      async list() {
        isAsking = true;
        const told: Sessions = await call('GET', '/sessions').finally(() => {
          isAsking = false;
        });
        const own = told.current_session;
        csrf = told.csrf_token ?? csrf;
        current = own?.id ?? current;
        if (own) idle.learn(own.idle_expires_at ? Date.parse(own.idle_expires_at) - Date.parse(own.last_activity) : 0);
        return told;
      },
      async end(id) {
        await call('DELETE', `/sessions/${encodeURIComponent(id)}`);
        if (id === current || (id && id === (await kept.read())?.session)) await end({ by: 'user' });
      },
      endOthers: () => call('DELETE', '/sessions'),
    },
    fetch: (input, init) => send(input as RequestInfo, init),
    call: (method, path, body) => call(method, path, body),
    stay: async () => void (await client.sessions.list()),
    async refresh() {
      const outcome = await orError(refreshOnce(''));
      if (typeof outcome === 'object') throw await errorOf(outcome);
      if (!outcome) throw new PortcullisError('invalid_grant', 401, [], undefined, {}, 'Nobody is logged in.');
    },
    snapshot: () => state,
    subscribe(changed) {
      listeners.add(changed);
      return () => void listeners.delete(changed);
    },
    authorize,
    mend: (pass, answer) => mend(pass, answer),
    close() {
      listeners.clear();
      idle.close();
      tabs.close();
      deafen();
    },
  };
  return client;
};
