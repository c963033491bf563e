import { useDeferredValue, useMemo, useState } from 'react';
import type { ImageContent } from '../../api/images.ts';
import { Button } from '../kit/button.tsx';
import { CodeBlock, DigestText } from '../kit/copy.tsx';
import { TextField } from '../kit/field.tsx';
import { formatBytes } from '../kit/figures.tsx';
import { Notice } from '../kit/page.tsx';
import { Facts, Table } from '../kit/table.tsx';
import { useWords } from '../kit/words.tsx';
import { PushedText } from './pushed-text.tsx';
import { filterPackages, type Sbom } from './sbom.ts';
import { readStatement, type Statement } from './statement.ts';
import { kindOfPredicate } from './statement-kind.ts';
import { statementWords } from './statement-words.ts';
import { beginningOf, visibleText } from './visible-text.ts';
import { imageWords } from './words.ts';

/** The content of a part: what it says in short, its packages, and all of it as text. */
export function ContentView({
  repository,
  digest,
  content,
}: {
  repository: string;
  digest: string;
  content: ImageContent;
}) {
  const words = useWords(statementWords);
  const image = useWords(imageWords);
  const { text, truncated } = content;
  const statement = useMemo(() => (text === null ? undefined : readStatement(text, truncated)), [text, truncated]);
  const scheme = location.protocol === 'http:' ? '--plain-http ' : '';
  const download = (
    <CodeBlock
      label={words.pullCommand}
      code={`oras blob fetch ${scheme}--output content ${location.host}/${repository}@${digest}`}
    />
  );
  return (
    <div className="grid grid-cols-1 gap-5">
      <Facts
        facts={[
          [image.mediaType, <PushedText key="value" text={content.mediaType} mono />],
          [image.size, formatBytes(content.size)],
          [image.digest, <DigestText key="value" digest={digest} />],
          ...(statement === undefined ? [] : factsOf(statement, words)),
        ]}
      />
      {statement === undefined && (
        <Notice>
          <p>{words.binary}</p>
          {download}
        </Notice>
      )}
      {truncated && statement !== undefined && (
        <Notice tone="warn">
          <p>{words.truncated(formatBytes(content.size))}</p>
          {download}
        </Notice>
      )}
      {statement?.sbom !== undefined && <Packages sbom={statement.sbom} />}
      {statement?.payload !== undefined && <Raw title={words.payload} text={statement.payload} />}
      {statement !== undefined && <Raw title={words.raw} text={statement.text} />}
    </div>
  );
}

type StatementWords = ReturnType<typeof useWords<(typeof statementWords)['en']>>;

function factsOf(statement: Statement, words: StatementWords): [string, React.ReactNode][] {
  const facts: [string, React.ReactNode][] = [];
  if (statement.predicateType !== undefined) {
    const kind = kindOfPredicate(statement.predicateType);
    facts.push([
      words.predicate,
      <span key="value" className="grid">
        {kind !== undefined && words.kinds[kind]}
        <PushedText text={statement.predicateType} mono muted most={200} />
      </span>,
    ]);
  }
  if (statement.subjects.length > 0) {
    facts.push([
      words.subjects,
      <ul key="value" className="grid gap-1">
        {statement.subjects.map(({ name, digest }, index) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: they never change, and may be alike
          <li key={index}>
            <PushedText text={name === '' ? digest : `${name} ${digest}`} mono most={200} />
          </li>
        ))}
      </ul>,
    ]);
  }
  if (statement.builder !== undefined) {
    facts.push([words.builder, <PushedText key="value" text={statement.builder} mono most={200} />]);
  }
  return facts;
}

function Packages({ sbom }: { sbom: Sbom }) {
  const words = useWords(statementWords);
  const [wanted, setWanted] = useState('');
  const text = useDeferredValue(wanted);
  const { shown, total } = useMemo(() => filterPackages(sbom.packages, text), [sbom, text]);
  return (
    <section className="grid grid-cols-1 gap-3">
      <h3 className="font-semibold">
        {words.packagesTitle}{' '}
        <span className="font-normal text-muted">
          {sbom.format}, {words.packages(sbom.total)}
        </span>
      </h3>
      {sbom.total === 0 ? (
        <p className="text-muted">{words.noPackages}</p>
      ) : (
        <>
          <TextField
            label={words.filterPackages}
            hideLabel
            placeholder={words.filterPackages}
            type="search"
            autoComplete="off"
            spellCheck={false}
            value={wanted}
            onChange={(event) => setWanted(event.target.value)}
          />
          <p role="status" className="text-sm text-muted empty:hidden">
            {total === 0
              ? words.noPackageFound
              : shown.length < total
                ? words.packagesShown(shown.length, total)
                : words.packages(total)}
          </p>
          {shown.length > 0 && (
            <div tabIndex={0} className="max-h-96 overflow-y-auto">
              <Table
                label={words.packagesTitle}
                rows={shown.map((entry, number) => ({ ...entry, number }))}
                rowKey={(entry) => String(entry.number)}
                columns={[
                  {
                    key: 'name',
                    head: words.packageName,
                    cell: (entry) => <PushedText text={entry.name} mono most={200} />,
                  },
                  {
                    key: 'version',
                    head: words.packageVersion,
                    cell: (entry) => <PushedText text={entry.version} mono most={100} />,
                  },
                  {
                    key: 'licence',
                    head: words.packageLicence,
                    cell: (entry) => <PushedText text={entry.licence} most={100} />,
                  },
                ]}
              />
            </div>
          )}
        </>
      )}
    </section>
  );
}

/** So much is laid out at first: a MiB of text takes a browser a while. */
const AT_FIRST = 128 * 1024;

function Raw({ title, text }: { title: string; text: string }) {
  const words = useWords(statementWords);
  const [whole, setWhole] = useState(false);
  const cut = text.length > AT_FIRST && !whole;
  return (
    <section className="grid grid-cols-1 gap-2">
      <h3 className="font-semibold">{title}</h3>
      {text === '' ? (
        <p className="text-muted">{words.empty}</p>
      ) : (
        <pre
          tabIndex={0}
          className="max-h-[28rem] overflow-auto rounded-md border border-line bg-sunken p-3 font-mono text-sm"
        >
          <bdi>{visibleText(cut ? beginningOf(text, AT_FIRST) : text)}</bdi>
        </pre>
      )}
      {cut && (
        <div>
          <Button small onClick={() => setWhole(true)}>
            {words.more(formatBytes(text.length - AT_FIRST))}
          </Button>
        </div>
      )}
    </section>
  );
}
