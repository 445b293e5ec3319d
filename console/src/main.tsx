import '@mantine/core/styles.css';
import '@mantine/notifications/styles.css';
import '@mantine/spotlight/styles.css';
import './theme.css';
import { MantineProvider } from '@mantine/core';
import { Notifications } from '@mantine/notifications';
import { QueryClientProvider } from '@tanstack/react-query';
import { RouterProvider } from '@tanstack/react-router';
import { setNonce } from 'get-nonce';
import { StrictMode, useEffect, useState } from 'react';
import { createRoot } from 'react-dom/client';
import { queryClient } from './api/client';
import { Problem } from './api/problem';
import { session } from './api/session';
import { router } from './router';
import { LanguageContext, preferredLanguage, rememberLanguage } from './texts';
import { colours, theme } from './theme';

// The policy allows style sheets of this page only: whoever adds one at run
// time must show the nonce that the server gave with the page.
const nonce = document.querySelector<HTMLMetaElement>('meta[property=csp-nonce]')?.nonce ?? '';
setNonce(nonce);

function Console() {
  const [language, setLanguage] = useState(preferredLanguage);
  useEffect(() => {
    document.documentElement.lang = language;
  }, [language]);
  return (
    <LanguageContext
      value={{
        language,
        setLanguage: (l) => {
          rememberLanguage(l);
          setLanguage(l);
        },
      }}
    >
      <MantineProvider theme={theme} cssVariablesResolver={colours} defaultColorScheme="auto" getStyleNonce={() => nonce}>
        <Notifications position="bottom-right" />
        <QueryClientProvider client={queryClient}>
          <RouterProvider router={router} />
        </QueryClientProvider>
      </MantineProvider>
    </LanguageContext>
  );
}

// Another tab may have signed in or out.
document.addEventListener('visibilitychange', () => {
  if (document.visibilityState === 'visible') void session.load();
});

await session.load();
createRoot(document.getElementById('root')!, {
  // A refusal by the server is shown in the page; it is no mistake of the console.
  onCaughtError: (error) => {
    if (!(error instanceof Problem)) console.error(error);
  },
}).render(
  <StrictMode>
    <Console />
  </StrictMode>,
);
