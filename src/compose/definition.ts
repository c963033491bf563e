import { OciError } from '../oci/errors.ts';

/** True for what compose takes as true, written as a boolean or as a text. */
export function isYes(value: unknown): boolean {
  return value === true || (typeof value === 'string' && /^(?:true|yes|on|y|1)$/i.test(value));
}

/** A mapping's entries; none when it is no mapping. */
export function record(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? { ...value } : {};
}

/** The texts and numbers of a list; a single text is a list of one. */
export function listOf(value: unknown): string[] {
  const items = Array.isArray(value) ? value : value === undefined || value === null ? [] : [value];
  return items.flatMap((item) => (typeof item === 'string' || typeof item === 'number' ? [String(item)] : []));
}

/** A mapping's entries. @throws OciError BODY_INVALID when it is none */
export function section(value: unknown, where: string): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw invalid(`${where}: not a mapping`);
  return { ...value };
}

/** An error of the file; `reason` begins with the place in it. */
export function invalid(reason: string): OciError {
  return new OciError('BODY_INVALID', `file: ${reason}`);
}
