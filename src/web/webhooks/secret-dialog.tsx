import { Button } from '../kit/button.tsx';
import { CopyLine } from '../kit/copy.tsx';
import { Dialog } from '../kit/dialog.tsx';
import { Moment } from '../kit/figures.tsx';
import { Notice } from '../kit/page.tsx';
import { useWords } from '../kit/words.tsx';
import { webhookWords } from './webhook-words.ts';

export interface ShownSecret {
  secret: string;
  /** Until when the former one signs too. */
  formerUntil?: string;
}

/** What is shown once. No stray key closes it. */
export function SecretDialog({ shown, onClose }: { shown: ShownSecret; onClose: () => void }) {
  const words = useWords(webhookWords);
  return (
    <Dialog
      open
      lasting
      onClose={onClose}
      title={words.secretTitle}
      footer={
        <Button kind="primary" onClick={onClose}>
          {words.done}
        </Button>
      }
    >
      <div className="grid gap-4">
        <Notice tone="warn">{words.secretWhat}</Notice>
        <div className="grid gap-1">
          <p className="text-sm font-medium">{words.secret}</p>
          <CopyLine text={shown.secret} label={words.copySecret} />
        </div>
        {shown.formerUntil !== undefined && (
          <p className="text-sm">
            {words.formerUntil} <Moment at={shown.formerUntil} />
          </p>
        )}
      </div>
    </Dialog>
  );
}
