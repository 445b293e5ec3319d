import { useTexts } from '../texts';
import { care } from '../texts/care';
import classes from './care.module.css';
import { above, type Collection, type Entity, isTest, nameOf } from './entities';
import { EntityLink, ReferenceLink, StateBadge, TestBadge, useNames } from './parts';

/** An entity in a line: what it is, what it is called, where it stands. */
export function Hit({ collection, entity }: { collection: Collection; entity: Entity }) {
  const t = useTexts(care);
  const offers = useNames('offers');
  const name = nameOf(entity, offers);
  const top = above(collection, entity);
  return (
    <li className={classes.hit}>
      <span className={classes.kind}>{t.one[collection]}</span>
      <span className={classes.hitName}>
        <EntityLink collection={collection} refId={entity.refId}>
          <bdi>{name}</bdi>
        </EntityLink>{' '}
        {entity.externalId && entity.externalId !== name && <bdi className={classes.dimmed}>{entity.externalId}</bdi>}
        {isTest(entity) && <TestBadge />}
      </span>
      <StateBadge state={entity.state.state} />
      <span className={classes.dimmed}>
        {top && (
          <>
            {t.one[top.collection]} <ReferenceLink collection={top.collection} reference={top} />
          </>
        )}
      </span>
    </li>
  );
}
