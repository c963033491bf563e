// The rows of retention policies.
import { isPlace } from './expected.ts';
import { REPOSITORY } from './people.ts';
import { type Call, found, json, type Row, read } from './row.ts';

const REPOSITORIES = '/api/v1/repositories/:name{.+}/retention';
const NAMESPACE = '/api/v1/namespaces/:namespace/retention';
const INSTANCE = '/api/v1/instance/retention';

const POLICY = { rules: [{ match: ['*'], always: true }] };
const inNamespace = (status: number) => ({ acme: status, olivia: status, nowhere: 404 });

const COLUMNS = 'retention_policies (place, namespace_id, repository_id, policy, revision, updated_at, updated_by)';
const VALUES = `'{"rules":[]}', 'first', 1, 'nobody'`;

/** So that there is a policy to remove. */
const withPolicy: NonNullable<Row['send']> = ({ town, target, allowed }: Call) => {
  if (allowed) {
    town.sql((db) => {
      db.run('delete from retention_policies');
      if (target === undefined) db.run(`insert into ${COLUMNS} values ('instance', null, null, ${VALUES})`);
      else if (isPlace(target)) {
        const select = `select 'repository:' || id, null, id, ${VALUES} from repositories where name = ?`;
        db.run(`insert into ${COLUMNS} ${select}`, [REPOSITORY[target]]);
      } else {
        const select = `select 'namespace:' || id, id, null, ${VALUES} from namespaces where name = ?`;
        db.run(`insert into ${COLUMNS} ${select}`, [target]);
      }
    });
  }
  return {};
};
/** It says what would happen, or finds nothing to do. */
const idle = () => true;

export const RETENTION_ROWS: Readonly<Record<string, Row>> = {
  [`GET ${INSTANCE}`]: { asks: 'administrator', ok: 200 },
  [`PUT ${INSTANCE}`]: { asks: 'administrator', ok: 200, send: json(POLICY) },
  [`DELETE ${INSTANCE}`]: { asks: 'administrator', ok: 204, send: withPolicy },
  [`GET ${NAMESPACE}`]: { asks: 'admin', ok: inNamespace(200) },
  [`PUT ${NAMESPACE}`]: { asks: 'admin', ok: inNamespace(200), send: json(POLICY) },
  [`DELETE ${NAMESPACE}`]: { asks: 'admin', ok: inNamespace(204), send: withPolicy },
  [`GET ${REPOSITORIES}`]: read(),
  [`PUT ${REPOSITORIES}`]: { asks: 'admin', ok: found(200), send: json(POLICY) },
  [`DELETE ${REPOSITORIES}`]: { asks: 'admin', ok: found(204), send: withPolicy },
  [`POST ${REPOSITORIES}/preview`]: { asks: 'admin', ok: found(200), send: json({ policy: POLICY }), idle },
  [`POST ${REPOSITORIES}/apply`]: { asks: 'admin', ok: found(200), idle },
  [`GET ${REPOSITORIES}/removals`]: read(),
};
