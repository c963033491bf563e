import { lazy, Suspense, useState } from 'react';
import type { MenuProps } from './menu-entry.ts';

const OpenMenu = lazy(async () => ({ default: (await import('./open-menu.tsx')).OpenMenu }));

const TRIGGER = 'grid min-h-10 min-w-10 place-items-center rounded-md hover:bg-hover';

/** A button with a list of what can be done. What makes the list is loaded when the button is first pressed. */
export function Menu({ className = TRIGGER, ...rest }: MenuProps) {
  const [wanted, setWanted] = useState(false);
  const plain = (
    <button
      type="button"
      className={className}
      aria-label={rest.label}
      aria-haspopup="menu"
      onClick={() => setWanted(true)}
    >
      {rest.trigger}
    </button>
  );
  if (!wanted) return plain;
  return (
    <Suspense fallback={plain}>
      <OpenMenu className={className} {...rest} />
    </Suspense>
  );
}
