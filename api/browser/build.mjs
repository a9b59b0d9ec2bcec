// Builds dist/: the scripts by esbuild, their types by tsc. `--scripts` leaves the types out.

import { execFileSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { build } from 'esbuild';

process.chdir(new URL('.', import.meta.url).pathname);
rmSync('dist', { recursive: true, force: true });
await build({
  entryPoints: ['src/index.ts', 'src/axios.ts', 'src/react.ts'],
  bundle: true,
  minify: true,
  format: 'esm',
  target: 'es2022',
  outdir: 'dist',
  external: ['axios', 'react'],
  logLevel: 'warning',
});
if (!process.argv.includes('--scripts')) {
  execFileSync(process.execPath, ['node_modules/typescript/bin/tsc'], { stdio: 'inherit' });
}
