import { useNavigate, useSearch } from '@tanstack/react-router';
import { useEffect, useState } from 'react';
import { ButtonLink } from '../kit/button.tsx';
import { PasswordField } from '../kit/field.tsx';
import { Card, Notice } from '../kit/page.tsx';
import { Loaded } from '../kit/states.tsx';
import { useWords } from '../kit/words.tsx';
import { queries, server } from '../server.ts';
import { useInstance } from '../session.tsx';
import { Door } from './door.tsx';
import { NewAccountForm } from './new-account.tsx';
import { gettingInWords } from './words.ts';

export function SetupPage() {
  const words = useWords(gettingInWords);
  const search = useSearch({ from: '/setup' });
  const [fromLink] = useState(search.secret);
  const navigate = useNavigate();
  const instance = useInstance();
  const inAddress = search.secret !== undefined;
  // Not for the history of the browser, nor for who looks at the screen.
  useEffect(() => {
    if (inAddress) void navigate({ to: '/setup', search: {}, replace: true });
  }, [inAddress, navigate]);
  return (
    <Door title={words.setupTitle}>
      <Loaded query={instance} rows={5} height="h-16">
        {({ setupNeeded }) => (setupNeeded ? <FirstAccount fromLink={fromLink} /> : <SetUpAlready />)}
      </Loaded>
    </Door>
  );
}

function FirstAccount({ fromLink }: { fromLink: string | undefined }) {
  const words = useWords(gettingInWords);
  const navigate = useNavigate();
  const [secret, setSecret] = useState(fromLink ?? '');
  return (
    <>
      <p>{words.setupWhat}</p>
      <Card>
        <NewAccountForm
          action={words.setupAction}
          emailHint={words.emailHint}
          ready={secret.trim() !== ''}
          make={(account) => server.instance.setUp({ ...account, secret: secret.trim() })}
          onDone={async () => {
            await queries.invalidateQueries({ queryKey: ['instance'] });
            await navigate({ to: '/' });
          }}
        >
          {(problem) =>
            (fromLink === undefined || problem !== null) && (
              <>
                {fromLink === undefined && <Notice>{words.setupMissing}</Notice>}
                <PasswordField
                  label={words.setupSecret}
                  hint={words.setupSecretHint}
                  autoComplete="off"
                  spellCheck={false}
                  required
                  value={secret}
                  onChange={(event) => setSecret(event.target.value)}
                />
              </>
            )
          }
        </NewAccountForm>
      </Card>
    </>
  );
}

function SetUpAlready() {
  const words = useWords(gettingInWords);
  return (
    <Notice title={words.setupDone}>
      <p>{words.setupDoneWhat}</p>
      <p>
        <ButtonLink kind="primary" to="/login" search={{}}>
          {words.logIn}
        </ButtonLink>
      </p>
    </Notice>
  );
}
