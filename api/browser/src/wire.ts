// A call on its way, and a refusal on its way back: what neither knows of tokens nor of tabs.

import { problemOf } from './error.js';

/** What changes nothing and shows no CSRF token. */
export const SAFE = ['GET', 'HEAD', 'OPTIONS'];

/** A request of ours; nobody of ours answers with a redirection, and what is cached is not wanted. */
export const request = (method: string, body?: unknown, headers = {}): RequestInit => ({
  method,
  headers: { ...(body !== undefined && { 'content-type': 'application/json' }), ...headers },
  body: JSON.stringify(body) ?? null,
  redirect: 'error',
  cache: 'no-store',
});

/** Whether a body can be sent a second time. */
export const canRepeat = (body: unknown) =>
  body == null ||
  typeof body === 'string' ||
  ArrayBuffer.isView(body) ||
  [ArrayBuffer, Blob, FormData, URLSearchParams].some((kind) => body instanceof kind);

/** Whether a new access token would help, going by the refusal. Proxies do not always say why. */
export const isMendable = async (answer: Response) => {
  if (answer.status !== 401) return false;
  const { code } = await problemOf(answer);
  const said = code ?? /error="(\w+)"/.exec(answer.headers.get('www-authenticate') ?? '')?.[1] ?? 'no_token';
  return said === 'invalid_token' || said === 'no_token';
};

/** The same, but whoever gives a call up does not wait for it; what others wait for goes on. */
export const unlessAborted = <T>(work: Promise<T>, signal?: AbortSignal | null): Promise<T> =>
  signal
    ? Promise.race([work, new Promise<T>((_, failed) => signal.addEventListener('abort', () => failed(signal.reason), { once: true }))])
    : work;
