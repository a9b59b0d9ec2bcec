// Makes src/schemas.ts, the types of all bodies, from the service's description of itself:
//
//     portcullis openapi | npm run --silent types
//
// With a path as argument it writes there.

import { writeFileSync } from 'node:fs';
import { text } from 'node:stream/consumers';
import openapi, { astToString } from 'openapi-typescript';

const { openapi: version, info, components } = JSON.parse(await text(process.stdin));
const described = { openapi: version, info, paths: {}, components: { schemas: components.schemas } };
const head = '// The bodies of the service, made from its OpenAPI document: `portcullis openapi | npm run types`.\n\n';
const types = astToString(await openapi(described));
const target = process.argv[2] ?? new URL('src/schemas.ts', import.meta.url);
writeFileSync(target, head + types.slice(types.indexOf('export interface components')).replace(/^export type \$defs[^]*$/m, ''));
