import type { z } from 'zod';
import { type AuditFilter, type AuditLine, listAudit } from '../../accounts/audit.ts';
import type { AccountsContext } from '../../accounts/context.ts';
import { type AuditLineInfo, auditFilter, auditPage, auditQuery } from '../../api/audit.ts';
import { OciError } from '../../oci/errors.ts';
import { type ApiRoute, apiRoute, iso, limitOf, numberCursor } from './route.ts';

const EXPORT_PAGE = 1_000;

export const AUDIT_ROUTES: readonly ApiRoute[] = [
  apiRoute({
    method: 'GET',
    path: '/api/v1/audit',
    access: 'administrator',
    summary: 'Who did what, from where and when, newest first',
    chapter: 'audit',
    query: auditQuery,
    answer: auditPage,
    async handler({ accounts }, request, { query }) {
      return pageOfLines(accounts, filterOf(query), { before: numberCursor(request), limit: limitOf(request) });
    },
  }),
  apiRoute({
    method: 'GET',
    path: '/api/v1/audit/export',
    access: 'administrator',
    summary: 'The same as JSON lines, all of it, newest first',
    chapter: 'audit',
    query: auditFilter,
    handler: async ({ accounts }, _, { query }) =>
      new Response(exported(accounts, filterOf(query)), {
        headers: { 'Content-Type': 'application/x-ndjson', 'Cache-Control': 'no-store' },
      }),
  }),
  apiRoute({
    method: 'GET',
    path: '/api/v1/namespaces/:namespace/audit',
    access: 'admin',
    summary: 'What was done to the repositories, members and robots of a user or an organization',
    chapter: 'audit',
    query: auditQuery,
    answer: auditPage,
    async handler({ accounts }, request, { query }) {
      const namespace = request.param('namespace');
      const subject = query.subject ?? namespace;
      if (subject !== namespace && !subject.startsWith(`${namespace}/`) && !subject.startsWith(`${namespace}+`)) {
        throw new OciError('QUERY_INVALID', `subject: ${JSON.stringify(subject.slice(0, 100))} is not of ${namespace}`);
      }
      const page = { before: numberCursor(request), limit: limitOf(request) };
      return pageOfLines(accounts, { ...filterOf(query), subject }, page);
    },
  }),
];

async function pageOfLines(
  accounts: AccountsContext,
  filter: AuditFilter,
  page: { before: number | undefined; limit: number },
) {
  const { lines, more } = await listAudit(accounts, filter, page);
  return { lines: lines.map(lineInfo), next: more ? String(lines.at(-1)?.id) : null };
}

/** Reads on as the client takes it. */
function exported(accounts: AccountsContext, filter: AuditFilter): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder();
  let before: number | undefined;
  return new ReadableStream({
    async pull(controller) {
      const { lines, more } = await listAudit(accounts, filter, { before, limit: EXPORT_PAGE });
      for (const line of lines) controller.enqueue(encoder.encode(`${JSON.stringify(lineInfo(line))}\n`));
      before = lines.at(-1)?.id;
      if (!more || before === undefined) controller.close();
    },
  });
}

function filterOf({ since, until, ...rest }: z.infer<typeof auditFilter>): AuditFilter {
  return {
    ...rest,
    since: since === undefined ? undefined : Date.parse(since),
    until: until === undefined ? undefined : Date.parse(until),
  };
}

function lineInfo(line: AuditLine): AuditLineInfo {
  return { ...line, id: String(line.id), at: iso(line.at) };
}
