import { Dialog as Base } from '@base-ui/react/dialog';
import { X } from 'lucide-react';
import { classes } from './classes.ts';
import type { DialogProps } from './dialog-props.ts';
import { kitWords } from './kit-words.ts';
import { useWords } from './words.tsx';

/** The window of a dialog; it is there while it is open. */
export function DialogWindow({
  open,
  onClose,
  title,
  description,
  children,
  footer,
  wide = false,
  lasting = false,
}: DialogProps) {
  const words = useWords(kitWords);
  return (
    <Base.Root open={open} onOpenChange={(next) => !next && !lasting && onClose()}>
      <Base.Portal>
        <Base.Backdrop className="fixed inset-0 bg-[rgb(0_0_0/0.5)]" />
        <Base.Popup
          className={classes(
            'fixed inset-x-0 bottom-0 z-10 flex max-h-[92dvh] w-full flex-col rounded-t-xl border border-line bg-raised text-ink shadow-xl',
            'sm:inset-auto sm:top-1/2 sm:left-1/2 sm:-translate-x-1/2 sm:-translate-y-1/2 sm:rounded-xl',
            wide ? 'sm:w-[min(56rem,94vw)]' : 'sm:w-[min(32rem,94vw)]',
          )}
        >
          <header className="flex items-start gap-3 border-b border-line px-5 py-4">
            <div className="min-w-0 flex-1">
              <Base.Title className="text-lg font-semibold break-words">{title}</Base.Title>
              {description !== undefined && (
                <Base.Description className="mt-1 text-sm text-muted" render={<div />}>
                  {description}
                </Base.Description>
              )}
            </div>
            {!lasting && (
              <Base.Close
                className="-mr-2 grid size-9 place-items-center rounded-md hover:bg-hover"
                aria-label={words.close}
              >
                <X className="size-5" aria-hidden="true" />
              </Base.Close>
            )}
          </header>
          <div className="min-h-0 flex-1 overflow-y-auto px-5 py-4">{children}</div>
          {footer !== undefined && (
            <footer className="flex flex-wrap justify-end gap-2 border-t border-line px-5 py-3">{footer}</footer>
          )}
        </Base.Popup>
      </Base.Portal>
    </Base.Root>
  );
}
