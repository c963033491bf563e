import { useNavigate } from '@tanstack/react-router';
import { useState } from 'react';
import type { RepositoryDeletion } from '../../api/repositories.ts';
import { Button } from '../kit/button.tsx';
import { ConfirmDialog, Dialog } from '../kit/dialog.tsx';
import { formatBytes } from '../kit/figures.tsx';
import { FormProblem, useAction } from '../kit/form.tsx';
import { Card, Notice, Section } from '../kit/page.tsx';
import { useWords } from '../kit/words.tsx';
import { queries, server } from '../server.ts';
import { repositoryKey } from './repository-query.ts';
import { settingsWords } from './settings-words.ts';

/** Says what would go and what stands in the way, and asks for the name. */
export function DeleteRepository({ repository }: { repository: string }) {
  const words = useWords(settingsWords);
  const [asked, setAsked] = useState<RepositoryDeletion>();
  const plan = useAction(() => server.repositories.deletion(repository), setAsked);
  return (
    <Section title={words.delete} description={words.deleteWhat}>
      <Card>
        <div className="grid justify-items-start gap-3">
          <Button kind="danger" busy={plan.busy} onClick={() => plan.run(undefined)}>
            {words.deleteAction}
          </Button>
          {plan.problem !== null && <FormProblem problem={plan.problem} />}
        </div>
      </Card>
      {asked !== undefined &&
        (asked.users.length > 0 ? (
          <Dialog open onClose={() => setAsked(undefined)} title={words.deleteTitle(repository)}>
            <Notice tone="bad" title={words.inUse}>
              <ul className="list-disc pl-5">
                {asked.users.map((user) => (
                  <li key={user} className="break-words">
                    {user}
                  </li>
                ))}
              </ul>
            </Notice>
          </Dialog>
        ) : (
          <ReallyDelete repository={repository} plan={asked} onClose={() => setAsked(undefined)} />
        ))}
    </Section>
  );
}

function ReallyDelete({
  repository,
  plan,
  onClose,
}: {
  repository: string;
  plan: RepositoryDeletion;
  onClose: () => void;
}) {
  const words = useWords(settingsWords);
  const navigate = useNavigate();
  const remove = useAction(
    () => server.repositories.delete(repository),
    async () => {
      // Lists that still have it are not shown even for a moment.
      queries.removeQueries({ queryKey: ['repositories'] });
      await navigate({ to: '/repositories', search: {}, replace: true });
      queries.removeQueries({ queryKey: repositoryKey(repository) });
      queries.removeQueries({ queryKey: ['tags', repository] });
    },
  );
  return (
    <ConfirmDialog
      open
      onClose={onClose}
      title={words.deleteTitle(repository)}
      action={words.deleteAction}
      confirm={repository}
      busy={remove.busy}
      problem={remove.problem}
      onConfirm={() => remove.run(undefined)}
    >
      <div className="grid gap-1">
        <p>{words.deleteGoes}</p>
        <ul className="list-disc pl-5">
          <li>{words.goTags(plan.tags)}</li>
          <li>{words.goManifests(plan.manifests)}</li>
          <li>{words.goBytes(formatBytes(plan.bytes))}</li>
        </ul>
      </div>
    </ConfirmDialog>
  );
}
