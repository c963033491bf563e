import { rememberChoice } from './kit/words.tsx';
import { Signal } from './signal.ts';

/** `system`: as the device is set. */
export const THEMES = ['system', 'light', 'dark'] as const;
export type Theme = (typeof THEMES)[number];

const root = document.documentElement;

/** What was chosen here; the server puts it into the document, so that nothing flashes. */
export const theme = new Signal<Theme>(THEMES.find((known) => known === root.dataset.theme) ?? 'system');

export function chooseTheme(next: Theme): void {
  rememberChoice('berth_theme', next === 'system' ? undefined : next);
  if (next === 'system') delete root.dataset.theme;
  else root.dataset.theme = next;
  theme.set(next);
}
