import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { refuseUnfinishedLoad } from '../backup/load.ts';
import type { Settings } from '../config/settings.ts';
import { SCHEMA_VERSION, schemaVersion } from '../database/migrate.ts';
import type { RegistryContext } from '../registry/context.ts';
import { openRegistry } from '../server.ts';
import { failpoint } from '../workers/failpoint.ts';
import { UsageError } from './usage.ts';

/**
 * Opens existing data for a command that works on it beside a server. Makes nothing: a wrong `--data` is an error and
 * not a new, empty registry.
 *
 * @throws UsageError, DatabaseUnavailableError, NewerSchemaError
 */
export async function withData<T>(settings: Settings, work: (registry: RegistryContext) => Promise<T>): Promise<T> {
  const data = resolve(settings.data);
  if (!existsSync(join(data, 'blobs'))) {
    throw new UsageError(`--data: ${data} holds no registry; give the directory that berth serve uses`);
  }
  const { registry, close } = await openRegistry({ ...settings, data }, `c${process.pid.toString(36)}`, {
    onStep: failpoint(process.env.BERTH_FAILPOINT),
    patient: true,
  });
  try {
    const version = await schemaVersion(registry.database);
    if (version < SCHEMA_VERSION) {
      throw new UsageError(
        `--data: ${data} has schema ${version}, this Berth needs ${SCHEMA_VERSION}; start berth serve once to upgrade it`,
      );
    }
    await refuseUnfinishedLoad(registry.database);
    return await work(registry);
  } finally {
    await close();
  }
}
