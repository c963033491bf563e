import { resolve } from 'node:path';
import { FolderTarget } from './folder-target.ts';
import { BackupError } from './format.ts';
import { S3Target } from './s3-target.ts';
import type { BackupTarget } from './target.ts';

/**
 * `s3://bucket/prefix`, or a folder. Credentials, region and endpoint of a bucket come from the variables that every S3 tool reads.
 *
 * @param endpoint of an S3-compatible store, instead of the variable's
 * @throws BackupError
 */
export function openTarget(
  text: string,
  environment: Record<string, string | undefined>,
  endpoint: string | undefined,
): BackupTarget {
  if (!/^[a-z][a-z0-9+.-]*:\/\//i.test(text)) {
    if (text === '') throw new BackupError('the target is empty; give a folder or s3://bucket/prefix');
    return new FolderTarget(resolve(text));
  }
  const match = /^s3:\/\/([a-z0-9][a-z0-9.-]{1,62})(?:\/(.*))?$/.exec(text);
  if (match === null) {
    throw new BackupError(`${JSON.stringify(text)} is neither a folder nor s3://bucket/prefix`);
  }
  const [, bucket = '', path = ''] = match;
  const prefix = path.replace(/^\/+|\/+$/g, '');
  const { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey } = environment;
  if (!accessKeyId || !secretAccessKey) {
    throw new BackupError(`${text}: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY`);
  }
  return new S3Target({
    bucket,
    prefix: prefix === '' ? '' : `${prefix}/`,
    endpoint: endpoint ?? environment.AWS_ENDPOINT_URL_S3 ?? environment.AWS_ENDPOINT_URL,
    region: environment.AWS_REGION ?? environment.AWS_DEFAULT_REGION,
    accessKeyId,
    secretAccessKey,
    sessionToken: environment.AWS_SESSION_TOKEN,
  });
}
