/** The command that runs this program again: the compiled binary itself, or Bun with the script. */
export function selfCommand(): string[] {
  return Bun.main.startsWith('/$bunfs/') || /^[A-Z]:[\\/]~BUN/.test(Bun.main)
    ? [process.execPath]
    : [process.execPath, '--no-env-file', Bun.main];
}
