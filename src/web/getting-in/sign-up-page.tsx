import { Link, useLocation, useNavigate } from '@tanstack/react-router';
import { type ReactNode, useEffect, useState } from 'react';
import { Button, ButtonLink } from '../kit/button.tsx';
import { FormProblem, useAction } from '../kit/form.tsx';
import { Card, Notice } from '../kit/page.tsx';
import { Loaded } from '../kit/states.tsx';
import { useWords } from '../kit/words.tsx';
import { server } from '../server.ts';
import { sessionChanged, useInstance, useUser } from '../session.tsx';
import { Door } from './door.tsx';
import { NewAccountForm } from './new-account.tsx';
import { gettingInWords } from './words.ts';

export function SignUpPage() {
  const words = useWords(gettingInWords);
  const invitation = useInvitation();
  const instance = useInstance();
  const user = useUser();
  return (
    <Door title={words.signUpTitle}>
      <Loaded query={instance} rows={5} height="h-16">
        {({ signUp, setupNeeded }) => {
          if (user != null) return <LoggedInAlready name={user.username} />;
          if (setupNeeded) return <Closed title={words.setupFirst}>{words.setupFirstWhat}</Closed>;
          if (signUp === 'closed') return <Closed title={words.signUpClosed}>{words.signUpClosedWhat}</Closed>;
          if (signUp === 'invitation' && invitation === undefined) {
            return <Closed title={words.invitationNeeded}>{words.invitationNeededWhat}</Closed>;
          }
          return <SignUp invitation={invitation} />;
        }}
      </Loaded>
    </Door>
  );
}

/** The secret of an invitation's link, `/signup#invitation=…`. It leaves the address bar at once, and stays until the page is left. */
function useInvitation(): string | undefined {
  const { hash } = useLocation();
  const navigate = useNavigate();
  const inAddress = new URLSearchParams(hash).get('invitation') || undefined;
  const [invitation, setInvitation] = useState(inAddress);
  if (inAddress !== undefined && inAddress !== invitation) setInvitation(inAddress);
  useEffect(() => {
    if (inAddress !== undefined) void navigate({ to: '/signup', hash: '', replace: true });
  }, [inAddress, navigate]);
  return invitation;
}

function SignUp({ invitation }: { invitation: string | undefined }) {
  const words = useWords(gettingInWords);
  const navigate = useNavigate();
  return (
    <>
      <p>{invitation === undefined ? words.openWhat : words.invitedWhat}</p>
      <Card>
        <NewAccountForm
          action={words.signUp}
          emailHint={invitation === undefined ? words.emailHint : words.invitedEmailHint}
          make={(account) =>
            server.invitations.signUp({ ...account, ...(invitation === undefined ? {} : { invitation }) })
          }
          onDone={() => navigate({ to: '/' })}
        />
      </Card>
      <p className="text-sm text-muted">
        {words.haveAccount}{' '}
        <Link to="/login" search={{}} className="text-accent underline">
          {words.logIn}
        </Link>
      </p>
    </>
  );
}

function Closed({ title, children }: { title: string; children: ReactNode }) {
  const words = useWords(gettingInWords);
  return (
    <Notice title={title}>
      <p>{children}</p>
      <p>
        <ButtonLink to="/login" search={{}}>
          {words.logIn}
        </ButtonLink>
      </p>
    </Notice>
  );
}

function LoggedInAlready({ name }: { name: string }) {
  const words = useWords(gettingInWords);
  const logOut = useAction(async () => {
    await server.sessions.signOut();
    await sessionChanged();
  });
  return (
    <>
      <Notice title={words.loggedInAs(name)}>
        <p>{words.loggedInWhat}</p>
      </Notice>
      <div className="flex flex-wrap gap-2">
        <Button busy={logOut.busy} onClick={() => logOut.run()}>
          {words.logOut}
        </Button>
        <ButtonLink kind="quiet" to="/">
          {words.toStart}
        </ButtonLink>
      </div>
      <FormProblem problem={logOut.problem} />
    </>
  );
}
