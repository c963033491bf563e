import { ConfirmDialog } from '../kit/dialog.tsx';
import { useAction } from '../kit/form.tsx';
import { Notice } from '../kit/page.tsx';
import { Facts } from '../kit/table.tsx';
import { useWords } from '../kit/words.tsx';
import { queries, server } from '../server.ts';
import { tagsChanged } from './tag-list.ts';
import { tagWords } from './tag-words.ts';

/** A move that is asked about. */
export interface PointTo {
  /** Where the tag was when it was asked for; null when it was deleted. */
  from: string | null;
  /** undefined: before its newest push, which the server knows. */
  to: string | undefined;
}

/** Says what moving a tag means, and does it. What was asked for while the tag moved elsewhere is not done. */
export function PointTag({
  repository,
  tag,
  point,
  current,
  onClose,
  onPointed,
}: {
  repository: string;
  tag: string;
  point: PointTo;
  current: string | null;
  onClose: () => void;
  onPointed: (digest: string) => void;
}) {
  const words = useWords(tagWords);
  const move = useAction(
    () => server.tags.rollback(repository, tag, point.to),
    async ({ digest }) => {
      await tagsChanged(queries, repository);
      onPointed(digest);
    },
  );
  // Where it was put by this very move is no surprise.
  const moved = current !== point.from && !move.busy && move.result === undefined;
  return (
    <ConfirmDialog
      open
      onClose={onClose}
      title={words.pointTitle(tag)}
      action={words.pointHere}
      danger={false}
      busy={move.busy}
      problem={move.problem}
      onConfirm={() => (moved ? onClose() : move.run(undefined))}
    >
      {moved && (
        <Notice tone="warn">
          <p>{words.changedMeanwhile}</p>
        </Notice>
      )}
      <Facts
        facts={[
          [words.pointFrom, <DigestOr key="from" digest={point.from} otherwise={words.pointNothing} />],
          [words.pointTo, <DigestOr key="to" digest={point.to ?? null} otherwise={words.pointBefore} />],
        ]}
      />
      <p className="text-sm text-muted">{words.pointWhat}</p>
    </ConfirmDialog>
  );
}

function DigestOr({ digest, otherwise }: { digest: string | null; otherwise: string }) {
  if (digest === null) return <span>{otherwise}</span>;
  return <code className="font-mono text-sm break-all">{digest}</code>;
}
