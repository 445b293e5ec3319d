import { ActionIcon, AppShell, Burger, Group, NativeSelect, Text, useComputedColorScheme, useMantineColorScheme } from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import { Link, Outlet, useLocation, useNavigate } from '@tanstack/react-router';
import { Suspense, useEffect, useState } from 'react';
import { session, useSession } from '../api/session';
import { Loading } from '../parts/Loading';
import { type Perspective, perspectiveNames, perspectiveOf, perspectives } from '../perspectives';
import { type Language, languages, useLanguage, useTexts } from '../texts';
import { shell } from '../texts/shell';
import { Commands, openCommands } from './Commands';
import { Menu } from './Menu';
import { SignIn } from './SignIn';
import classes from './shell.module.css';

/** What stands around every page: perspective, menu, language, colours, commands. */
export function Shell() {
  const t = useTexts(shell);
  const { language } = useLanguage();
  const navigate = useNavigate();
  const { pathname } = useLocation();
  const [opened, { toggle, close }] = useDisclosure();
  const [last, setLast] = useState<Perspective>('integration');
  const here = perspectiveOf(pathname);
  const perspective = here ?? last;
  useEffect(() => {
    if (here) setLast(here);
  }, [here]);
  useEffect(close, [pathname]);

  return (
    <AppShell header={{ height: 48 }} navbar={{ width: 232, breakpoint: 'sm', collapsed: { mobile: !opened } }} padding="md">
      <a className="skip" href="#content">
        {t.skip}
      </a>
      <AppShell.Header>
        <Group h="100%" px="sm" gap="xs" wrap="nowrap" justify="space-between">
          <Group gap="xs" wrap="nowrap" miw={0}>
            <Burger opened={opened} onClick={toggle} hiddenFrom="sm" size="sm" aria-label={t.openMenu} aria-expanded={opened} />
            <Link to="/" className={classes.brand} aria-label={`casm, ${t.home}`}>
              casm
            </Link>
            <label htmlFor="perspective" className={classes.switch}>
              <Text span size="sm" c="dimmed" className={classes.wide}>
                {t.perspective}
              </Text>
              <NativeSelect
                id="perspective"
                size="xs"
                aria-label={t.perspective}
                className={classes.select}
                value={perspective}
                onChange={(e) => {
                  const name = e.currentTarget.value as Perspective;
                  setLast(name);
                  void navigate({ to: perspectives[name](language)[0]!.entries[0]!.path });
                }}
                data={perspectiveNames.map((name) => ({ value: name, label: t.perspectives[name] }))}
              />
            </label>
          </Group>
          <Group gap={4} wrap="nowrap">
            <ActionIcon variant="subtle" color="gray" aria-label={t.commands} title={t.commands} onClick={openCommands}>
              <Glyph path="M10.5 10.5 14 14M12 7A5 5 0 1 1 2 7a5 5 0 0 1 10 0Z" />
            </ActionIcon>
            <ColourSwitch />
            <Group gap={4} wrap="nowrap" visibleFrom="sm">
              <Preferences />
            </Group>
          </Group>
        </Group>
      </AppShell.Header>
      <AppShell.Navbar p="xs" aria-label={t.menu} className={classes.navbar}>
        <Menu groups={perspectives[perspective](language)} path={pathname} />
        <Group gap="xs" hiddenFrom="sm" mt="md">
          <Preferences />
        </Group>
      </AppShell.Navbar>
      <AppShell.Main id="content" tabIndex={-1}>
        <Suspense fallback={<Loading />}>
          <Outlet />
        </Suspense>
      </AppShell.Main>
      <Commands />
      <SignIn />
    </AppShell>
  );
}

function Preferences() {
  const t = useTexts(shell);
  const { language, setLanguage } = useLanguage();
  const { signedIn } = useSession();
  return (
    <>
      <NativeSelect
        size="xs"
        aria-label={t.language}
        value={language}
        onChange={(e) => setLanguage(e.currentTarget.value as Language)}
        data={Object.entries(languages).map(([value, label]) => ({ value, label }))}
      />
      {signedIn && (
        <button type="button" className={classes.link} onClick={session.signOut}>
          {t.signOut}
        </button>
      )}
    </>
  );
}

function ColourSwitch() {
  const t = useTexts(shell);
  const { setColorScheme } = useMantineColorScheme();
  const dark = useComputedColorScheme('light') === 'dark';
  const label = dark ? t.light : t.dark;
  return (
    <ActionIcon variant="subtle" color="gray" aria-label={label} title={label} onClick={() => setColorScheme(dark ? 'light' : 'dark')}>
      <Glyph path="M8 2a6 6 0 1 0 0 12A6 6 0 0 0 8 2Zm0 0v12" />
    </ActionIcon>
  );
}

function Glyph({ path }: { path: string }) {
  return (
    <svg
      width="16"
      height="16"
      viewBox="0 0 16 16"
      fill="none"
      stroke="currentColor"
      strokeWidth="1.5"
      strokeLinecap="round"
      aria-hidden="true"
    >
      <path d={path} />
    </svg>
  );
}
