import { Check, Copy } from 'lucide-react';
import { useEffect, useRef, useState } from 'react';
import { classes } from './classes.ts';
import { kitWords } from './kit-words.ts';
import { useWords } from './words.tsx';

/** Puts text on the clipboard. `small` shows the sign alone. */
export function CopyButton({ text, label, small = false }: { text: string; label?: string; small?: boolean }) {
  const words = useWords(kitWords);
  const [state, setState] = useState<'idle' | 'copied' | 'failed'>('idle');
  useEffect(() => {
    if (state === 'idle') return;
    const timer = setTimeout(() => setState('idle'), 2_000);
    return () => clearTimeout(timer);
  }, [state]);
  const said = state === 'copied' ? words.copied : state === 'failed' ? words.cannotCopy : (label ?? words.copy);
  const Sign = state === 'copied' ? Check : Copy;
  return (
    <button
      type="button"
      className={classes(
        'inline-flex shrink-0 items-center gap-1.5 rounded-md border border-edge bg-surface text-sm text-ink hover:bg-hover',
        small ? 'size-8 justify-center' : 'min-h-8 px-2.5',
      )}
      title={said}
      onClick={async () => setState((await copy(text)) ? 'copied' : 'failed')}
    >
      <Sign className="size-4" aria-hidden="true" />
      <span className={small ? 'sr-only' : undefined} aria-live="polite">
        {said}
      </span>
    </button>
  );
}

/** Plain HTTP from elsewhere has no clipboard API; the old way works there. */
async function copy(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const area = document.createElement('textarea');
    area.value = text;
    area.setAttribute('readonly', '');
    area.className = 'fixed top-0 left-0 opacity-0';
    (document.querySelector('[role="dialog"]') ?? document.body).append(area);
    area.select();
    try {
      return document.execCommand('copy');
    } finally {
      area.remove();
    }
  }
}

/** Commands or a file to copy, as they are. */
export function CodeBlock({ code, label, copy: copyable = true }: { code: string; label: string; copy?: boolean }) {
  const ref = useRef<HTMLPreElement>(null);
  return (
    <figure className="relative min-w-0" aria-label={label}>
      <pre
        ref={ref}
        tabIndex={0}
        className="overflow-x-auto rounded-md border border-line bg-sunken p-3 pr-14 font-mono text-sm"
      >
        <code>{code}</code>
      </pre>
      {copyable && (
        <span className="absolute top-1.5 right-1.5">
          <CopyButton text={code} small />
        </span>
      )}
    </figure>
  );
}

/** One line of text with its copy button, cut where there is no room. */
export function CopyLine({ text, label }: { text: string; label: string }) {
  return (
    <span className="flex min-w-0 items-center gap-2">
      <code
        className="min-w-0 truncate rounded-md border border-line bg-sunken px-2 py-1 font-mono text-sm"
        title={text}
      >
        {text}
      </code>
      <CopyButton text={text} label={label} small />
    </span>
  );
}

/** `sha256:0123456789ab`, with the whole of it to copy. */
export function DigestText({ digest, copy: copyable = true }: { digest: string; copy?: boolean }) {
  const words = useWords(kitWords);
  return (
    <span className="inline-flex items-center gap-1">
      <code className="font-mono text-sm" title={digest}>
        {shortDigest(digest)}
      </code>
      {copyable && <CopyButton text={digest} label={`${words.copy} ${shortDigest(digest)}`} small />}
    </span>
  );
}

/** The algorithm and twelve characters. */
export function shortDigest(digest: string): string {
  const colon = digest.indexOf(':');
  return digest.slice(0, colon + 13);
}
