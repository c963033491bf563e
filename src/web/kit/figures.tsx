import { useEffect, useState } from 'react';
import { kitWords } from './kit-words.ts';
import { useLanguage, useWords } from './words.tsx';

const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'] as const;

/** `12.3 MiB` */
export function formatBytes(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < UNITS.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${unit === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${UNITS[unit]}`;
}

export function Bytes({ bytes }: { bytes: number }) {
  return <span className="whitespace-nowrap tabular-nums">{formatBytes(bytes)}</span>;
}

const STEPS: readonly [Intl.RelativeTimeFormatUnit, number][] = [
  ['year', 31_536_000],
  ['month', 2_592_000],
  ['week', 604_800],
  ['day', 86_400],
  ['hour', 3_600],
  ['minute', 60],
];

/** `3 hours ago`; @param at RFC 3339 */
export function formatAgo(at: string, now: number, language: string): string {
  const seconds = (Date.parse(at) - now) / 1000;
  const format = new Intl.RelativeTimeFormat(language, { numeric: 'auto' });
  for (const [unit, size] of STEPS) {
    if (Math.abs(seconds) >= size) return format.format(Math.trunc(seconds / size), unit);
  }
  return format.format(Math.trunc(seconds / 10) * 10, 'second');
}

export function formatMoment(at: string, language: string): string {
  return new Intl.DateTimeFormat(language, { dateStyle: 'medium', timeStyle: 'medium' }).format(new Date(at));
}

/** How long ago something was, with the moment when it is pointed at; stays true. */
export function Ago({ at }: { at: string | null }) {
  const { language } = useLanguage();
  const words = useWords(kitWords);
  const now = useNow();
  if (at === null) return <span className="text-muted">{words.never}</span>;
  return (
    <time dateTime={at} title={formatMoment(at, language)} className="whitespace-nowrap">
      {formatAgo(at, now, language)}
    </time>
  );
}

/** A moment, in the viewer's time zone. */
export function Moment({ at }: { at: string }) {
  const { language } = useLanguage();
  return (
    <time dateTime={at} className="whitespace-nowrap">
      {formatMoment(at, language)}
    </time>
  );
}

/** ms since 1970, anew every ten seconds. */
export function useNow(): number {
  const [now, setNow] = useState(Date.now);
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), 10_000);
    return () => clearInterval(timer);
  }, []);
  return now;
}
