import type { ImageConfig } from '../../api/images.ts';
import { Card, Section } from '../kit/page.tsx';
import { Facts } from '../kit/table.tsx';
import { useWords } from '../kit/words.tsx';
import { execForm } from './difference.ts';
import { entriesOf, NamedValues } from './named-values.tsx';
import { PushedText } from './pushed-text.tsx';
import { imageWords } from './words.ts';

/** How the image is run, and what it says of itself in labels. */
export function Configuration({ config, note }: { config: ImageConfig | null; note?: string | undefined }) {
  const words = useWords(imageWords);
  if (config === null) {
    return (
      <Section title={words.configuration}>
        <p className="text-muted">{words.noConfiguration}</p>
      </Section>
    );
  }
  const labels = entriesOf(config.labels);
  return (
    <>
      <Section title={words.configuration} {...(note === undefined ? {} : { description: note })}>
        <Card>
          <Facts
            facts={[
              [words.entrypoint, <Text key="value" text={execForm(config.entrypoint)} />],
              [words.command, <Text key="value" text={execForm(config.command)} />],
              [words.workingDirectory, <Text key="value" text={config.workingDirectory} />],
              [words.user, <Text key="value" text={config.user} unset={words.root} />],
              [words.ports, <Several key="value" texts={config.ports} />],
              [words.volumes, <Several key="value" texts={config.volumes} />],
              [words.stopSignal, <Text key="value" text={config.stopSignal} />],
              [words.healthcheck, <Text key="value" text={config.healthcheck && execForm(config.healthcheck)} />],
            ]}
          />
        </Card>
      </Section>
      {config.environment.length > 0 && (
        <Section title={words.environment} description={words.environmentNote} level={3}>
          <NamedValues label={words.environment} values={config.environment} />
        </Section>
      )}
      {labels.length > 0 && (
        <Section title={words.labels} level={3}>
          <NamedValues label={words.labels} values={labels} />
        </Section>
      )}
    </>
  );
}

function Text({ text, unset }: { text: string | null; unset?: string }) {
  const words = useWords(imageWords);
  if (text === null || text === '') return <span className="text-muted">{unset ?? words.notSet}</span>;
  return <PushedText text={text} mono />;
}

const MOST_SHOWN = 50;

function Several({ texts }: { texts: readonly string[] }) {
  const words = useWords(imageWords);
  if (texts.length === 0) return <span className="text-muted">{words.notSet}</span>;
  return (
    <ul className="flex flex-wrap gap-x-3 gap-y-1">
      {texts.slice(0, MOST_SHOWN).map((text) => (
        <li key={text} className="min-w-0">
          <PushedText text={text} mono most={100} />
        </li>
      ))}
      {texts.length > MOST_SHOWN && <li>…</li>}
    </ul>
  );
}
