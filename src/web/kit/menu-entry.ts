import type { ReactNode } from 'react';

export interface MenuEntry {
  label: string;
  onSelect: () => void;
  icon?: ReactNode;
  danger?: boolean;
  /** Of a choice among several: whether it is the one. */
  chosen?: boolean;
}

export interface MenuProps {
  label: string;
  trigger: ReactNode;
  entries: readonly MenuEntry[];
  className?: string;
}
