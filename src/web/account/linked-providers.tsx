import { useState } from 'react';
import type { LogInProvider } from '../../client/sessions.ts';
import { Badge } from '../kit/badge.tsx';
import { Button } from '../kit/button.tsx';
import { ConfirmDialog } from '../kit/dialog.tsx';
import { FormProblem, useAction } from '../kit/form.tsx';
import { Card, Section } from '../kit/page.tsx';
import { useWords } from '../kit/words.tsx';
import { queries, server } from '../server.ts';
import { securityWords } from './security-words.ts';

/** How one can log in. */
export const WAYS_KEY = ['account', 'ways'] as const;

/** Where the provider sends the browser back to. */
const BACK = '/account/security';

/** Accounts elsewhere that log in to this one. */
export function LinkedProviders({ providers }: { providers: readonly LogInProvider[] }) {
  const words = useWords(securityWords);
  const link = useAction(async (id: string) => location.assign(await server.sessions.link(id, BACK)));
  return (
    <Section title={words.providers} description={words.providersWhat}>
      <Card>
        <ul className="grid gap-3">
          {providers.map((provider) => (
            <li key={provider.id} className="flex flex-wrap items-center gap-3">
              <span className="min-w-0 flex-1 break-words">{provider.name}</span>
              <Badge tone={provider.linked ? 'good' : 'neutral'}>
                {provider.linked ? words.linked : words.notLinked}
              </Badge>
              {provider.linked ? (
                <Unlink provider={provider} />
              ) : (
                <Button
                  busy={link.busy}
                  aria-label={words.linkOne(provider.name)}
                  onClick={() => link.run(provider.id)}
                >
                  {words.link}
                </Button>
              )}
            </li>
          ))}
        </ul>
        <FormProblem problem={link.problem} />
      </Card>
    </Section>
  );
}

function Unlink({ provider: { id, name } }: { provider: LogInProvider }) {
  const words = useWords(securityWords);
  const [asked, setAsked] = useState(false);
  const unlink = useAction(
    () => server.sessions.unlink(id),
    async () => {
      await queries.invalidateQueries({ queryKey: WAYS_KEY });
      setAsked(false);
    },
  );
  return (
    <>
      <Button aria-label={words.unlinkOne(name)} onClick={() => setAsked(true)}>
        {words.unlink}
      </Button>
      <ConfirmDialog
        open={asked}
        onClose={() => setAsked(false)}
        title={words.unlinkTitle(name)}
        action={words.unlink}
        busy={unlink.busy}
        problem={unlink.problem}
        onConfirm={() => unlink.run()}
      >
        <p>{words.unlinkWhat}</p>
      </ConfirmDialog>
    </>
  );
}
