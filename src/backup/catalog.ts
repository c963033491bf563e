import { BackupError, type BackupManifest, MANIFESTS, parseManifest } from './format.ts';
import { type BackupTarget, readText } from './target.ts';

/** Every backup of a target, oldest first. @throws BackupError when a manifest is damaged */
export async function listBackups(target: BackupTarget): Promise<BackupManifest[]> {
  const backups: BackupManifest[] = [];
  const keys: string[] = [];
  for await (const { key } of target.list(MANIFESTS)) if (key.endsWith('.json')) keys.push(key);
  for (const key of keys.sort()) backups.push(parseManifest(await readText(target, key), key));
  return backups;
}

/**
 * One backup by its id, the newest, or the newest that is not younger than a moment.
 *
 * @throws BackupError when there is none
 */
export async function chooseBackup(
  target: BackupTarget,
  choice: { id: string } | { at: number } | 'latest',
): Promise<BackupManifest> {
  const backups = await listBackups(target);
  if (backups.length === 0) throw new BackupError(`${target.name} holds no backup`);
  const found =
    choice === 'latest'
      ? backups.at(-1)
      : backups.findLast((backup) => ('id' in choice ? backup.id === choice.id : backup.at <= choice.at));
  if (found !== undefined) return found;
  const [oldest] = backups;
  throw new BackupError(
    choice !== 'latest' && 'id' in choice
      ? `${target.name} holds no backup ${choice.id}; berth backup list shows those that there are`
      : `${target.name} holds no backup that is so old; the oldest is ${oldest?.id}`,
  );
}
