import { getRouteApi } from '@tanstack/react-router';
import { withQuery } from '../../client/path.ts';
import { AuditLog } from '../audit/audit-log.tsx';
import { auditWords } from '../audit/audit-words.ts';
import { buttonClass } from '../kit/button.tsx';
import { useWords } from '../kit/words.tsx';
import { server } from '../server.ts';
import { Administration } from './administration.tsx';
import { administrationWords } from './words.ts';

const route = getRouteApi('/admin/audit');

export function AuditPage() {
  const words = useWords(administrationWords);
  const shared = useWords(auditWords);
  const filter = route.useSearch();
  const navigate = route.useNavigate();
  return (
    <Administration
      current="audit"
      title={words.auditTitle}
      description={words.auditWhat}
      actions={
        <a href={withQuery('/api/v1/audit/export', { ...filter })} download="audit.jsonl" className={buttonClass()}>
          {shared.export}
        </a>
      }
    >
      {() => (
        <AuditLog
          name={['audit']}
          filter={filter}
          onFilter={(next) => void navigate({ search: { ...next } })}
          list={(wanted, limit) => server.audit.list(wanted, limit)}
        />
      )}
    </Administration>
  );
}
