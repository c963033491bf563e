import type { ReactNode } from 'react';
import { Page } from '../kit/page.tsx';

/** A page with one form, in the middle. */
export function Door({ title, children }: { title: string; children: ReactNode }) {
  return (
    <div className="mx-auto max-w-lg">
      <Page title={title} narrow>
        <div className="grid gap-5">{children}</div>
      </Page>
    </div>
  );
}
