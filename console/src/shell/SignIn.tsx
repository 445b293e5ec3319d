import { Anchor, Button, Code, Stack, Text, TextInput } from '@mantine/core';
import { useEffect, useRef, useState } from 'react';
import { asProblem, type Problem } from '../api/problem';
import { session, useSession } from '../api/session';
import { Dialog } from '../parts/Dialog';
import { ProblemAlert } from '../parts/ProblemAlert';
import { SecretInput } from '../parts/SecretInput';
import { useTexts } from '../texts';
import { shell } from '../texts/shell';

/**
 * Asks who calls when the server does. After the end of a session the page
 * stays beneath it, so nothing that was typed is lost.
 */
export function SignIn() {
  const t = useTexts(shell);
  const { needed, who } = useSession();
  const [withKey, setWithKey] = useState(false);
  const vouched = who?.user?.startsWith('oidc:');
  return (
    <Dialog
      opened={needed}
      onClose={() => {}}
      zIndex={300} // above the dialog that may be open
      withCloseButton={false}
      closeOnEscape={false}
      closeOnClickOutside={false}
      title={t.signIn}
      transitionProps={{ duration: 0 }}
    >
      <Stack gap="sm">
        <Text size="sm">{who ? t.ended(who.name) : withKey ? t.keyWhy : t.signInWhy}</Text>
        {needed && vouched && <Provider beside />}
        {withKey ? <KeyForm /> : <PasswordForm known={vouched ? undefined : who?.user} />}
        {needed && !vouched && <Provider beside={who !== undefined} />}
        <Anchor component="button" type="button" size="sm" underline="always" ta="start" onClick={() => setWithKey(!withKey)}>
          {withKey ? t.byPassword : t.byKey}
        </Anchor>
        {!who && (
          <div>
            <Text size="xs" c="dimmed" mb={4}>
              {withKey ? t.keyHow : t.signInHow}
            </Text>
            <Code block style={{ whiteSpace: 'pre-wrap' }}>
              {withKey ? 'casm key create --name … --role "Power User"' : 'casm user create … --name … --role "Organization Manager"'}
            </Code>
          </div>
        )}
      </Stack>
    </Dialog>
  );
}

/** Leads to the OIDC provider, where the server has one; `beside`: in a tab of its own, as the page holds what was typed. */
function Provider({ beside }: { beside: boolean }) {
  const t = useTexts(shell);
  const [there, setThere] = useState(false);
  useEffect(() => {
    // Without an answer the other ways are left.
    session.methods().then(
      (m) => setThere(m.oidc),
      () => setThere(false),
    );
  }, []);
  if (!there) return null;
  return beside ? (
    <Button
      component="a"
      variant="default"
      href={session.provider('/signed-in')}
      target="_blank"
      rel="noopener"
      onClick={session.forgetKey}
    >
      {t.byProviderBeside}
    </Button>
  ) : (
    <Button variant="default" onClick={() => session.toProvider()}>
      {t.byProvider}
    </Button>
  );
}

/** Sends what was entered; says what came of it. */
function useAttempt(send: () => Promise<void>) {
  const [problem, setProblem] = useState<Problem>();
  const [busy, setBusy] = useState(false);
  async function attempt() {
    setBusy(true);
    setProblem(undefined);
    try {
      await send();
    } catch (e) {
      setProblem(asProblem(e));
    }
    setBusy(false);
  }
  return { attempt, busy, problem };
}

/** User and password, named so that password managers know them. */
function PasswordForm({ known }: { known?: string }) {
  const t = useTexts(shell);
  const [user, setUser] = useState(known ?? '');
  const [password, setPassword] = useState('');
  const [checked, setChecked] = useState(false);
  const field = useRef<HTMLInputElement>(null);
  const { attempt, busy, problem } = useAttempt(() => session.signIn(user.trim(), password));
  useEffect(() => {
    if (problem) field.current?.select();
  }, [problem]);
  const wrong = problem?.status === 401; // either of the two: it is said once
  const missing = (text: string) => (checked && text === '' ? t.missing : undefined);
  return (
    <form
      noValidate
      onSubmit={(e) => {
        e.preventDefault();
        setChecked(true);
        if (user.trim() && password) void attempt();
      }}
    >
      <Stack gap="sm">
        <Refused problem={problem} />
        <TextInput
          label={t.user}
          name="username"
          autoComplete="username"
          autoCapitalize="none"
          spellCheck={false}
          value={user}
          onChange={(e) => setUser(e.currentTarget.value)}
          error={missing(user.trim()) ?? wrong}
          data-autofocus={known ? undefined : true}
        />
        <SecretInput
          ref={field}
          label={t.password}
          name="password"
          autoComplete="current-password"
          value={password}
          onChange={(e) => setPassword(e.currentTarget.value)}
          error={missing(password) ?? (wrong && t.wrongPassword)}
          data-autofocus={known ? true : undefined}
        />
        <Button type="submit" loading={busy}>
          {t.signIn}
        </Button>
      </Stack>
    </form>
  );
}

function KeyForm() {
  const t = useTexts(shell);
  const [key, setKey] = useState('');
  const [misshapen, setMisshapen] = useState(false);
  const { attempt, busy, problem } = useAttempt(() => session.signInWithKey(key.trim()));
  return (
    <form
      noValidate
      onSubmit={(e) => {
        e.preventDefault();
        // What is no header's value would not even be sent.
        const wrong = !/^[\x21-\x7e]+$/.test(key.trim());
        setMisshapen(wrong);
        if (!wrong) void attempt();
      }}
    >
      <Stack gap="sm">
        <Refused problem={problem} />
        <SecretInput
          label={t.key}
          value={key}
          onChange={(e) => setKey(e.currentTarget.value)}
          error={misshapen ? t.keyShape : problem?.status === 401 ? t.keyRefused : undefined}
          autoComplete="off"
          autoFocus
        />
        <Button type="submit" loading={busy}>
          {t.signIn}
        </Button>
      </Stack>
    </form>
  );
}

/** What is wrong with no field: 401 stands beside one. */
function Refused({ problem }: { problem?: Problem }) {
  const t = useTexts(shell);
  if (!problem || problem.status === 401) return null;
  if (problem.status === 429)
    return (
      <Text size="sm" c="var(--mantine-color-error)" role="alert">
        {t.tooMany(problem.retryAfter ?? 60)}
      </Text>
    );
  return <ProblemAlert problem={problem} />;
}
