import { Search, X } from 'lucide-react';
import { useCallback, useEffect, useRef, useState } from 'react';

const PAUSE_MS = 150;

/** A search as one types: `onValue` hears of a text after a short pause, at once after Enter. What comes in `value` from elsewhere is shown. */
export function SearchField({
  label,
  value,
  onValue,
  placeholder,
  clear,
  busy = false,
  maxLength = 128,
}: {
  label: string;
  value: string;
  onValue: (value: string) => void;
  placeholder?: string;
  /** The name of the button that empties it. */
  clear: string;
  busy?: boolean;
  maxLength?: number;
}) {
  const [text, setText] = useState(value);
  const said = useRef(value);
  const hear = useRef(onValue);
  const input = useRef<HTMLInputElement>(null);
  const say = useCallback((next: string) => {
    if (next === said.current) return;
    said.current = next;
    hear.current(next);
  }, []);
  useEffect(() => {
    hear.current = onValue;
  });
  useEffect(() => {
    if (value === said.current) return;
    said.current = value;
    setText(value);
  }, [value]);
  useEffect(() => {
    const timer = setTimeout(() => say(text), PAUSE_MS);
    return () => clearTimeout(timer);
  }, [text, say]);
  return (
    <search className="min-w-0 flex-1 basis-60">
      <form
        className="relative"
        onSubmit={(event) => {
          event.preventDefault();
          say(text);
        }}
      >
        <Search
          className="pointer-events-none absolute top-1/2 left-3 size-4 -translate-y-1/2 text-muted"
          aria-hidden="true"
        />
        <input
          ref={input}
          type="search"
          aria-label={label}
          aria-busy={busy || undefined}
          placeholder={placeholder ?? label}
          className="min-h-10 w-full rounded-md border border-edge bg-surface pr-10 pl-9 text-ink [&::-webkit-search-cancel-button]:hidden"
          autoComplete="off"
          autoCapitalize="none"
          spellCheck={false}
          maxLength={maxLength}
          value={text}
          onChange={(event) => setText(event.target.value)}
        />
        {text !== '' && (
          <button
            type="button"
            aria-label={clear}
            className="absolute top-1/2 right-1 grid size-8 -translate-y-1/2 place-items-center rounded-md hover:bg-hover"
            onClick={() => {
              setText('');
              say('');
              input.current?.focus();
            }}
          >
            <X className="size-4" aria-hidden="true" />
          </button>
        )}
      </form>
    </search>
  );
}
