// @portcullis/browser: what a page needs of the service. See README.md.

export { createClient } from './client.js';
export { PortcullisError } from './error.js';
export type { Problem, Violation } from './error.js';
export type { components } from './schemas.js';
export type * from './types.js';
