/** A webhook in the audit log, beneath what it is for: `alice/app#whk_…`, `acme#whk_…`, `instance#whk_…`. */
export function subjectOf({ id, scope }: { id: string; scope: string }): string {
  return `${scope === '' ? 'instance' : scope}#${id}`;
}
