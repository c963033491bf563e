import { Menu as Base } from '@base-ui/react/menu';
import { useRef } from 'react';
import { classes } from './classes.ts';
import type { MenuProps } from './menu-entry.ts';

/** A menu that is open when it appears. */
export function OpenMenu({ label, trigger, entries, className }: MenuProps) {
  const chosen = useRef<() => void>(undefined);
  // When the button has the focus again: a window that is opened gives it back to what had it.
  const runChosen = (open: boolean) => {
    if (open) return;
    const run = chosen.current;
    chosen.current = undefined;
    run?.();
  };
  return (
    <Base.Root modal={false} defaultOpen onOpenChangeComplete={runChosen}>
      <Base.Trigger aria-label={label} className={className ?? ''}>
        {trigger}
      </Base.Trigger>
      <Base.Portal>
        <Base.Positioner sideOffset={6} align="end" className="z-20 outline-none">
          <Base.Popup className="min-w-44 rounded-lg border border-line bg-raised p-1 text-ink shadow-lg outline-none">
            {entries.map((entry) => (
              <Base.Item
                key={entry.label}
                onClick={() => {
                  chosen.current = entry.onSelect;
                }}
                aria-current={entry.chosen || undefined}
                className={classes(
                  'flex min-h-9 cursor-default items-center gap-2.5 rounded-md px-3 outline-none data-highlighted:bg-hover',
                  entry.danger && 'text-bad',
                )}
              >
                {entry.icon}
                <span className="flex-1">{entry.label}</span>
                {entry.chosen && <span aria-hidden="true">✓</span>}
              </Base.Item>
            ))}
          </Base.Popup>
        </Base.Positioner>
      </Base.Portal>
    </Base.Root>
  );
}
