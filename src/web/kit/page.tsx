import { type ReactNode, useEffect, useRef } from 'react';
import { classes } from './classes.ts';

/** Where the page was opened, then where it was moved to. */
let place = location.pathname;

/**
 * The head of a page: the tab's title, the heading, what can be done. After a move to another page the heading has the focus, so that a
 * screen reader says where it is.
 */
export function Page({
  title,
  heading,
  above,
  description,
  actions,
  children,
  narrow = false,
}: {
  /** For the tab and, without `heading`, for the heading. */
  title: string;
  heading?: ReactNode;
  /** Where it belongs: a link or two. */
  above?: ReactNode;
  description?: ReactNode;
  actions?: ReactNode;
  children: ReactNode;
  narrow?: boolean;
}) {
  const ref = useRef<HTMLHeadingElement>(null);
  useEffect(() => {
    if (location.pathname === place) return;
    place = location.pathname;
    // A field that takes the focus by itself keeps it.
    if (!(document.activeElement instanceof HTMLInputElement)) ref.current?.focus();
  }, []);
  return (
    <div className={classes('mx-auto w-full px-4 py-6 sm:px-6', narrow ? 'max-w-2xl' : 'max-w-6xl')}>
      <title>{`${title} · Berth`}</title>
      {above !== undefined && <div className="mb-1 text-sm text-muted">{above}</div>}
      <div className="mb-5 flex flex-wrap items-start justify-between gap-x-4 gap-y-3">
        <div className="min-w-0">
          <h1 ref={ref} tabIndex={-1} className="text-2xl font-semibold break-words outline-none">
            {heading ?? title}
          </h1>
          {description !== undefined && <div className="mt-1 max-w-3xl text-muted">{description}</div>}
        </div>
        {actions !== undefined && <div className="flex flex-wrap gap-2">{actions}</div>}
      </div>
      {children}
    </div>
  );
}

/** A part of a page with a heading of its own. */
export function Section({
  title,
  description,
  actions,
  children,
  level = 2,
}: {
  title: string;
  description?: ReactNode;
  actions?: ReactNode;
  children: ReactNode;
  level?: 2 | 3;
}) {
  const Heading = level === 2 ? 'h2' : 'h3';
  return (
    <section className="mb-8">
      <div className="mb-3 flex flex-wrap items-end justify-between gap-3">
        <div className="min-w-0">
          <Heading className={level === 2 ? 'text-lg font-semibold' : 'font-semibold'}>{title}</Heading>
          {description !== undefined && <p className="text-sm text-muted">{description}</p>}
        </div>
        {actions !== undefined && <div className="flex flex-wrap gap-2">{actions}</div>}
      </div>
      {children}
    </section>
  );
}

export function Card({ children, className }: { children: ReactNode; className?: string }) {
  return <div className={classes('rounded-lg border border-line bg-surface p-4', className)}>{children}</div>;
}

/** Words about something that is not an error: `warn` asks for something to be done. */
export function Notice({
  tone = 'accent',
  title,
  children,
}: {
  tone?: 'accent' | 'good' | 'warn' | 'bad';
  title?: string;
  children?: ReactNode;
}) {
  const tones = {
    accent: 'bg-accent-soft border-accent',
    good: 'bg-good-soft border-good',
    warn: 'bg-warn-soft border-warn',
    bad: 'bg-bad-soft border-bad',
  };
  return (
    <div className={classes('rounded-md border-l-4 px-4 py-3', tones[tone])}>
      {title !== undefined && <p className="font-semibold">{title}</p>}
      {children !== undefined && <div className="grid gap-2 text-sm">{children}</div>}
    </div>
  );
}
