import { Link, useRouter, useSearch } from '@tanstack/react-router';
import { useEffect } from 'react';
import { ButtonLink } from '../kit/button.tsx';
import { Card, Notice } from '../kit/page.tsx';
import { useWords } from '../kit/words.tsx';
import { sessionChanged, useInstance, useSession } from '../session.tsx';
import { destinationOf } from './destination.ts';
import { Door } from './door.tsx';
import { LogInForm } from './log-in-form.tsx';
import { gettingInWords } from './words.ts';

export function LoginPage() {
  const words = useWords(gettingInWords);
  const { next, error } = useSearch({ from: '/login' });
  const router = useRouter();
  const user = useSession().data?.user;
  const instance = useInstance().data;
  const destination = destinationOf(next, location.origin);
  // A link to a provider's account that was not made leads here too; its reason is to be read.
  const leaves = user != null && error === undefined;
  useEffect(() => {
    if (leaves) router.history.replace(destination);
  }, [leaves, destination, router]);
  return (
    <Door title={words.logIn}>
      {error !== undefined && <ProviderRefusal error={error} linking={user != null} />}
      {instance?.setupNeeded && (
        <Notice tone="warn" title={words.setupFirst}>
          <p>{words.setupFirstWhat}</p>
        </Notice>
      )}
      {user == null && (
        <>
          <Card>
            <LogInForm next={destination} onDone={sessionChanged} />
          </Card>
          <div className="grid gap-2 text-sm text-muted">
            <p>{words.forgotten}</p>
            <p className="min-h-6">
              {instance?.signUp === 'open' && (
                <>
                  {words.noAccount}{' '}
                  <Link to="/signup" className="text-accent underline">
                    {words.signUp}
                  </Link>
                </>
              )}
            </p>
          </div>
        </>
      )}
    </Door>
  );
}

/** Why a log-in provider's answer let nobody in. */
function ProviderRefusal({ error, linking }: { error: string; linking: boolean }) {
  const words = useWords(gettingInWords);
  const reasons: Record<string, string> = words.reasons;
  const reason = Object.hasOwn(reasons, error) ? reasons[error] : words.reasons.failed;
  return (
    <div role="alert">
      <Notice tone="warn" title={linking ? words.linkTitle : words.providerTitle}>
        <p>{reason}</p>
        {linking && (
          <p className="flex flex-wrap gap-2">
            <ButtonLink to="/account/security">{words.toSecurity}</ButtonLink>
            <ButtonLink to="/" kind="quiet">
              {words.toStart}
            </ButtonLink>
          </p>
        )}
      </Notice>
    </div>
  );
}
