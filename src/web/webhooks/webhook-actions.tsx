import { useNavigate } from '@tanstack/react-router';
import { Ellipsis } from 'lucide-react';
import { useState } from 'react';
import type { WebhookInfo } from '../../api/webhooks.ts';
import { Button } from '../kit/button.tsx';
import { ConfirmDialog, Dialog } from '../kit/dialog.tsx';
import { FormProblem, useAction } from '../kit/form.tsx';
import { Menu } from '../kit/menu.tsx';
import { useWords } from '../kit/words.tsx';
import { queries, server } from '../server.ts';
import { placeLink, placeOf } from './place.ts';
import { SecretDialog, type ShownSecret } from './secret-dialog.tsx';
import { WebhookForm, type WebhookWishes } from './webhook-form.tsx';
import { webhookWords } from './webhook-words.ts';

/** What can be done with a webhook. @param onTested told of the delivery of a test */
export function WebhookActions({ webhook, onTested }: { webhook: WebhookInfo; onTested: (delivery: string) => void }) {
  const words = useWords(webhookWords);
  const [open, setOpen] = useState<'change' | 'rotate' | 'disable' | 'delete'>();
  const [shown, setShown] = useState<ShownSecret>();
  const close = () => setOpen(undefined);
  const { id, enabled } = webhook;
  const test = useAction(
    () => server.webhooks.test(id),
    async (delivery) => {
      onTested(delivery);
      await changed();
    },
  );
  const enable = useAction(() => server.webhooks.change(id, { enabled: true }), changed);
  return (
    <>
      {enabled ? (
        <Button kind="primary" busy={test.busy} onClick={() => test.run()}>
          {words.sendTest}
        </Button>
      ) : (
        <Button kind="primary" busy={enable.busy} onClick={() => enable.run()}>
          {words.enable}
        </Button>
      )}
      <Button onClick={() => setOpen('change')}>{words.change}</Button>
      <Menu
        label={words.more}
        className="grid size-10 place-items-center rounded-md border border-edge bg-surface hover:bg-hover"
        trigger={<Ellipsis className="size-5" aria-hidden="true" />}
        entries={[
          { label: words.rotate, onSelect: () => setOpen('rotate') },
          ...(enabled ? [{ label: words.disable, onSelect: () => setOpen('disable') }] : []),
          { label: words.delete, danger: true, onSelect: () => setOpen('delete') },
        ]}
      />
      <div className="basis-full empty:hidden">
        <FormProblem problem={test.problem ?? enable.problem} />
      </div>
      <Dialog wide open={open === 'change'} onClose={close} title={words.changeTitle}>
        <ChangeWebhook webhook={webhook} onDone={close} />
      </Dialog>
      {open === 'rotate' && (
        <Rotate
          id={id}
          onClose={close}
          onRotated={(secret) => {
            close();
            setShown(secret);
          }}
        />
      )}
      {open === 'disable' && <Disable id={id} onClose={close} />}
      {open === 'delete' && <Delete webhook={webhook} onClose={close} />}
      {shown !== undefined && <SecretDialog shown={shown} onClose={() => setShown(undefined)} />}
    </>
  );
}

function changed(): Promise<void> {
  return queries.invalidateQueries({ queryKey: ['webhooks'] });
}

function ChangeWebhook({ webhook, onDone }: { webhook: WebhookInfo; onDone: () => void }) {
  const words = useWords(webhookWords);
  const save = useAction(
    ({ url, authorization, ...wishes }: WebhookWishes) =>
      server.webhooks.change(webhook.id, {
        ...wishes,
        // Who gives an address answers for it: what was not changed stays with who did.
        ...(url === webhook.url ? {} : { url }),
        ...(authorization === undefined ? {} : { authorization }),
      }),
    async (now) => {
      queries.setQueryData(['webhooks', 'one', webhook.id], now);
      onDone();
      await changed();
    },
  );
  return (
    <WebhookForm webhook={webhook} action={words.save} busy={save.busy} problem={save.problem} onSend={save.run} />
  );
}

function Rotate({
  id,
  onClose,
  onRotated,
}: {
  id: string;
  onClose: () => void;
  onRotated: (shown: ShownSecret) => void;
}) {
  const words = useWords(webhookWords);
  const rotate = useAction(() => server.webhooks.rotateSecret(id), onRotated);
  return (
    <ConfirmDialog
      open
      danger={false}
      onClose={onClose}
      title={words.rotate}
      action={words.rotate}
      busy={rotate.busy}
      problem={rotate.problem}
      onConfirm={() => rotate.run()}
    >
      <p>{words.rotateWhat}</p>
    </ConfirmDialog>
  );
}

function Disable({ id, onClose }: { id: string; onClose: () => void }) {
  const words = useWords(webhookWords);
  const disable = useAction(
    () => server.webhooks.change(id, { enabled: false }),
    async () => {
      onClose();
      await changed();
    },
  );
  return (
    <ConfirmDialog
      open
      onClose={onClose}
      title={words.disable}
      action={words.disable}
      busy={disable.busy}
      problem={disable.problem}
      onConfirm={() => disable.run()}
    >
      <p>{words.disableWhat}</p>
    </ConfirmDialog>
  );
}

function Delete({ webhook, onClose }: { webhook: WebhookInfo; onClose: () => void }) {
  const words = useWords(webhookWords);
  const navigate = useNavigate();
  const remove = useAction(
    () => server.webhooks.delete(webhook.id),
    async () => {
      await navigate(placeLink(placeOf(webhook)));
      queries.removeQueries({ queryKey: ['webhooks', 'one', webhook.id] });
      await queries.invalidateQueries({ queryKey: ['webhooks', 'list'] });
    },
  );
  return (
    <ConfirmDialog
      open
      onClose={onClose}
      title={words.delete}
      action={words.deleteAction}
      busy={remove.busy}
      problem={remove.problem}
      onConfirm={() => remove.run()}
    >
      <p className="break-all">{webhook.url}</p>
      <p>{words.deleteWhat}</p>
    </ConfirmDialog>
  );
}
