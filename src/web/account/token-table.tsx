import { useState } from 'react';
import type { TokenInfo } from '../../api/tokens.ts';
import { Badge } from '../kit/badge.tsx';
import { Button } from '../kit/button.tsx';
import { ConfirmDialog } from '../kit/dialog.tsx';
import { Ago } from '../kit/figures.tsx';
import { useAction } from '../kit/form.tsx';
import { Table } from '../kit/table.tsx';
import { useWords } from '../kit/words.tsx';
import { queries, server } from '../server.ts';
import { tokenWords } from './token-words.ts';
import { TOKENS_KEY } from './tokens-key.ts';

/** A build server may leave a log-in behind each time. */
const SHOWN = 50;

/** Tokens with what they may do and who uses them; each can be revoked. */
export function TokenTable({ label, tokens }: { label: string; tokens: readonly TokenInfo[] }) {
  const words = useWords(tokenWords);
  const [shown, setShown] = useState(SHOWN);
  const [revoked, setRevoked] = useState<TokenInfo>();
  return (
    <div className="grid gap-3">
      <Table
        label={label}
        rows={tokens.slice(0, shown)}
        rowKey={({ id }) => id}
        columns={[
          {
            key: 'name',
            head: words.name,
            cell: ({ name, kind }) => (
              <span className="flex flex-wrap items-center gap-2">
                <span className="min-w-0 break-all">{name}</span>
                {kind !== 'personal' && <Badge>{words.kinds[kind]}</Badge>}
              </span>
            ),
          },
          {
            key: 'level',
            head: words.level,
            cell: ({ level }) => <Badge tone={level === 'admin' ? 'warn' : 'neutral'}>{words.levels[level]}</Badge>,
          },
          {
            key: 'repository',
            head: words.repository,
            cell: ({ repository }) =>
              repository === null ? words.allRepositories : <span className="break-all">{repository}</span>,
          },
          { key: 'created', head: words.created, cell: ({ createdAt }) => <Ago at={createdAt} /> },
          {
            key: 'expires',
            head: words.expires,
            cell: ({ expiresAt }) => (expiresAt === null ? words.neverExpires : <Ago at={expiresAt} />),
          },
          {
            key: 'used',
            head: words.lastUsed,
            cell: ({ lastUsedAt, lastUsedFrom }) =>
              lastUsedAt === null ? (
                <span className="text-muted">{words.neverUsed}</span>
              ) : (
                <>
                  <Ago at={lastUsedAt} />
                  {lastUsedFrom !== null && (
                    <span className="block text-sm break-all text-muted">{words.from(lastUsedFrom)}</span>
                  )}
                </>
              ),
          },
          {
            key: 'revoke',
            head: words.revoke,
            hideHead: true,
            end: true,
            cell: (token) => (
              <Button small aria-label={words.revokeOne(token.name)} onClick={() => setRevoked(token)}>
                {words.revoke}
              </Button>
            ),
          },
        ]}
      />
      {tokens.length > shown && (
        <div>
          <Button onClick={() => setShown(shown + SHOWN)}>{words.more(Math.min(SHOWN, tokens.length - shown))}</Button>
        </div>
      )}
      <RevokeDialog token={revoked} onClose={() => setRevoked(undefined)} />
    </div>
  );
}

function RevokeDialog({ token, onClose }: { token: TokenInfo | undefined; onClose: () => void }) {
  const words = useWords(tokenWords);
  const revoke = useAction(
    (id: string) => server.tokens.revoke(id),
    async () => {
      await queries.invalidateQueries({ queryKey: TOKENS_KEY });
      onClose();
    },
  );
  return (
    <ConfirmDialog
      open={token !== undefined}
      onClose={() => {
        revoke.reset();
        onClose();
      }}
      title={words.revokeTitle(token?.name ?? '')}
      action={words.revoke}
      busy={revoke.busy}
      problem={revoke.problem}
      onConfirm={() => token !== undefined && revoke.run(token.id)}
    >
      <p>{words.revokeWhat}</p>
    </ConfirmDialog>
  );
}
