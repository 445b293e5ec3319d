import { Anchor, Button, Code, CopyButton } from '@mantine/core';
import { Link } from '@tanstack/react-router';
import { useMay } from '../api/session';
import { curl } from '../operations/about';
import { useTexts } from '../texts';
import { first } from '../texts/first';
import { shell } from '../texts/shell';
import classes from './first.module.css';

const customer = `-H 'Content-Type: application/json' -d '{
    "requestId": "first-1", "externalId": "first_customer",
    "customerProfile": "b2b", "customName": "First Customer"
  }'`;

/** What to do next, with commands that work as they stand. */
export function Steps({ used }: { used: boolean }) {
  const t = useTexts(first);
  const may = useMay();
  const reference = useTexts(shell).reference;
  return (
    <section className={classes.card} aria-label={t.steps}>
      <h2>{t.steps}</h2>
      <ol className={classes.steps}>
        {!used && may('casm:write') && (
          <li>
            <b>{t.stepCustomer}.</b>{' '}
            <Anchor underline="always" component={Link} to="/care">
              {t.open}
            </Anchor>
            , {t.orShell}
            <Command text={curl('/v1/casm/customers/create', customer)} />
          </li>
        )}
        <li>
          <b>{t.stepWatch}.</b> {t.stepWatchWhy}{' '}
          <Anchor underline="always" component={Link} to="/operations/transactions">
            {t.allOf}
          </Anchor>
          , {t.orShell}
          <Command text={curl('/v1/business-transactions/stream?after=0', '-N')} />
        </li>
        <li>
          <b>{t.stepReference}.</b> {t.stepReferenceWhy}{' '}
          <Anchor underline="always" href="/docs">
            {reference}
          </Anchor>
          .
        </li>
      </ol>
    </section>
  );
}

function Command({ text }: { text: string }) {
  const t = useTexts(first);
  return (
    <div className={classes.curl}>
      <Code block my={4} className={classes.curl}>
        {text}
      </Code>
      <CopyButton value={text}>
        {({ copied, copy }) => (
          <Button size="compact-xs" variant="default" onClick={copy} aria-live="polite">
            {copied ? t.copied : t.copy}
          </Button>
        )}
      </CopyButton>
    </div>
  );
}
