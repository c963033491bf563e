import { useQuery } from '@tanstack/react-query';
import { KeyRound } from 'lucide-react';
import { useState } from 'react';
import type { TokenInfo } from '../../api/tokens.ts';
import type { NewToken } from '../../client/tokens.ts';
import { Button } from '../kit/button.tsx';
import { CodeBlock } from '../kit/copy.tsx';
import { Notice, Section } from '../kit/page.tsx';
import { EmptyState, Loaded } from '../kit/states.tsx';
import { useWords } from '../kit/words.tsx';
import { queries, server } from '../server.ts';
import type { SessionUser } from '../session.tsx';
import { AccountPage } from './account-page.tsx';
import { MadeTokenDialog, NewTokenDialog } from './new-token.tsx';
import { TokenTable } from './token-table.tsx';
import { tokenWords } from './token-words.ts';
import { TOKENS_KEY } from './tokens-key.ts';

export function TokensPage() {
  const words = useWords(tokenWords);
  return (
    <AccountPage part="tokens" description={words.what}>
      {(user) => <Tokens user={user} />}
    </AccountPage>
  );
}

function Tokens({ user }: { user: SessionUser }) {
  const words = useWords(tokenWords);
  const tokens = useQuery({ queryKey: TOKENS_KEY, queryFn: () => server.tokens.list() });
  const [making, setMaking] = useState(false);
  const [made, setMade] = useState<NewToken>();
  const [shown, setShown] = useState(false);
  const isLogin = ({ kind }: TokenInfo) => kind === 'login';
  const make = (
    <Button kind="primary" onClick={() => setMaking(true)}>
      {words.make}
    </Button>
  );
  return (
    <>
      {made !== undefined && !shown && (
        <div className="mb-6">
          <Notice tone="warn" title={words.notCopied(made.token.name)}>
            <p className="flex flex-wrap gap-2">
              <Button onClick={() => setShown(true)}>{words.showAgain}</Button>
              <Button kind="quiet" onClick={() => setMade(undefined)}>
                {words.done}
              </Button>
            </p>
          </Notice>
        </div>
      )}
      <Loaded query={tokens} rows={4} height="h-14">
        {(list) => {
          const logins = list.filter(isLogin);
          const own = list.filter((token) => !isLogin(token));
          return (
            <>
              <Section title={words.list} actions={own.length > 0 && make}>
                {own.length > 0 ? (
                  <TokenTable label={words.list} tokens={own} />
                ) : (
                  <EmptyState title={words.none} icon={<KeyRound className="size-7 text-muted" aria-hidden="true" />}>
                    <p>{words.noneWhat}</p>
                    {make}
                  </EmptyState>
                )}
              </Section>
              <Section title={words.logins} description={words.loginsWhat}>
                {logins.length > 0 ? (
                  <TokenTable label={words.logins} tokens={logins} />
                ) : (
                  <div className="grid gap-2">
                    <p className="text-muted">{words.loginsNone}</p>
                    <CodeBlock label={words.dockerLogin} code={`docker login -u ${user.username} ${location.host}`} />
                  </div>
                )}
              </Section>
            </>
          );
        }}
      </Loaded>
      <NewTokenDialog
        open={making}
        onClose={() => setMaking(false)}
        onMade={async (token) => {
          setMade(token);
          setShown(true);
          setMaking(false);
          await queries.invalidateQueries({ queryKey: TOKENS_KEY });
        }}
      />
      {made !== undefined && (
        <MadeTokenDialog
          made={made}
          username={user.username}
          open={shown}
          onClose={() => setShown(false)}
          onCopied={() => {
            setShown(false);
            setMade(undefined);
          }}
        />
      )}
    </>
  );
}
