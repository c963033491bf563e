import { Link, type LinkProps } from '@tanstack/react-router';
import type { ComponentProps, ReactNode } from 'react';
import { classes } from './classes.ts';

export type ButtonKind = 'primary' | 'secondary' | 'danger' | 'quiet';

const KINDS: Record<ButtonKind, string> = {
  primary: 'bg-accent-strong text-on-accent border-accent-strong hover:bg-accent-hover',
  secondary: 'bg-surface text-ink border-edge hover:bg-hover',
  danger: 'bg-bad-strong text-on-accent border-bad-strong hover:opacity-90',
  quiet: 'border-transparent text-ink hover:bg-hover',
};

export function buttonClass(kind: ButtonKind = 'secondary', small = false): string {
  return classes(
    'inline-flex items-center justify-center gap-2 rounded-md border font-medium whitespace-nowrap no-underline select-none',
    'disabled:opacity-60 disabled:cursor-not-allowed aria-disabled:opacity-60',
    small ? 'min-h-8 px-2.5 text-sm' : 'min-h-10 px-4',
    KINDS[kind],
  );
}

export interface ButtonProps extends ComponentProps<'button'> {
  kind?: ButtonKind;
  small?: boolean;
  /** Something is under way: it can not be pressed again, and keeps its width. */
  busy?: boolean;
}

export function Button({ kind, small, busy, className, children, disabled, ...rest }: ButtonProps) {
  return (
    <button
      type="button"
      className={classes(buttonClass(kind, small), 'relative', className)}
      disabled={disabled || busy}
      aria-busy={busy || undefined}
      {...rest}
    >
      <span className={classes('inline-flex items-center gap-2', busy && 'invisible')}>{children}</span>
      {busy && (
        <span className="absolute inset-0 grid place-items-center" aria-hidden="true">
          <span className="size-4 animate-spin rounded-full border-2 border-current border-t-transparent" />
        </span>
      )}
    </button>
  );
}

/** A link that looks like a button. `to` and `params` as of the router's `Link`. */
export function ButtonLink({
  kind,
  small,
  children,
  className,
  ...rest
}: LinkProps & { kind?: ButtonKind; small?: boolean; children?: ReactNode; className?: string }) {
  return (
    <Link className={classes(buttonClass(kind, small), className)} {...(rest as LinkProps)}>
      {children}
    </Link>
  );
}
