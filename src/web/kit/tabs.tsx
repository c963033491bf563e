import { Link, type LinkProps } from '@tanstack/react-router';
import { type ReactNode, useEffect, useRef } from 'react';
import { classes } from './classes.ts';

export interface Tab {
  label: ReactNode;
  /** Where it leads, as of the router's `Link`. */
  link: LinkProps;
  current: boolean;
}

/** The pages of one thing, beside each other. They are links: each has its address. */
export function Tabs({ label, tabs }: { label: string; tabs: readonly Tab[] }) {
  const ref = useRef<HTMLElement>(null);
  // Where they are wider than a phone, the one that one is at is in sight.
  useEffect(() => {
    const bar = ref.current;
    const here = bar?.querySelector('[aria-current]');
    if (bar == null || here == null) return;
    const over = here.getBoundingClientRect().right - bar.getBoundingClientRect().right;
    if (over > 0) bar.scrollLeft += over;
  }, []);
  return (
    <nav ref={ref} aria-label={label} className="mb-5 overflow-x-auto border-b border-line">
      <ul className="flex gap-1 sm:flex-wrap">
        {tabs.map((tab, index) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: their order is fixed
          <li key={index}>
            <Link
              {...(tab.link as LinkProps)}
              // A place beneath it is another tab's.
              activeOptions={{ exact: true, includeSearch: false }}
              {...(tab.current ? { 'aria-current': 'page' as const } : {})}
              className={classes(
                'inline-flex min-h-11 items-center gap-2 border-b-2 px-3 whitespace-nowrap',
                tab.current ? 'border-accent font-semibold text-ink' : 'border-transparent text-muted hover:text-ink',
              )}
            >
              {tab.label}
            </Link>
          </li>
        ))}
      </ul>
    </nav>
  );
}
