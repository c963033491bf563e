import { Pencil } from 'lucide-react';
import { Component, lazy, type ReactNode, Suspense, useState } from 'react';
import type { RepositoryInfo } from '../../api/repositories.ts';
import { Button } from '../kit/button.tsx';
import { CodeBlock } from '../kit/copy.tsx';
import { TextArea } from '../kit/field.tsx';
import { Form, fieldProblem, useAction } from '../kit/form.tsx';
import { Card, Notice, Section } from '../kit/page.tsx';
import { EmptyState, Skeleton } from '../kit/states.tsx';
import { useWords } from '../kit/words.tsx';
import { queries, server } from '../server.ts';
import { quickMarkdown } from './readme-bounds.ts';
import { repositoryWords } from './repository-words.ts';

const Markdown = lazy(async () => ({ default: (await import('./markdown.tsx')).Markdown }));

/** A repository's README; who administers it may write it. */
export function Readme({ repository }: { repository: RepositoryInfo }) {
  const words = useWords(repositoryWords);
  const [editing, setEditing] = useState(false);
  const { readme } = repository;
  const mayEdit = repository.role === 'admin';
  if (editing) {
    return (
      <Section title={words.editing}>
        <ReadmeEditor repository={repository} onDone={() => setEditing(false)} />
      </Section>
    );
  }
  if (readme.trim() === '') {
    if (!mayEdit) return null;
    return (
      <Section title={words.readme}>
        <EmptyState title={words.noReadme}>
          <p>{words.noReadmeWhat}</p>
          <Button onClick={() => setEditing(true)}>{words.write}</Button>
        </EmptyState>
      </Section>
    );
  }
  return (
    <Section
      title={words.readme}
      actions={
        mayEdit && (
          <Button small onClick={() => setEditing(true)}>
            <Pencil className="size-4" aria-hidden="true" />
            {words.edit}
          </Button>
        )
      }
    >
      <Card>
        <MarkdownText text={readme} />
      </Card>
    </Section>
  );
}

/** Markdown of somebody. What can't be laid out is shown as it was written. */
export function MarkdownText({ text }: { text: string }) {
  const words = useWords(repositoryWords);
  const bounds = quickMarkdown(text);
  if (bounds === undefined) return <PlainText text={text} why={words.tooComplex} />;
  return (
    <div className="grid min-w-0 gap-4">
      <AsText key={text} instead={<PlainText text={text} why={words.tooComplex} />}>
        <Suspense fallback={<Skeleton rows={4} height="h-6" />}>
          <Markdown text={bounds.laidOut} />
        </Suspense>
      </AsText>
      {bounds.rest.trim() !== '' && <PlainText text={bounds.rest} why={words.tooLong} />}
    </div>
  );
}

class AsText extends Component<{ instead: ReactNode; children: ReactNode }, { failed: boolean }> {
  override state = { failed: false };

  static getDerivedStateFromError() {
    return { failed: true };
  }

  override render() {
    return this.state.failed ? this.props.instead : this.props.children;
  }
}

function PlainText({ text, why }: { text: string; why: string }) {
  const words = useWords(repositoryWords);
  return (
    <div className="grid gap-3">
      <p className="text-sm text-muted">{why}</p>
      <CodeBlock code={text} label={words.readmeText} />
    </div>
  );
}

function ReadmeEditor({ repository, onDone }: { repository: RepositoryInfo; onDone: () => void }) {
  const words = useWords(repositoryWords);
  const { name } = repository;
  const [text, setText] = useState(repository.readme);
  /** What the text was made of; what somebody else has saved meanwhile is not overwritten unseen. */
  const [base, setBase] = useState(repository.readme);
  const [theirs, setTheirs] = useState<string>();
  const [preview, setPreview] = useState(false);
  const save = useAction(
    async () => {
      const now = await server.repositories.get(name);
      if (now.readme !== base && now.readme !== text) return { theirs: now.readme };
      await server.repositories.change(name, { readme: text });
      return {};
    },
    async (result: { theirs?: string }) => {
      if (result.theirs !== undefined) {
        setTheirs(result.theirs);
        setBase(result.theirs);
        return;
      }
      await queries.invalidateQueries({ queryKey: ['repository', name] });
      onDone();
    },
  );
  const problem = fieldProblem(save.problem, 'readme');
  return (
    <Form
      action={theirs === undefined ? words.save : words.saveAnyway}
      busy={save.busy}
      problem={problem === undefined ? save.problem : null}
      onSend={() => save.run(undefined)}
      extra={
        <>
          <Button aria-pressed={preview} onClick={() => setPreview(!preview)}>
            {preview ? words.hidePreview : words.preview}
          </Button>
          <Button kind="quiet" onClick={onDone}>
            {words.cancel}
          </Button>
        </>
      }
    >
      {preview ? (
        <Card className="min-h-96">
          {text.trim() === '' ? <p className="text-muted">{words.nothingToPreview}</p> : <MarkdownText text={text} />}
        </Card>
      ) : (
        <TextArea
          label={words.markdown}
          hint={words.markdownHint}
          problem={problem}
          className="min-h-96 font-mono text-sm"
          value={text}
          onChange={(event) => setText(event.target.value)}
        />
      )}
      {theirs !== undefined && (
        <Notice tone="warn" title={words.changedMeanwhile}>
          <p>{words.changedMeanwhileWhat}</p>
          <CodeBlock code={theirs} label={words.theirs} />
        </Notice>
      )}
    </Form>
  );
}
