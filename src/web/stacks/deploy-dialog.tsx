import { useInfiniteQuery, useQuery } from '@tanstack/react-query';
import { useEffect, useId, useState } from 'react';
import type { EnvironmentStatus } from '../../api/deployments.ts';
import type { ReleaseInfo } from '../../api/releases.ts';
import type { EnvironmentInfo, StackInfo } from '../../api/stacks.ts';
import type { StackName } from '../../client/stacks.ts';
import { Button } from '../kit/button.tsx';
import { SelectField, TextField } from '../kit/field.tsx';
import { FormProblem } from '../kit/form.tsx';
import { useWords } from '../kit/words.tsx';
import { server } from '../server.ts';
import { Choices } from './choices.tsx';
import { imagesLine } from './image-text.tsx';
import { planWords } from './plan-words.ts';
import { PlannedDialog, type Wish } from './planned-dialog.tsx';
import { type EnvironmentPlace, rightsOf, stackKey } from './queries.ts';
import { trackingLine } from './tracking.ts';
import { stackWords } from './words.ts';

type Way = 'newest' | 'release' | 'images';

/** @param release chosen already, where it is opened from a release */
export function DeployDialog({
  place,
  stack,
  environment,
  status,
  release: given,
  onClose,
}: {
  place: EnvironmentPlace;
  stack: StackInfo;
  environment: EnvironmentInfo;
  status: EnvironmentStatus | undefined;
  release?: number;
  onClose: () => void;
}) {
  const words = useWords(planWords);
  const names = useWords(stackWords);
  const [way, setWay] = useState<Way>(given === undefined ? 'newest' : 'release');
  const [release, setRelease] = useState(given);
  const [images, setImages] = useState<Record<string, string>>({});
  const settled = useSettled(images);
  const tracked = trackingLine(environment.track);
  return (
    <PlannedDialog
      place={place}
      status={status}
      title={names.deploy(place.environment)}
      action={names.deploy(place.environment)}
      wish={wishOf(way, release, settled)}
      mayForce={rightsOf(stack).administer}
      onClose={onClose}
    >
      <Choices
        label={words.what}
        value={way}
        onValue={setWay}
        choices={[
          {
            value: 'newest',
            label: tracked === '' ? words.newestOfFile : words.newest,
            ...(tracked === '' ? {} : { hint: words.newestHint(tracked) }),
          },
          {
            value: 'release',
            label: words.aRelease,
            more: <ReleaseChoice place={place} value={release} onValue={setRelease} />,
          },
          {
            value: 'images',
            label: words.chosenImages,
            more: (
              <div className="grid gap-3">
                {stack.services.map(({ name, repository }) =>
                  repository === null ? null : (
                    <ImageChoice
                      key={name}
                      service={name}
                      repository={repository}
                      value={images[name] ?? ''}
                      onValue={(value) => setImages({ ...images, [name]: value })}
                    />
                  ),
                )}
                {Object.values(settled).every((value) => value === '') && (
                  <p className="text-sm text-muted">{words.chooseOne}</p>
                )}
              </div>
            ),
          },
        ]}
      />
    </PlannedDialog>
  );
}

function wishOf(way: Way, release: number | undefined, images: Record<string, string>): Wish | undefined {
  if (way === 'newest') return { kind: 'deploy' };
  if (way === 'release') return release === undefined ? undefined : { kind: 'deploy', release };
  const chosen = Object.fromEntries(Object.entries(images).filter(([, value]) => value !== ''));
  return Object.keys(chosen).length === 0 ? undefined : { kind: 'deploy', images: chosen };
}

const RELEASES = 50;

/** The releases of a stack, newest first, as many as were asked for. */
export function useReleases(place: StackName, size = RELEASES) {
  return useInfiniteQuery({
    queryKey: stackKey(place, 'releases', size),
    queryFn: ({ pageParam }) => server.releases.page(place, { n: String(size), ...(pageParam && { last: pageParam }) }),
    initialPageParam: '',
    getNextPageParam: ({ next }) => next ?? undefined,
  });
}

function ReleaseChoice({
  place,
  value,
  onValue,
}: {
  place: StackName;
  value: number | undefined;
  onValue: (release: number) => void;
}) {
  const words = useWords(planWords);
  const names = useWords(stackWords);
  const query = useReleases(place);
  const releases = query.data?.pages.flatMap((page) => page.releases) ?? [];
  const usable = releases.filter(({ expiredAt, number }) => expiredAt === null || number === value);
  const newest = usable[0]?.number;
  useEffect(() => {
    if (value === undefined && newest !== undefined) onValue(newest);
  }, [value, newest, onValue]);
  if (query.error !== null) return <FormProblem problem={query.error} />;
  if (query.data !== undefined && releases.length === 0)
    return <p className="text-sm text-muted">{words.noReleases}</p>;
  const text = ({ number, version, images }: ReleaseInfo) =>
    `${version === null ? names.release(number) : names.releaseNamed(number, version)}: ${imagesLine(images)}`;
  // One that is chosen already may be older than those that were loaded.
  const listed = usable.map((each) => ({ value: String(each.number), label: text(each) }));
  const missing = value !== undefined && !usable.some(({ number }) => number === value);
  return (
    <div className="grid gap-2">
      <SelectField
        label={words.releaseField}
        value={String(value ?? '')}
        onValue={(chosen) => onValue(Number(chosen))}
        choices={missing ? [{ value: String(value), label: names.release(value) }, ...listed] : listed}
      />
      {query.hasNextPage && (
        <div>
          <Button small busy={query.isFetchingNextPage} onClick={() => void query.fetchNextPage()}>
            {words.moreReleases}
          </Button>
        </div>
      )}
    </div>
  );
}

/** A tag or a digest; tags that hold what was typed are suggested. */
export function ImageChoice({
  service,
  repository,
  value,
  onValue,
}: {
  service: string;
  repository: string;
  value: string;
  onValue: (value: string) => void;
}) {
  const words = useWords(planWords);
  const list = useId();
  const typed = useSettled(value);
  const tags = useQuery({
    queryKey: ['repositories', repository, 'suggested', typed],
    queryFn: () => server.tags.page(repository, { q: typed, n: '20', sort: 'updated', order: 'desc' }),
    enabled: typed.length <= 128,
  });
  return (
    <>
      <TextField
        label={words.imageField(service)}
        hint={words.imageHint(repository)}
        value={value}
        list={list}
        autoComplete="off"
        autoCapitalize="none"
        spellCheck={false}
        onChange={(event) => onValue(event.target.value.trim())}
      />
      <datalist id={list}>
        {tags.data?.tags.map(({ name }) => (
          <option key={name} value={name} />
        ))}
      </datalist>
    </>
  );
}

const TYPING_MS = 350;

/** A value once it is left alone for a moment. */
function useSettled<Value>(value: Value): Value {
  const [settled, setSettled] = useState(value);
  useEffect(() => {
    const timer = setTimeout(() => setSettled(value), TYPING_MS);
    return () => clearTimeout(timer);
  }, [value]);
  return settled;
}
