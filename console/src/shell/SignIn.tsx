import { Anchor, Button, Code, PasswordInput, Stack, Text, TextInput } from '@mantine/core';
import { useEffect, useRef, useState } from 'react';
import { asProblem, type Problem } from '../api/problem';
import { session, useSession } from '../api/session';
import { Dialog } from '../parts/Dialog';
import { ProblemAlert } from '../parts/ProblemAlert';
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
  const known = who?.user?.startsWith('oidc:') ? undefined : who?.user; // they have no password here
  return (
    <Dialog
      opened={needed}
      onClose={() => {}}
      withCloseButton={false}
      closeOnEscape={false}
      closeOnClickOutside={false}
      title={t.signIn}
      transitionProps={{ duration: 0 }}
    >
      <Stack gap="sm">
        <Text size="sm">{who ? t.ended : withKey ? t.keyWhy : t.signInWhy}</Text>
        {withKey ? <KeyForm /> : <PasswordForm known={known} />}
        {needed && <Provider />}
        <Anchor component="button" type="button" size="sm" underline="always" ta="start" onClick={() => setWithKey(!withKey)}>
          {withKey ? t.byPassword : t.byKey}
        </Anchor>
        <Code block style={{ whiteSpace: 'pre-wrap' }}>
          {withKey ? t.keyHow : t.signInHow}
        </Code>
      </Stack>
    </Dialog>
  );
}

/** Leads to the OIDC provider, where the server has one. */
function Provider() {
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
  return (
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
          error={missing(user.trim())}
          data-autofocus={known ? undefined : true}
        />
        <PasswordInput
          ref={field}
          label={t.password}
          name="password"
          autoComplete="current-password"
          value={password}
          onChange={(e) => setPassword(e.currentTarget.value)}
          error={missing(password) ?? (problem?.status === 401 ? t.wrongPassword : undefined)}
          visibilityToggleButtonProps={{ 'aria-label': t.showPassword }}
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
        <PasswordInput
          label={t.key}
          value={key}
          onChange={(e) => setKey(e.currentTarget.value)}
          error={misshapen ? t.keyShape : problem?.status === 401 ? t.keyRefused : undefined}
          autoComplete="off"
          visibilityToggleButtonProps={{ 'aria-label': t.showPassword }}
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
