/** What to do when a target says no, by the code of what it said. Undefined for what speaks for itself. */
export function adviceFor(error: unknown): string | undefined {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  switch (code) {
    case 'ENOSPC':
    case 'EDQUOT':
      return 'make room there, or remove old backups with berth backup prune';
    case 'EACCES':
    case 'EPERM':
      return `let the user that Berth runs as (uid ${process.getuid?.() ?? 'unknown'}) write there`;
    case 'EROFS':
      return 'mount it for writing';
    case 'ENOTDIR':
    case 'EEXIST':
      return 'give a folder';
    case 'NoSuchBucket':
      return 'make the bucket, or give another one';
    case 'AccessDenied':
    case 'InvalidAccessKeyId':
    case 'SignatureDoesNotMatch':
      return 'look at AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and what the bucket lets them do';
    default:
      return undefined;
  }
}
