// When the session ends for want of use, as the service counts: its limit, from the last call on. Counted
// by the clock on the wall, so that a machine that slept knows when it wakes.

import { onWaking } from './tabs.js';

/** Timers do not run while a machine sleeps, and far ones overflow. */
const LOOK_AGAIN = 30_000;
/** The service writes down a use at most so often, or every tenth of the limit. */
const COARSE = 60_000;
const MARGIN = 1_000;

export interface IdleTimer {
  /** The limit in milliseconds, which the service has just said; 0 for none. */
  learn(limit: number): void;
  /** A call was answered, here or in another tab; by the service for sure, or perhaps not. */
  used(isSure: boolean, at?: number): boolean;
  knows(): boolean;
  /** The session is over, or another has begun. */
  forget(): void;
  close(): void;
}

export const idleTimer = (
  lead: number,
  warn: (endsAt: Date | null) => void,
  end: () => Promise<unknown>,
): IdleTimer => {
  let limit = 0;
  let known = false;
  /** What the service has written down at least, and at most. */
  let [sure, latest] = [0, 0];
  let warned = false;
  let ending = false;
  let timer: ReturnType<typeof setTimeout> | undefined;

  const look = async () => {
    clearTimeout(timer);
    if (!limit || ending) return;
    const now = Date.now();
    const warnAt = sure + limit - Math.min(lead, limit / 2);
    const endAt = latest + limit + MARGIN;
    if (now >= endAt) {
      ending = true;
      await end().catch(() => {});
      ending = false;
      timer = setTimeout(look, LOOK_AGAIN);
      return;
    }
    if (now >= warnAt && !warned) {
      warned = true;
      warn(new Date(sure + limit));
    }
    timer = setTimeout(look, Math.min((now < warnAt ? warnAt : endAt) - now, LOOK_AGAIN));
  };

  const calm = () => {
    if (warned) {
      warned = false;
      warn(null);
    }
    void look();
  };

  const forget = () => {
    [limit, known] = [0, false];
    clearTimeout(timer);
    calm();
  };

  const deafen = onWaking(look);
  return {
    learn(said) {
      [limit, known] = [said, true];
      sure = latest = Date.now();
      calm();
    },
    used(isSure, at = Date.now()) {
      latest = Math.max(latest, at);
      if (!isSure || !limit || at - sure < Math.min(COARSE, limit / 10)) return false;
      sure = at;
      calm();
      return true;
    },
    knows: () => known,
    forget,
    close() {
      forget();
      deafen();
    },
  };
};
