import { ExternalLink } from 'lucide-react';
import { PushedText } from './pushed-text.tsx';
import { webAddress } from './source-link.ts';

/** Text that somebody pushed, as a link when it leads to an address of the web. */
export function OutsideLink({ address, text = address }: { address: string | undefined; text?: string | undefined }) {
  const href = webAddress(address ?? null);
  if (text === undefined) return null;
  if (href === undefined) return <PushedText text={text} />;
  return (
    <a href={href} target="_blank" rel="noopener noreferrer" className="text-accent underline">
      <PushedText text={text} />
      <ExternalLink className="ml-1 inline size-3.5" aria-hidden="true" />
    </a>
  );
}
