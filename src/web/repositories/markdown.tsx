import type { ComponentProps, ReactNode } from 'react';
import ReactMarkdown, { type Components, type ExtraProps } from 'react-markdown';
import remarkGfm from 'remark-gfm';
import { useWords } from '../kit/words.tsx';
import { repositoryWords } from './repository-words.ts';

/**
 * Markdown that anybody may have written: no HTML of it is made, no image loaded, and a link leads to another site or to a heading here.
 * Its headings lie beneath the section's.
 */
export function Markdown({ text }: { text: string }) {
  return (
    <div className="grid min-w-0 gap-3 break-words">
      <ReactMarkdown
        remarkPlugins={[remarkGfm]}
        remarkRehypeOptions={{ clobberPrefix: 'readme-' }}
        urlTransform={safeAddress}
        components={COMPONENTS}
      >
        {text}
      </ReactMarkdown>
    </div>
  );
}

/** '' for what is neither another site nor a place in this text. */
export function safeAddress(address: string): string {
  if (address.startsWith('#')) return `#readme-${address.slice(1).replace(/^readme-/, '')}`;
  if (!URL.canParse(address)) return '';
  const { protocol, href } = new URL(address);
  return protocol === 'http:' || protocol === 'https:' ? href : '';
}

interface TreeNode {
  type: string;
  value?: string;
  children?: readonly TreeNode[];
}

function textOf(node: TreeNode): string {
  return node.value ?? (node.children ?? []).map(textOf).join('');
}

/** As GitHub names the anchors of headings. */
function anchorOf(node: TreeNode): string {
  const words = textOf(node)
    .toLowerCase()
    .replace(/[^\p{L}\p{N} _-]/gu, '');
  return `readme-${words.replaceAll(' ', '-')}`;
}

function heading(Level: 'h3' | 'h4' | 'h5' | 'h6', look: string) {
  return function Heading({ node, children, id }: ComponentProps<'h1'> & ExtraProps) {
    return (
      <Level id={id ?? (node === undefined ? undefined : anchorOf(node as TreeNode))} className={look}>
        {children}
      </Level>
    );
  };
}

function OutsideLink({ address, children }: { address: string; children: ReactNode }) {
  if (address === '') return <span>{children}</span>;
  if (address.startsWith('#')) {
    return (
      <a href={address} className="text-accent underline">
        {children}
      </a>
    );
  }
  return (
    <a href={address} target="_blank" rel="noopener noreferrer nofollow" className="text-accent underline">
      {children}
    </a>
  );
}

function Picture({ alt, src }: { alt: string; src: string }) {
  const words = useWords(repositoryWords);
  return <OutsideLink address={src}>{`[${words.image}: ${alt === '' ? src : alt}]`}</OutsideLink>;
}

function Checkbox({ checked }: { checked: boolean }) {
  const words = useWords(repositoryWords);
  return (
    <span>
      <span aria-hidden="true">{checked ? '☑' : '☐'}</span>
      <span className="sr-only">{checked ? words.done : words.open}</span>
    </span>
  );
}

const cell = 'border border-line px-2 py-1';

const COMPONENTS: Components = {
  h1: heading('h3', 'text-xl font-semibold'),
  h2: heading('h4', 'text-lg font-semibold'),
  h3: heading('h5', 'font-semibold'),
  h4: heading('h6', 'font-semibold'),
  h5: heading('h6', 'text-sm font-semibold'),
  h6: heading('h6', 'text-sm font-semibold text-muted'),
  a: ({ href, children }) => <OutsideLink address={href ?? ''}>{children}</OutsideLink>,
  img: ({ alt, src }) => <Picture alt={alt ?? ''} src={typeof src === 'string' ? src : ''} />,
  input: ({ checked }) => <Checkbox checked={checked === true} />,
  pre: ({ children }) => (
    <pre tabIndex={0} className="overflow-x-auto rounded-md border border-line bg-sunken p-3 font-mono text-sm">
      {children}
    </pre>
  ),
  code: ({ children }) => <code className="font-mono text-[0.9em] break-words">{children}</code>,
  ul: ({ children }) => <ul className="list-disc pl-6">{children}</ul>,
  ol: ({ children, start }: ComponentProps<'ol'>) => (
    <ol {...(start === undefined ? {} : { start })} className="list-decimal pl-6">
      {children}
    </ol>
  ),
  blockquote: ({ children }) => <blockquote className="border-l-4 border-line pl-4 text-muted">{children}</blockquote>,
  hr: () => <hr className="border-line" />,
  table: ({ children }) => (
    <div className="overflow-x-auto" tabIndex={0}>
      <table className="border-collapse text-sm">{children}</table>
    </div>
  ),
  th: ({ children, style }) => (
    <th scope="col" className={`${cell} font-semibold`} style={style}>
      {children}
    </th>
  ),
  td: ({ children, style }) => (
    <td className={cell} style={style}>
      {children}
    </td>
  ),
};
