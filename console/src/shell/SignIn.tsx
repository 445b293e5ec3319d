import { Button, Code, PasswordInput, Stack, Text } from '@mantine/core';
import { useEffect, useState } from 'react';
import { queryClient } from '../api/client';
import { session, useSession } from '../api/session';
import { Dialog } from '../parts/Dialog';
import { useTexts } from '../texts';
import { shell } from '../texts/shell';

/**
 * Asks for a key when the server asks who calls. The page stays beneath it, so
 * nothing that was typed is lost. Signing in of people belongs here too, when
 * the server has it.
 */
export function SignIn() {
  const t = useTexts(shell);
  const { needed, signedIn } = useSession();
  const [key, setKey] = useState('');
  const [misshapen, setMisshapen] = useState(false);
  useEffect(() => {
    if (!needed) setKey('');
  }, [needed]);
  const error = misshapen ? t.keyShape : needed && signedIn ? t.keyRefused : undefined;
  return (
    <Dialog opened={needed} onClose={() => {}} withCloseButton={false} closeOnEscape={false} closeOnClickOutside={false} title={t.signIn}>
      <form
        onSubmit={(e) => {
          e.preventDefault();
          const given = key.trim();
          const wrong = !/^[\x21-\x7e]+$/.test(given);
          setMisshapen(wrong);
          if (wrong) return;
          session.signIn(given);
          void queryClient.resetQueries();
        }}
      >
        <Stack gap="sm">
          <Text size="sm">{t.signInWhy}</Text>
          <PasswordInput
            label={t.key}
            value={key}
            onChange={(e) => setKey(e.currentTarget.value)}
            error={error}
            autoComplete="off"
            data-autofocus
          />
          <Code block style={{ whiteSpace: 'pre-wrap' }}>
            {t.signInHow}
          </Code>
          <Button type="submit">{t.signIn}</Button>
        </Stack>
      </form>
    </Dialog>
  );
}
