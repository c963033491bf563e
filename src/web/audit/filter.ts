import type { AuditFilter } from '../../client/audit.ts';

/** What an address says of a filter; what can't be one is left out. */
export function auditFilterOf(search: Record<string, unknown>): AuditFilter {
  const text = (name: string) => {
    const value = search[name];
    return (typeof value === 'string' || typeof value === 'number') && value !== '' ? String(value) : undefined;
  };
  const moment = (name: string) => {
    const value = text(name);
    return value === undefined || Number.isNaN(Date.parse(value)) ? undefined : new Date(value).toISOString();
  };
  const outcome = search.outcome === 'done' || search.outcome === 'refused' ? search.outcome : undefined;
  return withoutMissing({
    actor: text('actor'),
    action: text('action'),
    subject: text('subject'),
    outcome,
    since: moment('since'),
    until: moment('until'),
  });
}

export function withoutMissing(filter: AuditFilter): AuditFilter {
  return Object.fromEntries(Object.entries(filter).filter(([, value]) => value !== undefined));
}
