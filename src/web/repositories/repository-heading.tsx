import type { ReactNode } from 'react';

/** A name that may be cut at its slashes. */
export function RepositoryHeading({ name, children }: { name: string; children?: ReactNode }) {
  return (
    <span className="break-words">
      {name.split('/').map((part, index, parts) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: the parts of one name
        <span key={index}>
          {part}
          {index < parts.length - 1 && (
            <>
              /<wbr />
            </>
          )}
        </span>
      ))}
      {children}
    </span>
  );
}
