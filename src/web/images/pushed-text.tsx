import { useState } from 'react';
import { Button } from '../kit/button.tsx';
import { classes } from '../kit/classes.ts';
import { formatBytes } from '../kit/figures.tsx';
import { useWords } from '../kit/words.tsx';
import { beginningOf, visibleText } from './visible-text.ts';
import { imageWords } from './words.ts';

/** More than this of one text is never laid out. */
const MOST = 256 * 1024;

/** Text that somebody pushed: long text is cut until all of it is asked for, and nothing in it can turn around what is beside it. */
export function PushedText({
  text,
  mono = false,
  muted = false,
  most = 300,
}: {
  text: string;
  mono?: boolean;
  muted?: boolean;
  most?: number;
}) {
  const words = useWords(imageWords);
  const [open, setOpen] = useState(false);
  const long = text.length > most;
  const look = classes(mono && 'font-mono text-sm', muted && 'text-muted', 'whitespace-pre-wrap wrap-anywhere');
  if (!long) return <bdi className={look}>{visibleText(text)}</bdi>;
  return (
    <span className="grid min-w-0 justify-items-start gap-1">
      {open ? (
        <bdi
          tabIndex={0}
          className={classes(look, 'block max-h-96 w-full overflow-auto rounded-md border border-line p-2')}
        >
          {visibleText(beginningOf(text, MOST))}
          {text.length > MOST && '…'}
        </bdi>
      ) : (
        <bdi className={look}>{visibleText(beginningOf(text, most))}…</bdi>
      )}
      <Button kind="quiet" small aria-expanded={open} onClick={() => setOpen(!open)}>
        {open ? words.showLess : words.showAll(formatBytes(text.length))}
      </Button>
    </span>
  );
}

/** For a title or a name in one line. */
export function inOneLine(text: string, most = 120): string {
  const shown = visibleText(beginningOf(text, most)).replace(/\s+/g, ' ');
  return text.length > most ? `${shown}…` : shown;
}
