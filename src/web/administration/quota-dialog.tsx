import { useState } from 'react';
import { Dialog } from '../kit/dialog.tsx';
import { CheckField, SelectField, TextField } from '../kit/field.tsx';
import { Form, useAction } from '../kit/form.tsx';
import { useWords } from '../kit/words.tsx';
import { quotaWords } from '../quotas/quota-words.ts';
import { SIZE_UNITS, type SizeUnit, shownSize, sizeOf } from '../quotas/size.ts';
import { queries, server } from '../server.ts';

/** Whose quota: a namespace's, one's that is yet to be named, or the default. */
export type QuotaHolder = { kind: 'namespace'; name: string | undefined } | { kind: 'default' };

export function QuotaDialog({
  holder,
  bytes,
  onClose,
}: {
  holder: QuotaHolder;
  bytes: number | null;
  onClose: () => void;
}) {
  const words = useWords(quotaWords);
  const shown = bytes === null ? undefined : shownSize(bytes);
  const [name, setName] = useState('');
  const [limited, setLimited] = useState(bytes !== null || holder.kind === 'namespace');
  const [amount, setAmount] = useState(shown?.amount ?? '');
  const [unit, setUnit] = useState<SizeUnit>(shown?.unit ?? 'GiB');
  const wanted = sizeOf(amount, unit);
  const namespace = holder.kind === 'namespace' ? (holder.name ?? name.trim()) : undefined;
  const save = useAction(
    async (size: number | null) => {
      if (namespace === undefined) await server.quotas.setDefault(size);
      else if (size !== null) await server.quotas.set(namespace, size);
    },
    async () => {
      await queries.invalidateQueries({ queryKey: ['quotas'] });
      onClose();
    },
  );
  const title =
    holder.kind === 'default' ? words.changeDefault : holder.name === undefined ? words.set : words.setOf(holder.name);
  return (
    <Dialog open onClose={onClose} title={title}>
      <Form
        action={words.save}
        busy={save.busy}
        problem={save.problem}
        disabled={namespace === '' || (limited && wanted === undefined)}
        onSend={() => save.run(limited ? (wanted ?? null) : null)}
      >
        {holder.kind === 'namespace' && holder.name === undefined && (
          <TextField
            label={words.namespace}
            hint={words.namespaceHint}
            required
            maxLength={64}
            autoComplete="off"
            autoCapitalize="none"
            spellCheck={false}
            value={name}
            onChange={(event) => setName(event.target.value)}
          />
        )}
        {holder.kind === 'default' && (
          <CheckField
            label={words.limit}
            hint={words.limitWhat}
            checked={limited}
            onChange={(event) => setLimited(event.target.checked)}
          />
        )}
        {limited && (
          <div className="grid grid-cols-[1fr_7rem] gap-3">
            <TextField
              label={words.amount}
              hint={words.amountHint}
              problem={amount !== '' && wanted === undefined ? words.amountWrong : undefined}
              inputMode="decimal"
              autoComplete="off"
              value={amount}
              onChange={(event) => setAmount(event.target.value)}
            />
            <SelectField
              label={words.unit}
              value={unit}
              onValue={setUnit}
              choices={(Object.keys(SIZE_UNITS) as SizeUnit[]).map((value) => ({ value, label: value }))}
            />
          </div>
        )}
      </Form>
    </Dialog>
  );
}
