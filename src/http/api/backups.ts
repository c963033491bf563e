import { backupRunList } from '../../api/backups.ts';
import { listBackupRuns } from '../../backup/runs.ts';
import { type ApiRoute, apiRoute, iso, isoOrNull } from './route.ts';

const LISTED = 100;

export const BACKUP_ROUTES: readonly ApiRoute[] = [
  apiRoute({
    method: 'GET',
    path: '/api/v1/instance/backups',
    access: 'administrator',
    summary: 'The last hundred backups of this instance, newest first, by serve and by hand',
    chapter: 'instance',
    answer: backupRunList,
    async handler({ registry }) {
      const runs = await listBackupRuns(registry, LISTED);
      return {
        runs: runs.map((run) => ({ ...run, startedAt: iso(run.startedAt), finishedAt: isoOrNull(run.finishedAt) })),
      };
    },
  }),
];
