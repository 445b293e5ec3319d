import { Text } from '@mantine/core';
import { useEffect } from 'react';
import { session } from '../api/session';
import { Page } from '../parts/Page';
import { useTexts } from '../texts';
import { shell } from '../texts/shell';

/** Where a tab ends that was opened to sign in beside another. */
export function SignedIn() {
  const t = useTexts(shell);
  useEffect(session.announce, []);
  return (
    <Page title={t.signedIn}>
      <Text>{t.signedInHow}</Text>
    </Page>
  );
}
