import {
  ActionIcon,
  AppShell,
  Burger,
  Group,
  NativeSelect,
  Text,
  useComputedColorScheme,
  useMantineColorScheme,
  VisuallyHidden,
} from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import { Link, Outlet, useLocation, useNavigate, useRouter } from '@tanstack/react-router';
import { Suspense, useEffect, useState } from 'react';
import { asProblem } from '../api/problem';
import { session, useSession } from '../api/session';
import { Loading } from '../parts/Loading';
import { useNotify } from '../parts/notify';
import { type Perspective, perspectiveOf, usePerspectives } from '../perspectives';
import { type Language, languages, useLanguage, useTexts } from '../texts';
import { shell } from '../texts/shell';
import { Commands, openCommands } from './Commands';
import { Menu } from './Menu';
import { SignIn } from './SignIn';
import classes from './shell.module.css';

/** What stands around every page: perspective, menu, language, colours, commands. */
export function Shell() {
  const t = useTexts(shell);
  const { who, needed } = useSession();
  const offered = usePerspectives();
  const navigate = useNavigate();
  const { pathname } = useLocation();
  const [opened, { toggle, close }] = useDisclosure();
  const [last, setLast] = useState<Perspective>('integration');
  const here = perspectiveOf(pathname);
  const perspective = offered.find((p) => p.name === (here ?? last)) ?? offered[0]!;
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
                value={perspective.name}
                onChange={(e) => {
                  const name = e.currentTarget.value as Perspective;
                  setLast(name);
                  void navigate({ to: offered.find((p) => p.name === name)!.first });
                }}
                data={offered.map(({ name }) => ({ value: name, label: t.perspectives[name] }))}
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
        <Menu groups={perspective.groups} path={pathname} />
        <Group gap="xs" hiddenFrom="sm" mt="md">
          <Preferences />
        </Group>
      </AppShell.Navbar>
      <AppShell.Main id="content" tabIndex={-1}>
        {(who || !needed) && (
          <Suspense key={who?.actor} fallback={<Loading />}>
            <Outlet />
          </Suspense>
        )}
      </AppShell.Main>
      <Commands />
      <SignIn />
    </AppShell>
  );
}

function Preferences() {
  const t = useTexts(shell);
  const { language, setLanguage } = useLanguage();
  return (
    <>
      <NativeSelect
        size="xs"
        aria-label={t.language}
        value={language}
        onChange={(e) => setLanguage(e.currentTarget.value as Language)}
        data={Object.entries(languages).map(([value, label]) => ({ value, label }))}
      />
      <Who />
    </>
  );
}

/** Who is signed in, and the way out. Leaving a form asks first, as it does elsewhere. */
function Who() {
  const t = useTexts(shell);
  const { who } = useSession();
  const navigate = useNavigate();
  const router = useRouter();
  const notify = useNotify();
  if (!who || who.dev) return null;
  async function leave() {
    await navigate({ to: '/' });
    if (router.state.location.pathname !== '/') return;
    await session.signOut().catch((e) => notify(`${t.notSignedOut} ${asProblem(e).message}`, 'red'));
  }
  return (
    <>
      <span className={classes.who} title={`${t.signedInAs} ${who.name} (${who.actor})`}>
        <VisuallyHidden>{t.signedInAs} </VisuallyHidden>
        <bdi>{who.name}</bdi>
      </span>
      <button type="button" className={classes.link} onClick={() => void leave()}>
        {t.signOut}
      </button>
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
