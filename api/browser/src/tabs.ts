// What the tabs of one browser do together: one deed at a time, and news for the others. Where there are
// no other tabs, on a server or in an app, it comes down to one deed at a time.

/** For how long somebody waits for another's deed before going on alone: the service puts up with it. */
const PATIENCE = 10_000;
/** News must reach the others before the next of them has its turn. */
const SETTLE = 50;
/** Nobody's deed takes longer; who holds a lease for longer has gone. */
const LEASE = 30_000;

export interface News {
  kind: 'fresh' | 'in' | 'out' | 'used';
  /** Whose session, where that is known. */
  session?: string | undefined;
  at?: number;
}

export interface Tabs {
  /** Runs when no other tab runs anything; `deed` must not wait for its own turn again. */
  inTurn<T>(deed: () => Promise<T>): Promise<T>;
  tell(news: News): void;
  close(): void;
}

/** A server and an app have no other tabs. */
export const isPage = typeof document !== 'undefined';

/** Calls back when a page may have missed something: it was asleep, or another tab wrote somewhere. */
export const onWaking = (look: (event: StorageEvent) => unknown): (() => void) => {
  // Those of the document are seen on their way down to it.
  const events = isPage ? ['pageshow', 'focus', 'online', 'storage', 'visibilitychange'] : [];
  for (const event of events) addEventListener(event, look as () => void, true);
  return () => {
    for (const event of events) removeEventListener(event, look as () => void, true);
  };
};

const pause = (ms: number) => new Promise((done) => setTimeout(done, ms));

/** Storage that all tabs of the origin see; some browsers refuse it. */
const shared = (): Storage | undefined => {
  try {
    return isPage ? localStorage : undefined;
  } catch {
    return undefined;
  }
};

export const joinTabs = (name: string, hear: (news: News) => void): Tabs => {
  const locks = globalThis.navigator?.locks as LockManager | undefined;
  const board = shared();
  const lease = `${name}:turn`;
  const post = `${name}:news`;
  let last: Promise<unknown> = Promise.resolve();

  const read = (): { id?: string; until?: number } => {
    try {
      return JSON.parse(board?.getItem(lease) ?? '') ?? {};
    } catch {
      return {};
    }
  };

  // Without locks: whoever finds no lease writes one, waits until all see it, and looks whose it is.
  const leased = async <T>(deed: () => Promise<T>): Promise<T> => {
    const id = `${Math.random()}`;
    const end = Date.now() + PATIENCE;
    try {
      while (board && Date.now() < end) {
        const { until = 0 } = read();
        if (until < Date.now() || until > Date.now() + LEASE) {
          board.setItem(lease, JSON.stringify({ id, until: Date.now() + LEASE }));
          await pause(SETTLE);
          if (read().id === id) break;
        }
        await pause(SETTLE);
      }
    } catch {
      // It is full, or forbidden.
    }
    try {
      return await deed();
    } finally {
      if (read().id === id) board?.removeItem(lease);
    }
  };

  const locked = <T>(held: LockManager, deed: () => Promise<T>): Promise<T> =>
    new Promise((done, failed) => {
      let mine = false;
      const giveUp = new AbortController();
      const timer = setTimeout(() => giveUp.abort(), PATIENCE);
      const alone = () => {
        clearTimeout(timer);
        if (!mine) deed().then(done, failed);
      };
      held
        .request(name, { signal: giveUp.signal }, async () => {
          mine = true;
          clearTimeout(timer);
          await deed().then(done, failed);
          await pause(SETTLE);
        })
        .catch(alone);
    });

  const inTurn = <T>(deed: () => Promise<T>): Promise<T> => {
    if (locks) return locked(locks, deed);
    const mine = last.then(() => leased(deed));
    last = mine.catch(() => {});
    return mine;
  };

  const heard = (news?: News) => void (news?.kind && hear(news));
  const channel = isPage && globalThis.BroadcastChannel ? new BroadcastChannel(name) : undefined;
  if (channel) channel.onmessage = ({ data }) => heard(data);
  const stop =
    isPage && !channel
      ? onWaking((event) => {
          if (event.key === post && event.newValue) heard(JSON.parse(event.newValue));
        })
      : undefined;

  return {
    inTurn,
    tell(news) {
      try {
        // The same news twice is no event.
        if (channel) channel.postMessage(news);
        else board?.setItem(post, JSON.stringify({ ...news, nonce: Math.random() }));
        board?.removeItem(post);
      } catch {
        // Closed, or full: the others find out when they call.
      }
    },
    close() {
      channel?.close();
      stop?.();
    },
  };
};
