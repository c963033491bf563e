import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { TextArea } from '../kit/field.tsx';
import { Form, fieldProblem, useAction } from '../kit/form.tsx';
import { Card, Section } from '../kit/page.tsx';
import { Loaded } from '../kit/states.tsx';
import { useWords } from '../kit/words.tsx';
import { queries, server } from '../server.ts';
import { Saved } from './saved.tsx';
import { settingsWords } from './settings-words.ts';
import { tagsChanged } from './tag-list.ts';

/** As `src/api/tags.ts` has it. */
const PATTERN = /^[a-zA-Z0-9._*?-]{1,128}$/;
const MOST = 100;

/** Which tags never move. */
export function ImmutableTags({ repository }: { repository: string }) {
  const words = useWords(settingsWords);
  const patterns = useQuery({
    queryKey: ['tags', repository, 'immutable'],
    queryFn: () => server.tags.immutable(repository),
  });
  return (
    <Section title={words.immutable} description={words.immutableWhat}>
      <Card>
        <Loaded query={patterns} rows={1} height="h-56">
          {(saved) => <Patterns repository={repository} saved={saved} />}
        </Loaded>
      </Card>
    </Section>
  );
}

function Patterns({ repository, saved }: { repository: string; saved: readonly string[] }) {
  const words = useWords(settingsWords);
  const [text, setText] = useState(saved.join('\n'));
  const patterns = [...new Set(text.split(/[\s,]+/).filter((pattern) => pattern !== ''))];
  const wrong = patterns.find((pattern) => !PATTERN.test(pattern));
  const local =
    wrong !== undefined
      ? words.patternWrong(wrong.slice(0, 130))
      : patterns.length > MOST
        ? words.tooManyPatterns
        : undefined;
  const save = useAction(
    () => server.tags.setImmutable(repository, patterns),
    async (now) => {
      queries.setQueryData(['tags', repository, 'immutable'], now);
      await tagsChanged(queries, repository);
      // Each tag says of itself whether it is immutable.
      queries.removeQueries({ queryKey: ['tags', repository, 'list'] });
    },
  );
  const unchanged = patterns.join() === saved.join();
  const problem = local ?? fieldProblem(save.problem, 'patterns');
  return (
    <Form
      action={words.save}
      busy={save.busy}
      disabled={unchanged || local !== undefined}
      problem={problem === undefined ? save.problem : null}
      onSend={() => save.run(undefined)}
      extra={<Saved shown={unchanged && save.result !== undefined} />}
    >
      <TextArea
        label={words.patterns}
        hint={words.patternsHint}
        problem={problem}
        className="font-mono"
        autoCapitalize="none"
        spellCheck={false}
        value={text}
        onChange={(event) => setText(event.target.value)}
      />
    </Form>
  );
}
