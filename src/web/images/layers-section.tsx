import { useState } from 'react';
import type { ImageLayer } from '../../api/images.ts';
import { Button } from '../kit/button.tsx';
import { classes } from '../kit/classes.ts';
import { DigestText } from '../kit/copy.tsx';
import { Bytes, formatBytes } from '../kit/figures.tsx';
import { Section } from '../kit/page.tsx';
import { Table } from '../kit/table.tsx';
import { useLanguage, useWords } from '../kit/words.tsx';
import { formatShare, LayerBar, layerColour } from './layer-bar.tsx';
import { type Step, stepsOf, stepText, storedLayers } from './layers.ts';
import { PushedText } from './pushed-text.tsx';
import { imageWords } from './words.ts';

const AT_ONCE = 200;

/** The layers of an image as a bar of sizes, and beneath it each with the command that made it. */
export function LayersSection({ layers }: { layers: readonly ImageLayer[] }) {
  const words = useWords(imageWords);
  const { language } = useLanguage();
  const [most, setMost] = useState(AT_ONCE);
  const stored = storedLayers(layers);
  const steps = stepsOf(layers).map((step, index) => ({ step, key: String(index) }));
  if (steps.length === 0) {
    return (
      <Section title={words.layers}>
        <p className="text-muted">{words.noLayers}</p>
      </Section>
    );
  }
  const total = stored.reduce((sum, { size }) => sum + size, 0);
  return (
    <Section title={words.layers} description={words.layersSummary(stored.length, formatBytes(total))}>
      {stored.length > 0 && <LayerBar layers={stored} />}
      <Table
        label={words.layers}
        rows={steps.slice(0, most)}
        rowKey={({ key }) => key}
        columns={[
          { key: 'number', head: words.number, cell: ({ step }) => <LayerNumber step={step} /> },
          { key: 'size', head: words.size, end: true, cell: ({ step }) => <StepSize step={step} /> },
          {
            key: 'share',
            head: words.share,
            end: true,
            cell: ({ step }) => (step.digest === null ? <None /> : formatShare(step.share, language)),
          },
          { key: 'command', head: words.madeBy, cell: ({ step }) => <StepCommand step={step} /> },
          {
            key: 'digest',
            head: words.digest,
            cell: ({ step }) => (step.digest === null ? <None /> : <DigestText digest={step.digest} />),
          },
        ]}
      />
      {steps.length > most && (
        <div className="mt-3">
          <Button onClick={() => setMost(most + AT_ONCE)}>
            {words.showMore(Math.min(AT_ONCE, steps.length - most))}
          </Button>
        </div>
      )}
    </Section>
  );
}

/** Where a step without a layer has nothing to say. */
function None() {
  return <span className="text-muted">–</span>;
}

function LayerNumber({ step }: { step: Step }) {
  if (step.digest === null) return <None />;
  return (
    <span className="inline-flex items-center gap-2 tabular-nums">
      <span className={classes('size-3 shrink-0 rounded-sm', layerColour(step.number))} aria-hidden="true" />
      {step.number}
    </span>
  );
}

function StepSize({ step }: { step: Step }) {
  const words = useWords(imageWords);
  if (step.digest === null) return <span className="text-sm whitespace-nowrap text-muted">{words.noLayer}</span>;
  return <Bytes bytes={step.size} />;
}

/** A command is cut at this, in characters, until it is asked for. */
const COMMAND_SHOWN = 160;

export function StepCommand({ step }: { step: Pick<Step, 'command' | 'digest'> }) {
  const words = useWords(imageWords);
  const text = stepText(step.command);
  if (text === '') return <span className="text-muted">{words.noCommand}</span>;
  return <PushedText text={text} mono muted={step.digest === null} most={COMMAND_SHOWN} />;
}
