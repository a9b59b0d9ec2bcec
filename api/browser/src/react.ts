// For React: who is logged in, as state of a component.

import { useCallback, useEffect, useState, useSyncExternalStore } from 'react';
import type { Client, Snapshot } from './types.js';

export interface SessionState extends Snapshot {
  /** Why it is not known who is logged in, if somebody should have said. */
  error: unknown;
  login: Client['login'];
  logout: Client['logout'];
  stay: Client['stay'];
}

/** Follows the session; asks the service who is logged in, and again after an outage. */
export const useSession = (client: Client): SessionState => {
  const now = useSyncExternalStore(client.subscribe, client.snapshot, client.snapshot);
  const [error, setError] = useState<unknown>();
  const [tries, setTries] = useState(0);
  const isWanting = now.status === 'unknown' || (now.status === 'in' && !now.user);

  const ask = useCallback(() => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    let isGone = false;
    client.me().then(
      () => !isGone && setError(undefined),
      (why) => {
        if (isGone || why?.status === 401) return;
        setError(why);
        timer = setTimeout(() => setTries((many) => many + 1), (why?.retryAfter ?? 5) * 1000);
      },
    );
    return () => {
      isGone = true;
      clearTimeout(timer);
    };
  }, [client]);

  useEffect(() => (isWanting ? ask() : undefined), [ask, isWanting, tries]);
  return { ...now, error: isWanting ? error : undefined, login: client.login, logout: client.logout, stay: client.stay };
};
