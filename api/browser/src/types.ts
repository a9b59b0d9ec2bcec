// What a page says to the client, and what it is told.

import type { components } from './schemas.js';
import type { PortcullisError } from './error.js';

type Schemas = components['schemas'];

export type LoginRequest = Omit<Schemas['LoginRequest'], 'mode'>;
export type LoggedIn = Schemas['LoggedIn'];
export type Newcomer = Schemas['Registration'];
export type PasswordChange = Schemas['PasswordChange'];
export type PasswordReset = Schemas['PasswordReset'];
export type TokenPair = Schemas['TokenPair'];
export type Ended = Schemas['Ended'];
export type Me = Schemas['Me'];
export type Session = Schemas['Session'];
export type Sessions = Schemas['Sessions'];
/** Of the account what a login tells; `/me` tells all. */
export type User = Schemas['LoggedInUser'] & Partial<Schemas['Account']>;

/** What `localStorage` can do, and what apps have for secrets. */
export interface TokenStorage {
  getItem(key: string): string | null | Promise<string | null>;
  setItem(key: string, value: string): unknown;
  removeItem(key: string): unknown;
}

/** Why nobody is logged in any more. */
export interface LoggedOut {
  /** `user`: by `logout()` here; `tab`: in another tab; `idle`: not used for too long; `service`: it says so. */
  by: 'user' | 'tab' | 'idle' | 'service';
  /** What ended the session, where the service tells it: `password_change`, `evicted`, … */
  reason?: string | undefined;
  at?: Date | undefined;
}

export interface IdleWarning {
  /** When the session ends unless it is used. */
  endsAt: Date;
}

export interface Options {
  /** Where the service is, the page's own origin if omitted: `https://auth.example.com`. */
  base?: string;
  /** `cookie` for pages of the service's own site, `bearer` for everything else. */
  mode: 'cookie' | 'bearer';
  /** Where tokens are kept in bearer mode; in memory if omitted. */
  storage?: TokenStorage;
  /** Further origins that are sent the token in bearer mode: those of your own services. */
  origins?: string[];
  onLoggedOut?: (why: LoggedOut) => void;
  /** The session is about to end for want of use; null once it is not any more. */
  onIdleWarning?: (warning: IdleWarning | null) => void;
  /** How many seconds before; 120 if omitted, at most half of the limit. */
  idleWarning?: number;
  fetch?: typeof fetch;
}

/** What is known at the moment. */
export interface Snapshot {
  status: 'unknown' | 'in' | 'out';
  user: User | undefined;
  warning: IdleWarning | undefined;
  loggedOut: LoggedOut | undefined;
}

/** What a call is sent with, and a note of the token that it had. */
export interface Pass {
  headers: Record<string, string>;
  mark: string;
  login: number;
  whose: string | undefined;
}

export interface Client {
  login(body: LoginRequest): Promise<LoggedIn>;
  register(body: Newcomer): Promise<void>;
  /** With the password, nobody confirms an account for whoever registered with their address. */
  verifyEmail(token: string, password?: string): Promise<void>;
  resendVerification(email: string): Promise<void>;
  forgotPassword(email: string): Promise<void>;
  resetPassword(body: PasswordReset): Promise<void>;
  changePassword(body: PasswordChange): Promise<void>;
  logout(options?: { everywhere?: boolean }): Promise<Ended | undefined>;
  me(): Promise<Me>;
  readonly sessions: {
    list(): Promise<Sessions>;
    end(id: string): Promise<void>;
    endOthers(): Promise<Ended>;
  };
  /** The page's own `fetch`, with tokens for the service and for your own services. */
  fetch: typeof fetch;
  /** Any other call of the service: its `data`, or a `PortcullisError`. */
  call<T = unknown>(method: string, path: string, body?: unknown): Promise<T>;
  /** Uses the session, so that it does not end for want of use. */
  stay(): Promise<void>;
  /** A new access token now; seldom needed, as `fetch` sees to it. */
  refresh(): Promise<void>;
  snapshot(): Snapshot;
  /** Calls back whenever `snapshot()` has changed; returns what ends that. */
  subscribe(changed: () => void): () => void;
  /** For other HTTP clients: what to send along, nothing for a foreign origin. */
  authorize(url: string, method?: string): Promise<Pass | undefined>;
  /** For other HTTP clients: whether the refused call shall be sent once more. */
  mend(pass: Pass, answer: Response): Promise<boolean | Response>;
  /** Lets go of timers, listeners and channels; the session goes on. */
  close(): void;
}

export type { PortcullisError };
