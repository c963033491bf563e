import { useWords } from '../kit/words.tsx';
import { Caches } from '../registries/caches.tsx';
import { Mirrors } from '../registries/mirrors.tsx';
import { registriesWords } from '../registries/registries-words.ts';
import { Upstreams } from '../registries/upstreams.tsx';
import { Administration } from './administration.tsx';

export function RegistriesPage() {
  const words = useWords(registriesWords);
  return (
    <Administration current="registries" title={words.title} description={words.what}>
      {() => (
        <>
          <Upstreams />
          <Caches />
          <Mirrors />
        </>
      )}
    </Administration>
  );
}
