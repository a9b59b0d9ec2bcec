// What went wrong, as one kind of error, whoever says it: the service, a proxy, or nobody at all.

import type { components } from './schemas.js';

export type Violation = components['schemas']['Violation'];
export type Problem = components['schemas']['Problem'];

/** A call that was not served. */
export class PortcullisError extends Error {
  override readonly name = 'PortcullisError';

  constructor(
    /** The service's stable word for it; `network` if there was no answer that can be read. */
    readonly code: string,
    /** The status; 0 without an answer. */
    readonly status: number,
    /** Which values are not acceptable, and where they are. */
    readonly violations: Violation[] = [],
    /** After how many seconds it may be tried again. */
    readonly retryAfter?: number,
    /** The whole of what the service said. */
    readonly problem: Partial<Problem> = {},
    message = problem.detail ?? (status ? `The service answered ${status}.` : 'The service did not answer.'),
  ) {
    super(message);
  }
}

/** The body of a refusal; nothing if somebody else than the service refuses. */
export const problemOf = async (answer: Response): Promise<Partial<Problem>> => {
  try {
    return ((await answer.clone().json()) as Partial<Problem>) ?? {};
  } catch {
    return {};
  }
};

/** How many seconds an answer asks to wait, as a number or as a date; an hour at most. */
export const secondsToWait = (answer: Response): number | undefined => {
  const said = answer.headers.get('retry-after') ?? '';
  const wait = Math.ceil(Number(said) || (Date.parse(said) - Date.now()) / 1000);
  return wait > 0 ? Math.min(wait, 3600) : undefined;
};

export const errorOf = async (answer: Response): Promise<PortcullisError> => {
  const problem = await problemOf(answer);
  const { code = answer.ok ? 'network' : `http_${answer.status}`, errors } = problem;
  return new PortcullisError(code, answer.status, errors, secondsToWait(answer), problem);
};

/** What `fetch` throws when there is no answer becomes ours; a call that its caller gave up stays what it is. */
export const orError = <T>(work: Promise<T>): Promise<T> =>
  work.catch((thrown) => {
    throw thrown instanceof TypeError ? Object.assign(new PortcullisError('network', 0), { cause: thrown }) : thrown;
  });
