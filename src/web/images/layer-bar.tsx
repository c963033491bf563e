import { type KeyboardEvent, useRef, useState } from 'react';
import { classes } from '../kit/classes.ts';
import { formatBytes } from '../kit/figures.tsx';
import { useLanguage, useWords } from '../kit/words.tsx';
import { type StoredLayer, stepText } from './layers.ts';
import { inOneLine } from './pushed-text.tsx';
import { imageWords } from './words.ts';

const COLOURS = ['bg-layer-1', 'bg-layer-2', 'bg-layer-3', 'bg-layer-4', 'bg-layer-5', 'bg-layer-6'];

export function layerColour(number: number): string {
  return COLOURS[(number - 1) % COLOURS.length] ?? '';
}

/** `12 %` */
export function formatShare(share: number, language: string): string {
  const digits = share > 0 && share < 0.1 ? 1 : 0;
  return new Intl.NumberFormat(language, { style: 'percent', maximumFractionDigits: digits }).format(share);
}

/** So many have room for a line between them, on a phone too. */
const FEW = 40;

/** A stop for the Tab key; within it the arrows move. What is pointed at is said beneath. */
export function LayerBar({ layers }: { layers: readonly StoredLayer[] }) {
  const words = useWords(imageWords);
  const { language } = useLanguage();
  const [pointed, setPointed] = useState<number>();
  const [stop, setStop] = useState(0);
  const bar = useRef<HTMLDivElement>(null);
  const said = (layer: StoredLayer) => inOneLine(stepText(layer.command), 200) || words.noCommand;
  const move = (event: KeyboardEvent) => {
    const to = {
      ArrowRight: stop + 1,
      ArrowLeft: stop - 1,
      Home: 0,
      End: layers.length - 1,
    }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    bar.current?.querySelectorAll('button')[Math.min(Math.max(to, 0), layers.length - 1)]?.focus();
  };
  const shown = pointed === undefined ? undefined : layers[pointed];
  return (
    <div className="mb-4">
      {/* biome-ignore lint/a11y/useSemanticElements: a fieldset is for a form's fields */}
      <div
        ref={bar}
        role="group"
        aria-label={words.layerBar}
        className="flex h-10 w-full overflow-hidden rounded-md border border-line bg-sunken"
        onKeyDown={move}
        onPointerLeave={() => setPointed(undefined)}
      >
        {layers.map((layer, index) => (
          <button
            key={layer.number}
            type="button"
            tabIndex={index === stop ? 0 : -1}
            aria-label={words.layerOf(
              layer.number,
              formatBytes(layer.size),
              formatShare(layer.share, language),
              said(layer),
            )}
            className={classes(
              layerColour(layer.number),
              'h-full focus-visible:relative focus-visible:outline-offset-[-3px] focus-visible:outline-surface',
              layers.length <= FEW && 'border-r border-surface last:border-r-0',
              pointed === index && 'opacity-75',
            )}
            // Every layer is to be seen, however small, and none pushes another out.
            style={{ flex: `${layer.share} 1 0px`, minWidth: `min(0.5rem, ${60 / layers.length}%)` }}
            onPointerEnter={() => setPointed(index)}
            onFocus={() => {
              setPointed(index);
              setStop(index);
            }}
            onBlur={() => setPointed(undefined)}
            onClick={() => setPointed(index)}
          />
        ))}
      </div>
      <div className="mt-2 h-11 overflow-hidden text-sm" aria-hidden="true">
        {shown === undefined ? (
          <p className="text-muted">{words.point}</p>
        ) : (
          <>
            <p className="flex items-center gap-2">
              <span className={classes('size-3 shrink-0 rounded-sm', layerColour(shown.number))} />
              <strong>{words.layer(shown.number)}</strong>
              <span>{formatBytes(shown.size)}</span>
              <span className="text-muted">{formatShare(shown.share, language)}</span>
            </p>
            <p className="truncate font-mono">
              <bdi>{said(shown)}</bdi>
            </p>
          </>
        )}
      </div>
    </div>
  );
}
