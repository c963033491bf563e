// Preloaded into every process of a server: writes down, when it ends, what it had loaded of OpenTelemetry besides its interface (better-auth has that).
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

process.on('exit', () => {
  const folder = process.env.LOADED_MODULES ?? '';
  const all = Object.keys(require.cache);
  const found = all.filter((path) => /@opentelemetry\/(?!api\/)/.test(path));
  writeFileSync(join(folder, `${process.pid}.json`), JSON.stringify({ args: process.argv, all: all.length, found }));
});
