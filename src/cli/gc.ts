import type { Command } from 'commander';

export function register(_program: Command, _finish: (code: number) => void): void {}
