import { isRepositoryName, parseReference, type Reference, type RepositoryName } from '../oci/names.ts';
import { UsageError } from './usage.ts';

/** `NAME`, `NAME:TAG` or `NAME@DIGEST`. @throws UsageError, OciError for what stands behind the name */
export function imageName(text: string): { name: RepositoryName; reference?: Reference } {
  const [, name = '', mark, rest = ''] = /^([^:@]*)(?:([:@])(.*))?$/.exec(text) ?? [];
  if (!isRepositoryName(name)) throw new UsageError(`${JSON.stringify(text)}: not NAME, NAME:TAG or NAME@DIGEST`);
  if (mark === undefined) return { name };
  const reference = parseReference(rest);
  if ((reference.kind === 'digest') !== (mark === '@')) {
    throw new UsageError(`${JSON.stringify(text)}: a tag stands after ":", a digest after "@"`);
  }
  return { name, reference };
}
